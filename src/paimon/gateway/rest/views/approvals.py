"""Tickets, votes and what is to be signed, as the API shows them."""

from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from paimon.application.approval_workflow.queries import SlaFigures, SlaReport, TicketDetail
from paimon.domain.approval.ticket import SlaStage, Ticket, TicketStatus, TicketType, Verdict
from paimon.domain.kernel.chain import hex0x
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, HashText, Time
from paimon.gateway.rest.validation_messages import ONE_LINE
from paimon.gateway.rest.views.transactions import IntentView
from paimon.infrastructure.database.models.ops.approval import ApprovalRecordRow

_SECONDS_DIGITS_MAX = 10


def _unix_seconds(value: object) -> datetime:
    text = str(value)
    if not (text.isascii() and text.isdecimal() and len(text) <= _SECONDS_DIGITS_MAX):
        raise ValueError("an expiry is in Unix seconds, as `message.expiresAt` of the typed data has it")
    return datetime.fromtimestamp(int(text), UTC)


UnixSeconds = Annotated[
    datetime,
    BeforeValidator(_unix_seconds),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,10}$"}),
]

Reason = Annotated[str, StringConstraints(max_length=500, pattern=ONE_LINE)]
"""One line: it is shown by wallets and, for a rejection, written to the chain."""


class DecisionBody(ApiModel):
    """A signature over `signing.approve` or `signing.reject` of `GET /approvals/{id}`, with the free parts of that message."""

    nonce: HashText = Field(description="`message.nonce` of the signed typed data")
    expires_at: UnixSeconds = Field(description="`message.expiresAt` of the signed typed data, in Unix seconds")
    reason: Reason = Field("", description="`message.reason` as signed; a rejection needs one")
    signature: str = Field(max_length=1_000, description="65 bytes r ‖ s ‖ v as 0x-hex, by eth_signTypedData_v4")


class SlaView(ApiModel):
    """How late the ticket is by the database's clock."""

    stage: SlaStage
    warn_at: Time
    escalate_at: Time
    deadline_at: Time
    remaining_seconds: int | None = Field(description="until the deadline, negative after it; null once closed")

    @classmethod
    def of(cls, ticket: Ticket, now: datetime) -> Self:
        remaining = None if ticket.closed_at is not None else int((ticket.deadline_at - now).total_seconds())
        return cls(
            stage=ticket.sla_stage(now),
            warn_at=ticket.warn_at,
            escalate_at=ticket.escalate_at,
            deadline_at=ticket.deadline_at,
            remaining_seconds=remaining,
        )


class TicketView(ApiModel):
    """A decision to be taken about one redemption request, with a snapshot of what it is about."""

    id: str
    type: TicketType
    request_id: BigInt
    owner: AddressText
    receiver: AddressText
    gross_amount: BigInt
    policy_version: int
    required_approvals: int
    approvals: int
    status: TicketStatus
    opened_at: Time
    decided_at: Time | None
    closed_at: Time | None
    decided_externally: bool
    sla: SlaView

    @classmethod
    def of(cls, ticket: Ticket, now: datetime) -> Self:
        return cls(**_fields(ticket, now))


class VoteView(ApiModel):
    """An accepted vote with what was signed: enough to check it without this system."""

    voter: AddressText
    verdict: Verdict
    reason: str
    decided_at: Time
    expires_at: Time
    typed_data: dict[str, Any]
    signature: str

    @classmethod
    def of(cls, record: ApprovalRecordRow) -> Self:
        return cls(
            voter=record.voter,
            verdict=record.verdict,
            reason=record.reason,
            decided_at=record.decided_at,
            expires_at=record.expires_at,
            typed_data=record.typed_data,
            signature=hex0x(record.signature),
        )


class SigningView(ApiModel):
    """EIP-712 documents to sign with eth_signTypedData_v4. `message.reason` is the signer's to replace before signing."""

    approve: dict[str, Any]
    reject: dict[str, Any]


class TicketDetailView(TicketView):
    """The ticket with its votes, the calls it led to, and what to sign while it is open."""

    votes: list[VoteView]
    intents: list[IntentView]
    signing: SigningView | None

    @classmethod
    def of_detail(cls, detail: TicketDetail, signing: SigningView | None) -> Self:
        return cls(
            **_fields(detail.ticket, detail.read_at),
            votes=[VoteView.of(each) for each in detail.records],
            intents=[IntentView.of(each) for each in detail.intents],
            signing=signing,
        )


class SlaFiguresView(ApiModel):
    """One kind of ticket: how many were raised, and how they were served."""

    type: TicketType
    raised: int
    waiting: int
    decided_on_time: int
    decided_late: int
    decided_externally: int
    cancelled: int
    decision_seconds_mean: float | None

    @classmethod
    def of(cls, figures: SlaFigures) -> Self:
        return cls(
            type=figures.kind,
            raised=figures.raised,
            waiting=figures.waiting,
            decided_on_time=figures.decided_on_time,
            decided_late=figures.decided_late,
            decided_externally=figures.decided_externally,
            cancelled=figures.cancelled,
            decision_seconds_mean=figures.decision_seconds_mean,
        )


class SlaReportView(ApiModel):
    """The promised times against what happened, and every ticket that is not closed, most urgent first."""

    at: Time
    figures: list[SlaFiguresView]
    stages: dict[SlaStage, int]
    waiting: list[TicketView]

    @classmethod
    def of(cls, report: SlaReport) -> Self:
        return cls(
            at=report.at,
            figures=[SlaFiguresView.of(each) for each in report.figures],
            stages=report.stages,
            waiting=[TicketView.of(each, report.at) for each in report.waiting],
        )


def _fields(ticket: Ticket, now: datetime) -> dict[str, Any]:
    return {
        "id": ticket.id,
        "type": ticket.type,
        "request_id": ticket.request_id,
        "owner": ticket.owner,
        "receiver": ticket.receiver,
        "gross_amount": ticket.gross_amount,
        "policy_version": ticket.policy_version,
        "required_approvals": ticket.required_approvals,
        "approvals": sum(vote.verdict is Verdict.APPROVE for vote in ticket.votes),
        "status": ticket.status,
        "opened_at": ticket.opened_at,
        "decided_at": ticket.decided_at,
        "closed_at": ticket.closed_at,
        "decided_externally": ticket.decided_externally,
        "sla": SlaView.of(ticket, now),
    }
