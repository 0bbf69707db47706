"""Reads of an ERC-20 token."""

from typing import Final

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi
from paimon.infrastructure.blockchain.contracts.contract import Contract
from paimon.infrastructure.blockchain.contracts.reads import ContractRead

_ABI: Final = load_abi("ERC20")


class Erc20(Contract):
    def __init__(self, address: Address) -> None:
        super().__init__(address, _ABI)

    def symbol(self) -> ContractRead[str]:
        return self._read("symbol", convert=str)

    def decimals(self) -> ContractRead[int]:
        return self._read("decimals", convert=int)

    def balance_of(self, account: Address) -> ContractRead[RawAmount]:
        return self._read("balanceOf", account, convert=RawAmount)
