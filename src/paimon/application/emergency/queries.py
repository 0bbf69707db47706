"""Read emergencies for people: each step with what waits for whom, the timeline, and how long things took."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
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
from paimon.domain.risk.emergency import EmergencyStep, EntryKind, StepStatus
from paimon.domain.risk.risk_event import RiskEvent, RiskKind
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

    `drill_signers` have signed it in a drill.
    """

    step: EmergencyStep
    request: PlanRequest
    plan: PlanDetail | None
    proposal: ProposalDetail | None
    drill_signers: tuple[Address, ...]


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


async def read_emergencies(session: ReadSession) -> list[StoredEmergency]:
    """Return the newest emergencies and drills, latest first."""
    return await list_emergencies(session, limit=EMERGENCIES_LISTED_MAX)


async def read_emergency(session: ReadSession | WriteSession, number: int, context: PlanContext) -> EmergencyDetail:
    """Raises EmergencyNotFound."""
    stored = await get_emergency(session, number)
    steps = tuple([await _step_detail(session, stored, step, context) for step in stored.emergency.steps])
    timeline = tuple(await list_entries(session, number))
    event = await _find_event(session, stored.emergency.name)
    return EmergencyDetail(stored, steps, timeline, event, _timings(stored, steps, timeline, event))


async def _step_detail(
    session: ReadSession | WriteSession, stored: StoredEmergency, step: EmergencyStep, context: PlanContext
) -> StepDetail:
    emergency = stored.emergency
    plan = None if step.plan_id is None else await get_plan(session, step.plan_id, context.safe_context)
    proposal = None
    if plan is not None and plan.proposal is not None:
        proposal = await get_proposal_detail(session, plan.proposal, context.safe_context)
    signers = await list_drill_signers(session, emergency, step) if emergency.is_drill else frozenset()
    return StepDetail(step, plan_of(emergency, step), plan, proposal, tuple(sorted(signers)))


async def _find_event(session: ReadSession | WriteSession, name: str) -> RiskEvent | None:
    query = select(RiskEventRow).where(RiskEventRow.kind == RiskKind.EMERGENCY, RiskEventRow.subject == name)
    row = (await session.scalars(query.order_by(RiskEventRow.id).limit(1))).one_or_none()
    return None if row is None else to_domain(row)


def _timings(
    stored: StoredEmergency, steps: Sequence[StepDetail], timeline: Sequence[DatedEntry], event: RiskEvent | None
) -> Timings:
    emergency = stored.emergency
    signed = [entry.at for entry in timeline if entry.entry.kind is EntryKind.SIGNED]
    signed += [one.signed_at for step in steps if step.proposal for one in step.proposal.summary.signatures]
    submitted = [step.plan.created_at for step in steps if step.plan is not None]
    effects = [step.step.done_at for step in steps if step.step.status is StepStatus.DONE and step.step.done_at]
    declared = [entry.at for entry in timeline if entry.entry.kind is EntryKind.STATE]
    acknowledged = [event.acknowledged.at] if event is not None and event.acknowledged is not None else []
    ended = [emergency.ended_at] if emergency.ended_at is not None else []
    since = (
        min(times) - emergency.started_at if times else None
        for times in (declared, acknowledged, submitted, signed, effects, ended)
    )
    return Timings(*since)
