"""JSON shapes of redemption requests and their timelines."""

from datetime import datetime
from typing import Any, Final, Self
from uuid import UUID

from pydantic import Field
from pydantic.alias_generators import to_camel

from paimon.application.redemptions.queries import AwaitingApproval, RedemptionDetail, RedemptionListItem
from paimon.application.redemptions.timeline import TimelineEntry, TimelineSource
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.domain.redemption.request import RedemptionChannel, RedemptionStatus
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, Time
from paimon.gateway.rest.views.approvals import TicketView
from paimon.gateway.rest.views.transactions import IntentView
from paimon.infrastructure.text import shown_line

ADDRESS_BYTES: Final = 20
_TEXT_MAX: Final = 1_000
"""Characters of a text that are shown. What this system signs has at most 500; anyone with the role may write more on chain."""


class RedemptionView(ApiModel):
    """A request as the chain's events recorded it. Amounts in raw units of the vault's asset, shares in raw shares."""

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
    quarantined: bool = Field(description="a quarantined log is about this request, so its state on chain may differ")

    @classmethod
    def of(cls, item: RedemptionListItem) -> Self:
        return cls(**_fields(item))


class AwaitingApprovalView(ApiModel):
    """A request that awaits approval, with its ticket."""

    redemption: RedemptionView
    ticket: TicketView | None = Field(description="null until the handler of the request's event has opened it")

    @classmethod
    def of(cls, awaiting: AwaitingApproval, now: datetime) -> Self:
        return cls(
            redemption=RedemptionView.of(awaiting),
            ticket=TicketView.of(awaiting.ticket, now) if awaiting.ticket else None,
        )


class TimelineEntryView(ApiModel):
    """One entry of the timeline. `at` is by the source's own clock; entries are ordered by `knownAt`, when it was recorded."""

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
            details={to_camel(name): _detail_json(value) for name, value in entry.details.items()},
        )


def _detail_json(value: object) -> object:
    match value:
        case bytes():
            return checksum(value) if len(value) == ADDRESS_BYTES else hex0x(value)
        case UUID():
            return str(value)
        case str():
            return _shown(value)
        case dict():
            return {name: _detail_json(item) for name, item in value.items()}
        case list():
            return [_detail_json(item) for item in value]
        case _:
            return value


def _shown(text: str) -> str:
    """Clean a text that may come from the chain, such as the reason of a rejection that was not made with this system."""
    return shown_line(text, length_max=_TEXT_MAX)


class RedemptionDetailView(RedemptionView):
    """A request with its ticket, its settlement and its timeline."""

    locked_nav: BigInt | None = Field(description="NAV per share it was locked at, scaled by 1e18; null until it was read")
    ticket: TicketView | None
    settlement_intent: IntentView | None = Field(description="its `unfunded` means that the money is not there yet")
    timeline: list[TimelineEntryView]

    @classmethod
    def of_detail(cls, detail: RedemptionDetail, now: datetime) -> Self:
        return cls(
            **_fields(detail),
            locked_nav=detail.locked_nav,
            ticket=TicketView.of(detail.ticket, now) if detail.ticket else None,
            settlement_intent=IntentView.of_intent(detail.settlement) if detail.settlement else None,
            timeline=[TimelineEntryView.of(entry) for entry in detail.timeline],
        )


def _fields(item: RedemptionListItem) -> dict[str, Any]:
    own = {
        "quarantined": item.quarantined,
        "rejection_reason": None if item.redemption.rejection_reason is None else _shown(item.redemption.rejection_reason),
        "window_id": item.redemption.window_id or None,  # the contract writes 0 for no window
    }
    return own | {name: getattr(item.redemption, name) for name in RedemptionView.model_fields if name not in own}
