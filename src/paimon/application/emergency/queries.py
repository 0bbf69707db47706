"""Read emergencies for people: each step with what waits for whom, the timeline, and how long things took."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.emergency.step_plans import plan_of
from paimon.application.emergency.store import (
    DatedEntry,
    StoredEmergency,
    get_emergency,
    list_drill_signers,
    list_emergencies,
    list_entries,
)
from paimon.application.risk_control.store import to_domain
from paimon.application.transactions.multisig.queries import ProposalDetail, get_proposal_detail
from paimon.application.transactions.plans.calls import PlanRequest
from paimon.application.transactions.plans.context import PlanContext
from paimon.application.transactions.plans.queries import PlanDetail, get_plan
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.risk.emergency import Emergency, EmergencyStep, EntryKind, StepKind, StepStatus
from paimon.domain.risk.risk_event import RiskEvent, RiskKind
from paimon.infrastructure.database.clock import as_utc
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow, SafeSignatureRow
from paimon.infrastructure.database.models.ops.plan import PlanRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

EMERGENCIES_LISTED_MAX: Final = 100

_LAST_BLOCK: Final = text("""
    SELECT greatest((SELECT max(block_number) FROM derived.raw_logs WHERE tx_hash = ANY(:hashes)),
                    (SELECT max(block_number) FROM ops.transaction_attempts WHERE hash = ANY(:hashes) AND succeeded))
""")


@dataclass(frozen=True, slots=True)
class StepDetail:
    """A step with the plan that a person may submit for it, the plan that was submitted, and the owners' signatures.

    A step of a drill has no plans: `drill_signers` have signed it.
    """

    step: EmergencyStep
    request: PlanRequest | None
    plan: PlanDetail | None
    proposal: ProposalDetail | None
    drill_signers: tuple[Address, ...]

    @property
    def behind_nonce(self) -> int | None:
        """The nonce that the owners use before this step's: a Safe executes in order. None when the step's is the next one."""
        summary = None if self.proposal is None else self.proposal.summary
        return None if summary is None or summary.nonce <= summary.safe_nonce else summary.safe_nonce


@dataclass(frozen=True, slots=True)
class Timings:
    """How long things took since the start; None for what has not happened."""

    to_declare: timedelta | None
    to_acknowledge: timedelta | None
    to_first_submission: timedelta | None
    to_first_signature: timedelta | None
    to_first_effect: timedelta | None
    to_end: timedelta | None


@dataclass(frozen=True, slots=True)
class EmergencyDetail:
    """An emergency with all that its record has: what a post-mortem is written from."""

    stored: StoredEmergency
    steps: tuple[StepDetail, ...]
    timeline: tuple[DatedEntry, ...]
    event: RiskEvent | None
    timings: Timings


async def find_last_block(session: AsyncSession, hashes: Sequence[Hash32]) -> int | None:
    """Return the last block of these transactions, as it is recorded or as their sender saw it; None where neither is."""
    found: int | None = (await session.execute(_LAST_BLOCK, {"hashes": list(hashes)})).scalar()
    return found


async def list_left_proposals(session: AsyncSession, emergency: Emergency) -> list[tuple[StepKind, Hash32]]:
    """Return the Safe transactions of what is proposed no longer, which the owners can have executed until they reject them."""
    keys = emergency.former_keys()
    query = (
        select(PlanRow.idempotency_key, SafeProposalRow.hash)
        .join(SafeProposalRow, SafeProposalRow.hash == PlanRow.proposal)
        .where(PlanRow.idempotency_key.in_(keys), PlanRow.name == emergency.name, SafeProposalRow.outcome.is_(None))
        .order_by(SafeProposalRow.nonce)
    )
    return [(keys[key], Hash32(hash_)) for key, hash_ in await session.execute(query)]


async def read_emergencies(session: ReadSession) -> list[StoredEmergency]:
    """Return the newest emergencies and drills, latest first."""
    return await list_emergencies(session, limit=EMERGENCIES_LISTED_MAX)


async def read_emergency(session: ReadSession | WriteSession, number: int, context: PlanContext) -> EmergencyDetail:
    """Raises EmergencyNotFound."""
    stored = await get_emergency(session, number)
    steps = tuple([await _step_detail(session, stored, step, context) for step in stored.emergency.steps])
    timeline = tuple(await list_entries(session, number))
    event = await _find_event(session, stored.emergency.name)
    earlier = [await get_plan(session, plan_id, context.safe_context) for step in steps for plan_id in step.step.earlier_plans]
    plans = [*earlier, *(step.plan for step in steps if step.plan is not None)]
    signed = await _list_signed(session, plans)
    return EmergencyDetail(stored, steps, timeline, event, _timings(stored, steps, plans, signed, timeline, event))


async def _step_detail(
    session: ReadSession | WriteSession, stored: StoredEmergency, step: EmergencyStep, context: PlanContext
) -> StepDetail:
    emergency = stored.emergency
    plan = None if step.plan_id is None else await get_plan(session, step.plan_id, context.safe_context)
    proposal = None
    if plan is not None and plan.proposal is not None:
        proposal = await get_proposal_detail(session, plan.proposal, context.safe_context)
    signers = await list_drill_signers(session, emergency, step) if emergency.is_drill else frozenset()
    request = None if emergency.is_drill else plan_of(emergency, step)
    return StepDetail(step, request, plan, proposal, tuple(sorted(signers)))


async def _find_event(session: ReadSession | WriteSession, name: str) -> RiskEvent | None:
    query = select(RiskEventRow).where(RiskEventRow.kind == RiskKind.EMERGENCY, RiskEventRow.subject == name)
    row = (await session.scalars(query.order_by(RiskEventRow.id).limit(1))).one_or_none()
    return None if row is None else to_domain(row)


async def _list_signed(session: ReadSession | WriteSession, plans: Sequence[PlanDetail]) -> list[datetime]:
    """Return when owners signed the Safe transactions of these plans."""
    hashes = [plan.proposal for plan in plans if plan.proposal is not None]
    query = select(SafeSignatureRow.signed_at).where(SafeSignatureRow.proposal.in_(hashes))
    return [as_utc(at) for at in await session.scalars(query)]


def _timings(
    stored: StoredEmergency,
    steps: Sequence[StepDetail],
    plans: Sequence[PlanDetail],
    signed_at: Sequence[datetime],
    timeline: Sequence[DatedEntry],
    event: RiskEvent | None,
) -> Timings:
    """Return the timings; `plans` are those of all attempts, and `signed_at` is when owners signed them."""
    emergency = stored.emergency
    signed = [*signed_at, *(entry.at for entry in timeline if entry.entry.kind is EntryKind.SIGNED)]
    submitted = [plan.created_at for plan in plans]
    effects = [step.step.done_at for step in steps if step.step.status is StepStatus.DONE and step.step.done_at]
    declared = [entry.at for entry in timeline if entry.entry.kind is EntryKind.STATE]
    acknowledged = [event.acknowledged.at] if event is not None and event.acknowledged is not None else []
    ended = [emergency.ended_at] if emergency.ended_at is not None else []
    since = (
        min(times) - emergency.started_at if times else None
        for times in (declared, acknowledged, submitted, signed, effects, ended)
    )
    return Timings(*since)
