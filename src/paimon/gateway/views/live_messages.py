"""JSON of live messages, by what they are about."""

from typing import Any, Self
from uuid import UUID

from pydantic import Field

from paimon.application.common.live import LiveMessage
from paimon.domain.approval.plan_ticket import AnyTicket, PlanTicket
from paimon.domain.approval.ticket import RedemptionTicket, TicketStatus, TicketType
from paimon.domain.rebalance.rebalance_record import RebalanceRecord, RebalanceStatus
from paimon.domain.rebalance.triggers import Trigger
from paimon.domain.redemption.request import Redemption, RedemptionChannel, RedemptionStatus
from paimon.domain.risk.emergency import Emergency, EmergencyState, StepKind
from paimon.domain.risk.risk_event import RiskEvent, RiskKind, Severity, format_owner
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, Time


class LiveRedemptionView(ApiModel):
    """A redemption request that was made or settled."""

    request_id: BigInt
    owner: AddressText
    receiver: AddressText
    shares: BigInt
    gross_amount: BigInt
    channel: RedemptionChannel
    status: RedemptionStatus
    requires_approval: bool
    settled_net_amount: BigInt | None

    @classmethod
    def of(cls, redemption: Redemption) -> Self:
        return cls(
            request_id=redemption.request_id,
            owner=redemption.owner,
            receiver=redemption.receiver,
            shares=redemption.shares,
            gross_amount=redemption.gross_amount,
            channel=redemption.channel,
            status=redemption.status,
            requires_approval=redemption.requires_approval,
            settled_net_amount=redemption.settled_net_amount,
        )


class LiveTicketView(ApiModel):
    """An approval ticket that was opened, decided or closed."""

    ticket_id: str
    type: TicketType
    request_id: BigInt | None = Field(description="of a redemption; null for a plan")
    plan: str | None = Field(description="name of a plan; null for a redemption")
    gross_amount: BigInt
    status: TicketStatus
    deadline_at: Time
    decided_externally: bool

    @classmethod
    def of(cls, ticket: AnyTicket) -> Self:
        return cls(
            ticket_id=ticket.id,
            type=ticket.type,
            request_id=None if isinstance(ticket, PlanTicket) else ticket.request_id,
            plan=ticket.plan if isinstance(ticket, PlanTicket) else None,
            gross_amount=ticket.amount if isinstance(ticket, PlanTicket) else ticket.gross_amount,
            status=ticket.status,
            deadline_at=ticket.deadline_at,
            decided_externally=ticket.decided_externally,
        )


class RiskAlertView(ApiModel):
    """A risk event that was opened, or became more severe."""

    id: int | None
    kind: RiskKind
    subject: str
    observed: str
    expected: str
    severity: Severity
    owner: str = Field(description="a role, or the address of a person")
    first_seen_at: Time
    block_number: int = Field(description="the block at which both figures were read last")

    @classmethod
    def of(cls, event: RiskEvent) -> Self:
        return cls(
            id=event.id,
            kind=event.finding.kind,
            subject=event.finding.subject,
            observed=event.finding.observed,
            expected=event.finding.expected,
            severity=event.finding.severity,
            owner=format_owner(event.owner),
            first_seen_at=event.first_seen.at,
            block_number=event.last_seen.block,
        )


class LiveRebalanceView(ApiModel):
    """A plan of the rebalance engine that was carried out."""

    id: UUID
    plan_id: UUID | None
    trigger: Trigger
    status: RebalanceStatus
    trades: int
    is_as_expected: bool = Field(description="whether tiers and cost are within 1 % of what the plan expected")
    block_number: int = Field(description="of the snapshot that shows it")

    @classmethod
    def of(cls, record: RebalanceRecord) -> Self:
        """Raises ValueError: the record has no outcome."""
        if record.outcome is None:
            raise ValueError(f"rebalance {record.id} was not carried out")
        return cls(
            id=record.id,
            plan_id=record.plan_id,
            trigger=record.trigger,
            status=record.status,
            trades=record.outcome.trades,
            is_as_expected=record.outcome.is_as_expected,
            block_number=record.outcome.at.number,
        )


class LiveEmergencyView(ApiModel):
    """An emergency or a drill that changed; read it for its steps."""

    id: int
    is_drill: bool
    state: EmergencyState
    state_since: Time
    open_steps: list[StepKind]

    @classmethod
    def of(cls, emergency: Emergency) -> Self:
        return cls(
            id=emergency.id,
            is_drill=emergency.is_drill,
            state=emergency.state,
            state_since=emergency.state_since,
            open_steps=[step.kind for step in emergency.steps if step.is_open and emergency.ended_at is None],
        )


def live_document(message: LiveMessage) -> dict[str, Any]:
    """Return the data that a live message is published with.

    Raises:
        TypeError: no view exists for this content.
    """
    return _view(message).model_dump(mode="json", by_alias=True)


def _view(message: LiveMessage) -> ApiModel:
    match message.content:
        case RiskEvent() as event:
            return RiskAlertView.of(event)
        case Redemption() as redemption:
            return LiveRedemptionView.of(redemption)
        case RedemptionTicket() | PlanTicket() as ticket:
            return LiveTicketView.of(ticket)
        case Emergency() as emergency:
            return LiveEmergencyView.of(emergency)
        case RebalanceRecord() as record:
            return LiveRebalanceView.of(record)
        case other:
            raise TypeError(f"no view of {type(other).__name__} for {message.channel}")
