"""The table of decisions: what it refuses, what never changes, and `paimon rebalance history | replay` on it."""

import asyncio
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from tests.support.cli_processes import CliRunner, environment_of
from tests.support.database_roles import WITHOUT_TRIGGERS
from tests.support.factories.rebalance import decided_record, executed_record

from paimon.application.rebalance_engine.queries import get_rebalance
from paimon.application.rebalance_engine.report_deviation import report_deviation
from paimon.application.rebalance_engine.store import close, insert_record
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import Bps, RawAmount
from paimon.domain.rebalance.rebalance_record import ENDS_FROM, RebalanceRecord, RebalanceStatus
from paimon.domain.risk.risk_event import RiskKind
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.settings import Settings

pytestmark = pytest.mark.integration

ID: Final = UUID("00000000-0000-4000-8000-000000000001")
UPDATE: Final = "UPDATE ops.rebalance_history SET "


async def insert(session: WriteSession) -> RebalanceRecord:
    record = decided_record(await database_now(session))
    await insert_record(session, record)
    return record


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("trigger = 'whim'", "trigger_known"),
        ("status = 'DONE', closed_at = now(), close_reason = 'ended'", "status_known"),
        ("block_hash = '\\x07'", "block_hash_length"),
        ("requested_by = '\\x07'", "requested_by_length"),
        ("closed_at = now(), close_reason = 'ended'", "closed_when_ended"),
        ("status = 'REFUSED', closed_at = now()", "closed_with_reason"),
        ("status = 'SUBMITTED'", "plan_when_submitted"),
        ("status = 'EXECUTED', plan_id = id, closed_at = now(), close_reason = 'its plan is DONE'", "outcome_when_executed"),
    ],
)
async def test_wrong_row_is_refused(database: Database, change: str, constraint: str) -> None:
    async with database.write() as session:
        await session.execute(WITHOUT_TRIGGERS)
        await insert(session)
        with pytest.raises(IntegrityError, match=f"ck_rebalance_history_{constraint}"):
            async with session.begin_nested():
                await session.execute(text(UPDATE + change))


async def test_inputs_and_ended_decisions_never_change(database: Database) -> None:
    async with database.write() as session:
        await insert(session)
    for change in ("inputs = '{}'", "result = '{}'", "created_at = now()"):
        await require_refused(database, UPDATE + change)
    async with database.write() as session:
        await close(session, ID, RebalanceStatus.SUPERSEDED, "another was submitted first", now=await database_now(session))
    await require_refused(database, UPDATE + "close_reason = 'it was wrong'")
    await require_refused(database, "DELETE FROM ops.rebalance_history")


@pytest.mark.parametrize("status", ENDS_FROM)
@pytest.mark.parametrize("plan_id", [None, UUID(int=1)])
async def test_decision_ends_only_in_a_way_that_its_plan_allows(
    database: Database, status: RebalanceStatus, plan_id: UUID | None
) -> None:
    stands = RebalanceStatus.PROPOSED if plan_id is None else RebalanceStatus.SUBMITTED
    has_outcome = status in (RebalanceStatus.EXECUTED, RebalanceStatus.PARTIALLY_EXECUTED)
    async with database.write() as session:
        now = await database_now(session)
        await session.execute(WITHOUT_TRIGGERS)
        await insert_record(session, decided_record(now, status=stands, plan_id=plan_id))
        await close(session, ID, status, "it ended", now=now, outcome=executed_record(now).outcome if has_outcome else None)
    async with database.read() as session:
        found = await get_rebalance(session, ID)
    assert found.status is (status if ENDS_FROM[status] is stands else stands)


@pytest.mark.parametrize(
    ("changes", "observed"),
    [
        ({}, None),
        ({"differences": {Tier.L1: Bps(-140), Tier.L2: Bps(100), Tier.L3: Bps(0)}}, "L1 -1.40 % of the fund off"),
        ({"traded": RawAmount(1_000), "planned_cost": RawAmount(2), "cost": 40}, "cost 3.80 % of what was traded above"),
    ],
)
async def test_result_that_is_not_as_planned_is_one_risk_event(
    database: Database, worker_database: Database, changes: dict[str, Any], observed: str | None
) -> None:
    async with database.write() as session:
        record = executed_record(await database_now(session))
        assert record.outcome is not None
        await session.execute(WITHOUT_TRIGGERS)
        await insert_record(session, replace(record, status=RebalanceStatus.SUBMITTED, closed_at=None, close_reason=None))
        outcome = replace(record.outcome, **changes)
        await close(session, ID, RebalanceStatus.EXECUTED, "its plan is DONE", now=record.created_at, outcome=outcome)
    for _ in range(2):
        async with worker_database.write() as session:
            await report_deviation(session, await get_rebalance(session, ID))
    async with database.read() as session:
        events = list(await session.scalars(select(RiskEventRow)))
    assert [(event.kind, event.subject) for event in events] == (
        [] if observed is None else [(RiskKind.REBALANCE_DEVIATION, f"rebalance {ID}")]
    )
    assert all(observed in event.observed for event in events if observed is not None)


async def require_refused(database: Database, statement: str) -> None:
    with pytest.raises(DBAPIError, match=r"evidence|never|keeps|no row"):
        async with database.write() as session:
            await session.execute(text(statement))


async def test_replay_gives_the_same_bytes_and_names_a_difference(
    cli: CliRunner, settings: Settings, database: Database
) -> None:
    async with database.write() as session:
        record = await insert(session)
    listed = await run(cli, settings, "history")
    assert f"{ID}" in listed
    assert "l1_above, 2800 is above 1500" in listed
    assert f"byte for byte: {len(record.result_text)} bytes" in await run(cli, settings, "replay", str(ID))
    changed = record.result_text.replace('"benefit":', '"benefit":1')
    async with database.write() as session:
        await session.execute(WITHOUT_TRIGGERS)
        await session.execute(text(UPDATE + "result = :result"), {"result": changed})
    assert "the stored inputs give another plan now" in await run(cli, settings, "replay", str(ID), code=1)
    assert "there is no rebalance" in await run(cli, settings, "replay", str(UUID(int=9)), code=2)


async def run(cli: CliRunner, settings: Settings, *arguments: Any, code: int = 0) -> str:
    process = cli.start("rebalance", *arguments, env=environment_of(settings))
    assert await asyncio.to_thread(process.wait) == code, process.output_text
    return process.output_text
