"""Rows of `redemption_requests` ↔ domain values; the only place that maps them."""

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.redemption.request import Redemption
from paimon.infrastructure.database.models.derived import RedemptionRequestRow


def _raw(value: int | None) -> RawAmount | None:
    return None if value is None else RawAmount(value)


def to_domain(row: RedemptionRequestRow) -> Redemption:
    return Redemption(
        request_id=row.request_id,
        owner=Address(row.owner),
        receiver=Address(row.receiver),
        shares=RawAmount(row.shares),
        gross_amount=RawAmount(row.gross_amount),
        estimated_fee=RawAmount(row.estimated_fee),
        channel=row.channel,
        requires_approval=row.requires_approval,
        window_id=row.window_id,
        status=row.status,
        requested_at=row.requested_at,
        settlement_at=row.settlement_at,
        settled_fee=_raw(row.settled_fee),
        settled_net_amount=_raw(row.settled_net_amount),
        rejection_reason=row.rejection_reason,
        closed_at=row.closed_at,
    )


def to_values(redemption: Redemption, *, updated_block: int) -> dict[str, object]:
    """Column values of one request."""
    return {
        "request_id": redemption.request_id,
        "owner": redemption.owner,
        "receiver": redemption.receiver,
        "shares": redemption.shares,
        "gross_amount": redemption.gross_amount,
        "estimated_fee": redemption.estimated_fee,
        "channel": redemption.channel,
        "requires_approval": redemption.requires_approval,
        "window_id": redemption.window_id,
        "status": redemption.status,
        "requested_at": redemption.requested_at,
        "settlement_at": redemption.settlement_at,
        "settled_fee": redemption.settled_fee,
        "settled_net_amount": redemption.settled_net_amount,
        "rejection_reason": redemption.rejection_reason,
        "closed_at": redemption.closed_at,
        "updated_block": updated_block,
    }
