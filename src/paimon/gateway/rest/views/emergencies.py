"""JSON shapes of the emergency protocol: emergencies and drills, their steps with who is waited for, and the timeline."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

from pydantic import Field

from paimon.application.emergency.queries import EmergencyDetail, StepDetail, Timings
from paimon.application.emergency.store import DatedEntry, StoredEmergency
from paimon.application.transactions.plans.calls import PlanRequest
from paimon.domain.kernel.chain import Hash32
from paimon.domain.risk.emergency import STEPS, EmergencyState, EntryKind, StepKind, StepStatus
from paimon.domain.transaction.plan import PlanStatus
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, HashText, Time
from paimon.gateway.rest.views.plans import CallBody, PlanBody


class EmergencyView(ApiModel):
    """An emergency, or a drill: then `isDrill` is true, and nothing of it was or will be sent."""

    id: int
    is_drill: bool
    state: EmergencyState
    started_at: Time
    state_since: Time
    started_by: AddressText | None = Field(description="the person who started a drill; null: the risk level declared it")
    ended_at: Time | None
    end_reason: str | None

    @classmethod
    def fields_of(cls, stored: StoredEmergency) -> dict[str, Any]:
        emergency = stored.emergency
        return {
            "id": emergency.id,
            "is_drill": emergency.is_drill,
            "state": emergency.state,
            "started_at": emergency.started_at,
            "state_since": emergency.state_since,
            "started_by": stored.started_by,
            "ended_at": emergency.ended_at,
            "end_reason": emergency.end_reason,
        }

    @classmethod
    def of(cls, stored: StoredEmergency) -> Self:
        return cls(**cls.fields_of(stored))


class EmergenciesView(ApiModel):
    """The newest 100 emergencies and drills, latest first. At most one is open."""

    items: list[EmergencyView]

    @classmethod
    def of(cls, found: Iterable[StoredEmergency]) -> Self:
        return cls(items=[EmergencyView.of(stored) for stored in found])


class EmergencyStepView(ApiModel):
    """One step: what it is for, the plan that carries it out, and who is waited for."""

    kind: StepKind
    status: StepStatus
    meaning: str
    is_selected: bool = Field(description="false: people are to choose it by themselves, and nothing waits for it")
    warning: str | None
    attempt: int
    since: Time = Field(description="when it came to this status")
    proposed_at: Time | None
    done_at: Time | None
    done_at_block: int | None
    review_at: Time | None = Field(description="when a pause that was made is to be reviewed")
    amount: BigInt | None = Field(description="what it is to free, in raw units of the vault's asset")
    request: PlanBody | None = Field(
        description="the body for `POST /plans/preview`: preview it, sign it, submit it; null in a drill, which has no plans"
    )
    plan_id: UUID | None
    plan_status: PlanStatus | None
    ticket_id: str | None
    proposal: HashText | None = Field(description="hash of the Safe transaction that the owners sign")
    signed_by: list[AddressText] = Field(description="the owners whose signatures count; in a drill, who signed")
    missing_signers: list[AddressText] = Field(description="the owners who have not signed")
    signatures_needed: int | None
    behind_nonce: int | None = Field(
        description="the nonce of the Safe transaction that the owners execute or reject before this one; null: none"
    )

    @classmethod
    def of(cls, detail: StepDetail) -> Self:
        step, plan = detail.step, detail.plan
        tally = None if detail.proposal is None else detail.proposal.summary.tally
        return cls(
            kind=step.kind,
            status=step.status,
            meaning=STEPS[step.kind].meaning,
            is_selected=step.is_selected,
            warning=step.warning,
            attempt=step.attempt,
            since=step.since,
            proposed_at=step.proposed_at,
            done_at=step.done_at,
            done_at_block=step.done_at_block,
            review_at=step.review_at,
            amount=step.amount,
            request=None if detail.request is None else _body(detail.request),
            plan_id=step.plan_id,
            plan_status=None if plan is None else plan.status,
            ticket_id=None if detail.proposal is None else detail.proposal.ticket_id,
            proposal=None if plan is None or plan.proposal is None else Hash32(plan.proposal),
            signed_by=list(detail.drill_signers if tally is None else tally.valid_signers),
            missing_signers=[] if tally is None else list(tally.missing_signers),
            signatures_needed=None if tally is None else tally.threshold,
            behind_nonce=detail.behind_nonce,
        )


def _body(request: PlanRequest) -> PlanBody:
    calls = [CallBody(contract=call.contract, function=call.function, arguments=dict(call.arguments)) for call in request.calls]
    return PlanBody(key=request.key, plan=request.plan, calls=calls, reason=request.reason)


class EmergencyEntryView(ApiModel):
    """One entry of the timeline, dated by the database."""

    number: int
    at: Time
    kind: EntryKind
    step: StepKind | None
    actor: AddressText | None = Field(description="the person who did it; null: the system")
    text: str

    @classmethod
    def of(cls, dated: DatedEntry) -> Self:
        entry = dated.entry
        return cls(number=dated.number, at=dated.at, kind=entry.kind, step=entry.step, actor=entry.actor, text=entry.text)


class TimingsView(ApiModel):
    """Seconds from the start; null for what has not happened. A drill starts before its breach is detected."""

    to_declare: float | None
    to_acknowledge: float | None = Field(description="of the risk event that alerts people")
    to_first_submission: float | None = Field(description="until a person submitted the plan of a step")
    to_first_signature: float | None = Field(description="until an owner signed a step")
    to_first_effect: float | None = Field(description="until a block showed a step's effect; in a drill, until one was done")
    to_end: float | None

    @classmethod
    def of(cls, timings: Timings) -> Self:
        return cls(
            to_declare=_seconds(timings.to_declare),
            to_acknowledge=_seconds(timings.to_acknowledge),
            to_first_submission=_seconds(timings.to_first_submission),
            to_first_signature=_seconds(timings.to_first_signature),
            to_first_effect=_seconds(timings.to_first_effect),
            to_end=_seconds(timings.to_end),
        )


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else round(length.total_seconds(), 3)


class EmergencyDetailView(EmergencyView):
    """An emergency with its whole record: what a post-mortem is written from."""

    steps: list[EmergencyStepView]
    timeline: list[EmergencyEntryView]
    evidence: dict[str, Any] = Field(description="block, level, indicators, tiers and policy version when it began")
    end_evidence: dict[str, Any] | None = Field(description="the same when it ended")
    risk_event_id: int | None = Field(description="the risk event that alerts people, and that they acknowledge")
    timings: TimingsView

    @classmethod
    def of_detail(cls, detail: EmergencyDetail) -> Self:
        return cls(
            **cls.fields_of(detail.stored),
            steps=[EmergencyStepView.of(step) for step in detail.steps],
            timeline=[EmergencyEntryView.of(entry) for entry in detail.timeline],
            evidence=detail.stored.evidence,
            end_evidence=detail.stored.end_evidence,
            risk_event_id=None if detail.event is None else detail.event.id,
            timings=TimingsView.of(detail.timings),
        )
