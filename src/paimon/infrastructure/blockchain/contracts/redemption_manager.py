"""Reads of the redemption manager."""

from typing import Any, NamedTuple

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import NavPerShare, RawAmount
from paimon.infrastructure.blockchain.contracts.contract import ManagedContract
from paimon.infrastructure.blockchain.contracts.reads import ContractRead


class RequestResult(NamedTuple):
    """`getRedemptionRequest`.

    `status` and `channel` are the contract's numbers: a later deployment may know more of them than we do. Times are chain
    seconds, 0 where none is set. `has_voucher` says that the request is a token whose holder is paid, where there are vouchers.
    """

    request_id: int
    owner: Address
    receiver: Address
    shares: RawAmount
    gross_amount: RawAmount
    locked_nav: NavPerShare
    request_time: int
    settlement_time: int
    status: int
    channel: int
    requires_approval: bool
    window_id: int
    has_voucher: bool = False


class RedemptionManager(ManagedContract):
    def vault(self) -> ContractRead[Address]:
        return self._read("vault", convert=Address)

    def asset_controller(self) -> ContractRead[Address]:
        return self._read("assetController", convert=Address)

    def asset_scheduler(self) -> ContractRead[Address]:
        """The scheduler's address, zero where none is set."""
        return self._read("assetScheduler", convert=Address)

    def request_count(self) -> ContractRead[int]:
        """How many requests were ever made; their ids count from 1."""
        return self._read("getRequestCount", convert=int)

    def request(self, request_id: int) -> ContractRead[RequestResult]:
        """A redemption request. The read reverts for an id that does not exist."""
        return self._read("getRedemptionRequest", request_id, convert=_request)


def _request(result: dict[str, Any]) -> RequestResult:
    return RequestResult(
        request_id=result["requestId"],
        owner=Address(result["owner"]),
        receiver=Address(result["receiver"]),
        shares=RawAmount(result["shares"]),
        gross_amount=RawAmount(result["grossAmount"]),
        locked_nav=NavPerShare(result["lockedNav"]),
        request_time=result["requestTime"],
        settlement_time=result["settlementTime"],
        status=result["status"],
        channel=result["channel"],
        requires_approval=result["requiresApproval"],
        window_id=result["windowId"],
        has_voucher=result.get("hasVoucher", False),
    )
