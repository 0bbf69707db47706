"""JSON shapes of approval tickets, votes, and the documents that approvers sign."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import Field

from paimon.application.approval_workflow.queries import ApproverFigures, RecordedVote, SlaFigures, SlaReport, TicketDetail
from paimon.domain.approval.plan_ticket import AnyTicket, PlanTicket
from paimon.domain.approval.policy import AtDeadline
from paimon.domain.approval.ticket import SlaStage, Ticket, TicketStatus, TicketType, Verdict
from paimon.domain.kernel.chain import hex0x
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, HashText, Time
from paimon.gateway.rest.views.signed_action import Reason, SignedBody, TypedData
from paimon.gateway.rest.views.transactions import IntentView


class DecisionBody(SignedBody):
    """A signature over `signing.approve` or `signing.reject` of `GET /approvals/{id}`, with its message's nonce and expiry."""

    reason: Reason = Field("", description="`message.reason` as signed; a rejection needs one")


class SlaView(ApiModel):
    """The ticket's SLA stage and deadlines, by the database's clock."""

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


class TicketPlanView(ApiModel):
    """The plan that a ticket is about: what would happen, and the Safe transaction whose signatures are the votes."""

    id: UUID
    name: str
    calls: list[str] = Field(description="what would happen, a line for each call")
    wallet: PlanWallet
    safe_tx_hash: HashText = Field(description="owners sign it: `/multisig/proposals/{safeTxHash}`")
    requested_by: AddressText = Field(description="who asked for the plan, and never approves it")


class TicketView(ApiModel):
    """An approval ticket of one redemption request, with the request's figures when the ticket was opened, or of one plan."""

    id: str
    type: TicketType
    request_id: BigInt | None = Field(description="of a redemption; null for a plan")
    owner: AddressText | None
    receiver: AddressText | None
    plan: TicketPlanView | None = Field(description="null for a redemption")
    gross_amount: BigInt = Field(description="what the request pays before fees, or what the plan moves")
    policy_version: int
    rules: list[str] = Field(description="the policy's rules that asked for it")
    required_approvals: int
    approvals: int
    status: TicketStatus
    opened_at: Time
    decided_at: Time | None
    closed_at: Time | None
    decided_externally: bool
    void_reason: str | None = Field(description="what has changed about the plan since it was asked for, where that voided it")
    at_deadline: AtDeadline = Field(description="`REJECT`: the ticket expires at its deadline")
    sla: SlaView

    @classmethod
    def of(cls, ticket: AnyTicket, now: datetime) -> Self:
        return cls(**_fields(ticket, now))


class VoteView(ApiModel):
    """A vote with what was signed: enough to verify it without this system."""

    voter: AddressText
    verdict: Verdict
    reason: str
    decided_at: Time
    expires_at: Time | None
    typed_data: TypedData | None = Field(
        description="null for an owner's signature, which is over the Safe transaction: `/multisig/proposals/{safeTxHash}`"
    )
    signature: str
    invalid_reason: str | None = Field(description="why the recorded vote counts for nothing; null for one that counts")

    @classmethod
    def of(cls, vote: RecordedVote) -> Self:
        return cls(
            voter=vote.voter,
            verdict=vote.verdict,
            reason=vote.reason,
            decided_at=vote.decided_at,
            expires_at=vote.expires_at,
            typed_data=vote.typed_data,
            signature=hex0x(vote.signature),
            invalid_reason=vote.invalid_reason,
        )


class SigningView(ApiModel):
    """EIP-712 documents to sign with eth_signTypedData_v4. Replace `message.reason` by your own before signing."""

    approve: TypedData | None = Field(description="null for a plan, which owners approve by signing its Safe transaction")
    reject: TypedData
    cancel: TypedData | None = Field(description="for the person who asked for a plan; null for a redemption")


class TicketDetailView(TicketView):
    """A ticket with its votes, the intents they led to, and the documents to sign while it is open."""

    votes: list[VoteView]
    intents: list[IntentView]
    signing: SigningView | None

    @classmethod
    def of_detail(cls, detail: TicketDetail, signing: SigningView | None) -> Self:
        return cls(
            **_fields(detail.ticket, detail.read_at),
            votes=[VoteView.of(vote) for vote in detail.votes],
            intents=[IntentView.of_intent(intent) for intent in detail.intents],
            signing=signing,
        )


class SlaFiguresView(ApiModel):
    """Counts of one type of ticket: how many were opened, and how they were decided."""

    type: TicketType
    opened: int
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
            opened=figures.opened,
            waiting=figures.waiting,
            decided_on_time=figures.decided_on_time,
            decided_late=figures.decided_late,
            decided_externally=figures.decided_externally,
            cancelled=figures.cancelled,
            decision_seconds_mean=figures.decision_seconds_mean,
        )


class ApproverFiguresView(ApiModel):
    """Counts of one approver's votes that verify."""

    approver: AddressText
    votes: int
    approvals: int
    rejections: int
    late: int = Field(description="votes after the deadline of their ticket")
    seconds_mean: float = Field(description="from the opening of a ticket to the vote")

    @classmethod
    def of(cls, figures: ApproverFigures) -> Self:
        return cls(
            approver=figures.approver,
            votes=figures.votes,
            approvals=figures.approvals,
            rejections=figures.rejections,
            late=figures.late,
            seconds_mean=figures.seconds_mean,
        )


class SlaReportView(ApiModel):
    """The SLA figures by type of ticket and by approver, and the tickets that are not closed, most urgent first."""

    at: Time
    figures: list[SlaFiguresView]
    approvers: list[ApproverFiguresView]
    stages: dict[SlaStage, int]
    waiting: list[TicketView]

    @classmethod
    def of(cls, report: SlaReport) -> Self:
        return cls(
            at=report.at,
            figures=[SlaFiguresView.of(figures) for figures in report.figures],
            approvers=[ApproverFiguresView.of(figures) for figures in report.approvers],
            stages=report.stages,
            waiting=[TicketView.of(ticket, report.at) for ticket in report.waiting],
        )


def _subject(ticket: AnyTicket) -> dict[str, Any]:
    if not isinstance(ticket, PlanTicket):
        return {
            "request_id": ticket.request_id,
            "owner": ticket.owner,
            "receiver": ticket.receiver,
            "plan": None,
            "gross_amount": ticket.gross_amount,
            "void_reason": None,
            "at_deadline": AtDeadline.ALERT,
        }
    plan = TicketPlanView(
        id=ticket.plan_id,
        name=ticket.plan,
        calls=list(ticket.calls),
        wallet=PlanWallet(ticket.wallet),
        safe_tx_hash=ticket.safe_tx_hash,
        requested_by=ticket.requested_by,
    )
    return {
        "request_id": None,
        "owner": None,
        "receiver": None,
        "plan": plan,
        "gross_amount": ticket.amount,
        "void_reason": ticket.void_reason,
        "at_deadline": ticket.at_deadline,
    }


def _fields(ticket: AnyTicket, now: datetime) -> dict[str, Any]:
    return {
        "id": ticket.id,
        "type": ticket.type,
        **_subject(ticket),
        "policy_version": ticket.policy_version,
        "rules": list(ticket.rules),
        "required_approvals": ticket.required_approvals,
        "approvals": ticket.approvals,
        "status": ticket.status,
        "opened_at": ticket.opened_at,
        "decided_at": ticket.decided_at,
        "closed_at": ticket.closed_at,
        "decided_externally": ticket.decided_externally,
        "sla": SlaView.of(ticket, now),
    }
