"""Reads of the oracle adapter: USDT per whole token, scaled by 1e18."""

from typing import Any, Final, NamedTuple

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi
from paimon.infrastructure.blockchain.contracts.contract import Contract
from paimon.infrastructure.blockchain.contracts.reads import ContractRead

_ABI: Final = load_abi("OracleAdapter")


class TimedPrice(NamedTuple):
    """A price and the chain seconds of its last update; 0 means that the adapter knows no time."""

    price: RawAmount
    updated_at: int


class OracleAdapter(Contract):
    def __init__(self, address: Address) -> None:
        super().__init__(address, _ABI)

    def price(self, token: Address) -> ContractRead[RawAmount]:
        """Price a token. The read reverts for a token that the adapter does not know."""
        return self._read("getPrice", token, convert=RawAmount)

    def timed_price(self, token: Address) -> ContractRead[TimedPrice]:
        """Price a token with the time of the price. Not every adapter has this function."""
        return self._read("getPriceWithTimestamp", token, convert=_timed_price)


def _timed_price(result: dict[str, Any]) -> TimedPrice:
    return TimedPrice(RawAmount(result["price"]), result["updatedAt"])
