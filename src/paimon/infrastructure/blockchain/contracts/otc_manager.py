"""Reads of the OTC manager. Its ABI may come from a file, since its indexing varies between deployments."""

from typing import Any, NamedTuple

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
from paimon.infrastructure.blockchain.contracts.contract import Contract
from paimon.infrastructure.blockchain.contracts.reads import ContractRead


class OtcOrderResult(NamedTuple):
    """`getOrder`. `status` is the contract's number: a later deployment may know more states than we do.

    `actual_tokens` is None where the contract does not keep what was delivered: the event and the Transfer say it.
    """

    order_id: int
    token: Address
    usdt_amount: RawAmount
    expected_tokens: RawAmount
    actual_tokens: RawAmount | None
    counterparty: Address
    status: int


class OtcManager(Contract):
    def order(self, order_id: int) -> ContractRead[OtcOrderResult]:
        return self._read("getOrder", order_id, convert=_order)

    def pending_orders(self, token: Address) -> ContractRead[tuple[int, ...]]:
        """Ids of a token's open orders."""
        return self._read("getPendingOrders", token, convert=tuple)


def _order(result: dict[str, Any]) -> OtcOrderResult:
    return OtcOrderResult(
        order_id=result["orderId"],
        token=Address(result["rwaToken"]),
        usdt_amount=RawAmount(result["usdtAmount"]),
        expected_tokens=RawAmount(result["expectedTokens"]),
        actual_tokens=RawAmount(result["actualTokens"]) if "actualTokens" in result else None,
        counterparty=Address(result["counterparty"]),
        status=result["status"],
    )
