"""Reads of the asset scheduler."""

from typing import Final

from paimon.domain.kernel.chain import Address
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi
from paimon.infrastructure.blockchain.contracts.contract import Contract
from paimon.infrastructure.blockchain.contracts.reads import ContractRead

_ABI: Final = load_abi("AssetScheduler")


class AssetScheduler(Contract):
    def __init__(self, address: Address) -> None:
        super().__init__(address, _ABI)

    def window_settlement_time(self, window_id: int) -> ContractRead[int]:
        """Chain seconds at which a window settles. The read reverts for a window that the scheduler does not know."""
        return self._read("getWindowSettlementTime", window_id, convert=int)
