"""Redemption requests, from the request's event to its settlement. The chain decides every status; this module follows it.

    RedemptionRequested ──► PENDING ───────────────────────────► SETTLED
           │                   └──────────► CANCELLED ◄──┐          ▲
           └──► PENDING_APPROVAL ──► APPROVED ───────────┼──────────┘
                       └──► REJECTED                     └ (by its owner)

On chain, a rejection ends as CANCELLED (4). REJECTED is the system's own status, distinguished by the event.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Final

from paimon.domain.events import (
    RedemptionApproved,
    RedemptionCancelled,
    RedemptionEvent,
    RedemptionRejected,
    RedemptionRequested,
    RedemptionSettled,
)
from paimon.domain.events.errors import InapplicableEvent, at_chain_time
from paimon.domain.kernel.chain import Address, BlockStamp
from paimon.domain.kernel.units import RawAmount


class RedemptionChannel(StrEnum):
    """The way a redemption leaves the fund; the order of the values is the contract's."""

    STANDARD = "STANDARD"
    EMERGENCY = "EMERGENCY"
    SCHEDULED = "SCHEDULED"

    @classmethod
    def from_chain(cls, number: int) -> "RedemptionChannel":
        """Convert the contract's number.

        Raises:
            InapplicableEvent: the interface does not know the number.
        """
        channels = tuple(cls)
        if number not in range(len(channels)):
            raise InapplicableEvent(f"channel {number} is none of 0 STANDARD, 1 EMERGENCY, 2 SCHEDULED")
        return channels[number]


class RedemptionStatus(StrEnum):
    """Status of a redemption request."""

    PENDING = "PENDING"
    PENDING_APPROVAL = "PENDING_APPROVAL"
    APPROVED = "APPROVED"
    SETTLED = "SETTLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"


class OnChainStatus(IntEnum):
    """The field `status` of the contract's `getRedemptionRequest`."""

    PENDING = 0
    PENDING_APPROVAL = 1
    APPROVED = 2
    SETTLED = 3
    CANCELLED = 4


OPEN_STATUSES: Final = frozenset({RedemptionStatus.PENDING, RedemptionStatus.PENDING_APPROVAL, RedemptionStatus.APPROVED})
SETTLEABLE_STATUSES: Final = frozenset({RedemptionStatus.PENDING, RedemptionStatus.APPROVED})


@dataclass(frozen=True, slots=True)
class Redemption:
    """A redemption request as its events describe it.

    Amounts are in raw units of the vault's asset, shares in raw shares.
    """

    request_id: int
    owner: Address
    receiver: Address
    shares: RawAmount
    gross_amount: RawAmount
    estimated_fee: RawAmount
    channel: RedemptionChannel
    requires_approval: bool
    window_id: int
    status: RedemptionStatus
    requested_at: datetime
    settlement_at: datetime | None
    settled_fee: RawAmount | None = None
    settled_net_amount: RawAmount | None = None
    rejection_reason: str | None = None
    closed_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES

    @property
    def on_chain_status(self) -> OnChainStatus:
        """Return the status that `getRedemptionRequest` must show for this request."""
        if self.status is RedemptionStatus.REJECTED:
            return OnChainStatus.CANCELLED
        return OnChainStatus[self.status.value]


def redemption_from_event(event: RedemptionRequested, *, at: BlockStamp) -> Redemption:
    """Open a request from its first event. A request under approval has no settlement time until the approval sets it."""
    return Redemption(
        request_id=event.request_id,
        owner=event.owner,
        receiver=event.receiver,
        shares=event.shares,
        gross_amount=event.locked_amount,
        estimated_fee=event.estimated_fee,
        channel=RedemptionChannel.from_chain(event.channel),
        requires_approval=event.requires_approval,
        window_id=event.window_id,
        status=RedemptionStatus.PENDING_APPROVAL if event.requires_approval else RedemptionStatus.PENDING,
        requested_at=at.timestamp,
        settlement_at=at_chain_time(event.settlement_time),
    )


def apply_redemption_event(redemption: Redemption | None, event: RedemptionEvent, *, at: BlockStamp) -> Redemption:
    """Return the request after one more of its events.

    Raises:
        InapplicableEvent: the event cannot follow the recorded state.
    """
    if redemption is None:
        if isinstance(event, RedemptionRequested):
            return redemption_from_event(event, at=at)
        raise InapplicableEvent(f"{type(event).__name__} for request {event.request_id}, which was never recorded")

    def require_status(*allowed: RedemptionStatus) -> None:
        if redemption.status not in allowed:
            raise InapplicableEvent(
                f"{type(event).__name__} for request {event.request_id} in state {redemption.status};"
                f" it follows {' or '.join(allowed)} only"
            )

    match event:
        case RedemptionRequested():
            raise InapplicableEvent(f"request {event.request_id} was requested twice")
        case RedemptionApproved():
            require_status(RedemptionStatus.PENDING_APPROVAL)
            return replace(
                redemption,
                status=RedemptionStatus.APPROVED,
                settlement_at=at_chain_time(event.settlement_time),
            )
        case RedemptionRejected():
            require_status(RedemptionStatus.PENDING_APPROVAL)
            return replace(
                redemption,
                status=RedemptionStatus.REJECTED,
                rejection_reason=event.reason,
                closed_at=at.timestamp,
            )
        case RedemptionCancelled():
            require_status(*OPEN_STATUSES)
            return replace(redemption, status=RedemptionStatus.CANCELLED, closed_at=at.timestamp)
        case RedemptionSettled():
            require_status(*SETTLEABLE_STATUSES)
            return replace(
                redemption,
                status=RedemptionStatus.SETTLED,
                settled_fee=event.fee,
                settled_net_amount=event.net_amount,
                closed_at=at.timestamp,
            )


def is_due(redemption: Redemption, *, chain_time: datetime, window_date: datetime | None = None) -> bool:
    """Report whether the request may be settled at `chain_time`, the timestamp of a final block.

    A scheduled request is due by its window's date as the scheduler contract gives it now (`window_date`), not by the
    estimate in its event. Without that date it is not due.
    """
    if redemption.status not in SETTLEABLE_STATUSES:
        return False
    due_at = window_date if redemption.channel is RedemptionChannel.SCHEDULED else redemption.settlement_at
    return due_at is not None and due_at <= chain_time
