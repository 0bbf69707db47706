"""Crash the worker wherever it waits while it declares and advances an emergency: the next look finishes it, once."""

import os
import random
from collections.abc import AsyncIterator, Callable
from typing import Final

import pytest
from sqlalchemy import select, text
from tests.support.database_roles import WITHOUT_TRIGGERS, context_of
from tests.support.factories.emergencies import record_level
from tests.support.faults.crash_points import source_wait_points
from tests.support.scenarios.forked_workflows import WorkflowForker, WorkflowOrder, workflow_forker

from paimon.application.emergency.advance import EMERGENCY, advance_emergency
from paimon.application.emergency.store import list_emergencies, list_entries
from paimon.composition import AppContext
from paimon.domain.risk.emergency import EmergencyState
from paimon.domain.risk.risk_event import RiskKind
from paimon.domain.risk.risk_policy import RiskLevel
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings

pytestmark = pytest.mark.fault

LONG: Final = os.environ.get("PAIMON_LONG_FAULTS") == "1"
SEED: Final = int(os.environ.get("PAIMON_FAULT_SEED", "7"))
CRASHES: Final = 12
"""Crash points in the short form."""


@pytest.fixture
async def forker() -> AsyncIterator[WorkflowForker]:
    async with workflow_forker() as opened:
        yield opened


async def forget_emergencies(database: Database) -> None:
    async with database.write() as session:
        await session.execute(WITHOUT_TRIGGERS)
        for table in ("emergency_timeline", "emergencies", "risk_events", "outbox"):
            await session.execute(text(f"DELETE FROM ops.{table}"))


async def what_happened(database: Database) -> tuple[object, ...]:
    """Return the emergencies with their timelines, risk events and messages to watchers, without ids and times."""
    async with database.read() as session:
        (found,) = await list_emergencies(session, limit=10)
        entries = [dated.entry for dated in await list_entries(session, found.emergency.id)]
        events = [
            row.severity for row in await session.scalars(select(RiskEventRow).where(RiskEventRow.kind == RiskKind.EMERGENCY))
        ]
        messages = (await session.scalars(select(OutboxMessageRow.kind).order_by(OutboxMessageRow.kind))).all()
    emergency = found.emergency
    steps = [(step.kind, step.status, step.attempt) for step in emergency.steps]
    return emergency.state, tuple(steps), tuple(entries), tuple(events), tuple(messages)


async def test_crash_at_any_wait_repeats_no_effect(
    database: Database, app_context: AppContext, settings: Settings, forker: WorkflowForker, figures: Callable[[str], None]
) -> None:
    assert await record_level(database, RiskLevel.CRITICAL, 0) is RiskLevel.CRITICAL
    order = WorkflowOrder("advance_emergency", settings, None)
    await forget_emergencies(database)
    points = (await forker.run(order)).points
    undisturbed = await what_happened(database)
    assert undisturbed[0] is EmergencyState.CONTAINING
    assert undisturbed[-1] == (EMERGENCY, EMERGENCY, "risk_event")
    in_source = set(source_wait_points("application/emergency"))
    assert {wait for point in points for wait in point} & in_source, "the points are those of the protocol"
    numbers = range(1, len(points) + 1)
    killed = 0
    for crash_at in numbers if LONG else random.Random(SEED).sample(numbers, CRASHES):
        await forget_emergencies(database)
        killed += (await forker.run(WorkflowOrder("advance_emergency", settings, None, crash_at))).killed
        async with context_of(DatabaseRole.WORKER, app_context) as successor:
            await advance_emergency(successor.emergency_context)
        assert await what_happened(database) == undisturbed, f"killed at point {crash_at} of {len(points)}"
    assert killed >= CRASHES // 2
    figures(f"advance_emergency: {len(points)} points at which it waits, killed at {killed}, seed {SEED}")
