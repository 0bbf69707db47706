"""Redemptions as the API shows them, with the story of each."""

from datetime import datetime
from typing import Any, Self

from pydantic import Field

from paimon.application.redemptions.queries import AwaitingApproval, RedemptionDetail, RedemptionListItem
from paimon.application.redemptions.timeline import TimelineEntry, TimelineSource
from paimon.domain.redemption.request import RedemptionChannel, RedemptionStatus
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, Time
from paimon.gateway.rest.views.approvals import TicketView
from paimon.gateway.rest.views.transactions import IntentView


class RedemptionView(ApiModel):
    """A request as the chain's events told it. Amounts in raw units of the vault's asset, shares in raw shares."""

    request_id: BigInt
    owner: AddressText
    receiver: AddressText
    shares: BigInt
    gross_amount: BigInt
    estimated_fee: BigInt
    channel: RedemptionChannel
    requires_approval: bool
    window_id: BigInt | None = Field(description="the quarterly window of a SCHEDULED request; null for the other channels")
    status: RedemptionStatus
    requested_at: Time
    settlement_at: Time | None = Field(description="unset while under approval; an estimate for a scheduled request")
    settled_fee: BigInt | None
    settled_net_amount: BigInt | None
    rejection_reason: str | None
    closed_at: Time | None
    quarantined: bool = Field(description="a log in quarantine tells of it: on chain it may stand otherwise than shown here")

    @classmethod
    def of(cls, listed: RedemptionListItem) -> Self:
        return cls(**_fields(listed))


class AwaitingApprovalView(ApiModel):
    """A request held back until someone approves, with its ticket."""

    redemption: RedemptionView
    ticket: TicketView | None = Field(description="null for the moment between the event and its reaction")

    @classmethod
    def of(cls, awaiting: AwaitingApproval, now: datetime) -> Self:
        return cls(
            redemption=RedemptionView.of(awaiting),
            ticket=TicketView.of(awaiting.ticket, now) if awaiting.ticket else None,
        )


class TimelineEntryView(ApiModel):
    """`at` by the source's own clock; the list is in the order of `knownAt`, when this house came to know."""

    at: Time
    known_at: Time
    source: TimelineSource
    kind: str
    title: str
    details: dict[str, Any]

    @classmethod
    def of(cls, entry: TimelineEntry) -> Self:
        return cls(
            at=entry.at,
            known_at=entry.known_at,
            source=entry.source,
            kind=entry.kind,
            title=entry.title,
            details=entry.details,
        )


class RedemptionDetailView(RedemptionView):
    """The request with its ticket, its settlement and its story."""

    locked_nav: BigInt | None = Field(description="NAV per share it was locked at, scaled by 1e18; null until it was read")
    ticket: TicketView | None
    settlement_intent: IntentView | None = Field(description="its `unfunded` says that the money is not there yet")
    timeline: list[TimelineEntryView]

    @classmethod
    def of_detail(cls, detail: RedemptionDetail, now: datetime) -> Self:
        return cls(
            **_fields(detail),
            locked_nav=detail.locked_nav,
            ticket=TicketView.of(detail.ticket, now) if detail.ticket else None,
            settlement_intent=IntentView.of(detail.settlement) if detail.settlement else None,
            timeline=[TimelineEntryView.of(each) for each in detail.timeline],
        )


def _fields(listed: RedemptionListItem) -> dict[str, Any]:
    own = {
        "quarantined": listed.quarantined,
        "window_id": listed.redemption.window_id or None,  # the chain's 0 is no window
    }
    return own | {name: getattr(listed.redemption, name) for name in RedemptionView.model_fields if name not in own}
