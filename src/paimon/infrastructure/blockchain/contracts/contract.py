"""The base of the contract classes, and the functions that the fund's contracts share."""

from collections.abc import Callable
from typing import Any, TypeVar

from paimon.domain.kernel.chain import Address, Hash32
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi
from paimon.infrastructure.blockchain.contracts.reads import ContractRead

T = TypeVar("T")


class Contract:
    """One contract at one address. Its methods build reads and ask nothing."""

    def __init__(self, address: Address, abi: ContractAbi) -> None:
        self.address = address
        self.abi = abi

    def _read(self, function: str, *args: Any, convert: Callable[[Any], T]) -> ContractRead[T]:
        return ContractRead(self.address, self.abi, function, args, convert)


class ManagedContract(Contract):
    """A contract with OpenZeppelin's AccessControl and Pausable: the vault, the redemption manager, the asset controller."""

    def has_role(self, role: Hash32, account: Address) -> ContractRead[bool]:
        return self._read("hasRole", role, account, convert=bool)

    def paused(self) -> ContractRead[bool]:
        return self._read("paused", convert=bool)
