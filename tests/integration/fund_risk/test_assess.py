"""Assessments of recorded states: what they read, what they store, and the risk events they open and close."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest
from sqlalchemy import delete, func, select, text
from tests.support.factories.risk_states import holding
from tests.support.factories.rows import insert_row
from tests.support.factories.series_histories import snapshot_observation
from tests.support.factories.snapshots import snapshot, stamp
from tests.support.factories.strategies import address

from paimon.application.fund_risk.assess import assess_risk
from paimon.application.fund_risk.history import HistoryInterval, dry_run, read_indicator_history, read_status
from paimon.application.fund_risk.promises import read_promises
from paimon.application.fund_risk.queries import load_risk_state
from paimon.application.fund_risk.store import OVERALL_LEVEL, find_assessment
from paimon.application.monitoring.queries import query_figures
from paimon.application.nav.series import fund_row
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.kernel.units import WAD, RawAmount
from paimon.domain.redemption.request import RedemptionStatus
from paimon.domain.risk.assessment import Assessment
from paimon.domain.risk.fund_risk_state import SendingRecord
from paimon.domain.risk.risk_event import RiskKind, RiskStatus, Severity
from paimon.domain.risk.risk_policy import IndicatorName, RiskLevel, RiskPolicy
from paimon.domain.transaction.lifecycle import IntentStatus
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.infrastructure.database import migrate
from paimon.infrastructure.database.models.derived import BlockRow, CursorRow, RedemptionRequestRow
from paimon.infrastructure.database.models.derived.snapshot import DailySnapshotRow
from paimon.infrastructure.database.models.derived.vault import DepositRow
from paimon.infrastructure.database.models.ops.fund_risk import RiskMetricHourRow, RiskMetricRow, RiskPolicyRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow, WalletRow
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.sessions import Database, create_engine
from paimon_devkit.stack.embedded_postgres import ROLE_PREFIX, EmbeddedPostgres

pytestmark = pytest.mark.integration

POLICY: Final = RiskPolicy()
SCOPE: Final = SigningScope(31337, address(1))
MILLION: Final = 10**6 * WAD
MINUTE: Final = 60


def fund_at(seconds: int, *, l1_percent: int = 11) -> FundSnapshot:
    """Build a fund of a million at a block of its own: this part of it in cash, 31 % in L2. No asset is large."""
    part = MILLION // 100
    l2 = [holding(number, Tier.L2, 31 * part // 2) for number in (1, 2)]
    l3 = [holding(number, Tier.L3, (69 - l1_percent) * part // 4) for number in (3, 4, 5, 6)]
    return snapshot(at=stamp(1_000 + seconds, seconds=seconds), cash=RawAmount(l1_percent * part), assets=(*l2, *l3))


async def record(database: Database, *funds: FundSnapshot) -> None:
    """Record kept snapshots with their blocks; the last one's block is the cursor."""
    async with database.write() as session:
        for fund in funds:
            at = fund.at
            block = {"number": at.number, "hash": at.hash, "parent_hash": at.hash, "previous_kept_number": 0}
            await insert_row(session, BlockRow, **block, timestamp=at.timestamp)
            session.add(snapshot_observation(fund))
            await session.execute(DailySnapshotRow.__table__.insert().values(fund_row(fund)))  # type: ignore[attr-defined]
        await session.execute(delete(CursorRow))
        last = funds[-1].at
        await insert_row(session, CursorRow, number=last.number, hash=last.hash, timestamp=last.timestamp)


async def assess_at(database: Database, seconds: int, *, l1_percent: int = 11) -> Assessment | None:
    await record(database, fund_at(seconds, l1_percent=l1_percent))
    return await assess_risk(database, POLICY, SCOPE)


async def events(database: Database, kind: RiskKind) -> Sequence[RiskEventRow]:
    async with database.read() as session:
        return (await session.scalars(select(RiskEventRow).where(RiskEventRow.kind == kind).order_by(RiskEventRow.id))).all()


async def count(database: Database, table: Any) -> int:
    async with database.read() as session:
        return int((await session.execute(select(func.count()).select_from(table))).scalar_one())


async def test_nothing_is_assessed_before_the_first_snapshot(database: Database) -> None:
    assert await assess_risk(database, POLICY, SCOPE) is None


async def test_assessment_is_stored_as_it_was_made(database: Database) -> None:
    made = await assess_at(database, 0)
    assert made is not None
    async with database.read() as session:
        stored = await find_assessment(session)
        policy = (await session.scalars(select(RiskPolicyRow))).one()
        series = (await session.scalars(select(RiskMetricRow))).all()
    assert stored is not None
    assert (stored.block_number, stored.level, stored.score) == (made.at.number, made.level, made.score)
    assert stored.measurements == made.measurements
    assert (policy.version, policy.content) == (POLICY.version, POLICY.document)
    values = {row.indicator: row.value for row in series}
    assert values[IndicatorName.L1_RATIO] == Decimal("0.11")
    assert values[IndicatorName.REDEMPTION_COVERAGE] == Decimal("Infinity")
    assert IndicatorName.LIQUIDITY_GAP_7D not in values
    assert {(row.time, row.block_number, row.threshold_version) for row in series} == {
        (made.at.timestamp, made.at.number, POLICY.version)
    }


async def test_worker_assesses_and_others_read_with_their_own_rights(
    database: Database, postgres: EmbeddedPostgres, database_name: str, owner_url: str
) -> None:
    migrate.grant_roles(owner_url)
    await record(database, fund_at(0, l1_percent=7))

    def opened(role: DatabaseRole) -> Database:
        url = postgres.url(role.server_name(ROLE_PREFIX), database_name)
        return Database(create_engine(url, pool_size=2, connect_timeout_seconds=5, application_name="tests"))

    worker = opened(DatabaseRole.WORKER)
    try:
        assert await assess_risk(worker, POLICY, SCOPE) is not None
    finally:
        await worker.close()
    for role in (DatabaseRole.API, DatabaseRole.CLI):
        reader = opened(role)
        try:
            async with reader.read() as session:
                assert (await read_status(session)).assessment.block_number == 1_000
                assert await read_promises(session, POLICY, SCOPE)
                for interval in HistoryInterval:
                    assert await read_indicator_history(
                        session, "l1_ratio", first_day=None, last_day=None, interval=interval, points_max=10
                    )
                assert await dry_run(session, POLICY, {}, now=stamp(1).timestamp)
        finally:
            await reader.close()


async def test_second_assessment_of_a_block_changes_nothing(database: Database) -> None:
    await assess_at(database, 0, l1_percent=9)
    rows = await count(database, RiskMetricRow)
    assert await assess_risk(database, POLICY, SCOPE) is None
    assert await count(database, RiskMetricRow) == rows
    assert len(await events(database, RiskKind.INDICATOR_BREACH)) == 2  # l1_ratio and the unknown counterparty


async def test_workers_at_the_same_time_assess_a_block_once(database: Database) -> None:
    await record(database, fund_at(0, l1_percent=7))
    made = await asyncio.gather(*(assess_risk(database, POLICY, SCOPE) for _ in range(4)))
    assert len([one for one in made if one is not None]) == 1
    async with database.read() as session:
        assert set(await session.scalars(select(RiskMetricHourRow.samples))) == {1}


async def test_snapshot_of_a_removed_block_is_not_assessed(database: Database) -> None:
    await record(database, fund_at(0))
    async with database.write() as session:
        await session.execute(delete(BlockRow))
        await session.execute(delete(CursorRow))
    assert await assess_risk(database, POLICY, SCOPE) is None
    assert await count(database, RiskMetricRow) == 0


async def test_level_rises_when_confirmed_and_settles_again(database: Database) -> None:
    steps = [(0, 11), (1, 7), (2, 7), (3, 11), (10, 11), (18, 11)]
    levels = []
    for minute, l1_percent in steps:
        made = await assess_at(database, minute * MINUTE, l1_percent=l1_percent)
        assert made is not None
        levels.append(made.level.level)
    assert levels == [*(RiskLevel.NORMAL, RiskLevel.NORMAL, RiskLevel.HIGH, RiskLevel.HIGH, RiskLevel.HIGH, RiskLevel.NORMAL)]
    (event,) = await events(database, RiskKind.RISK_LEVEL)
    assert (event.subject, event.severity, event.status) == ("level HIGH", Severity.CRITICAL, RiskStatus.RESOLVED)
    assert (event.first_seen_block, event.resolved_block) == (1_000 + 2 * MINUTE, 1_000 + 18 * MINUTE)
    async with database.read() as session:
        query = select(RiskMetricRow.value).where(RiskMetricRow.indicator == OVERALL_LEVEL).order_by(RiskMetricRow.time)
        assert list(await session.scalars(query)) == [1, 1, 3, 3, 3, 1]


async def test_breach_is_one_event_that_is_updated_and_ends_by_itself(database: Database) -> None:
    for minute, l1_percent in ((0, 9), (1, 8), (2, 7), (3, 9)):
        await assess_at(database, minute * MINUTE, l1_percent=l1_percent)
    (event,) = [row for row in await events(database, RiskKind.INDICATOR_BREACH) if row.subject == IndicatorName.L1_RATIO]
    assert (event.status, event.severity, event.observed) == (RiskStatus.OPEN, Severity.WARNING, "0.09")
    assert event.expected == f"at least 0.1; critical below 0.08 (policy {POLICY.version})"
    assert (event.first_seen_block, event.last_seen_block) == (1_000, 1_000 + 3 * MINUTE)
    await assess_at(database, 4 * MINUTE, l1_percent=10)
    await assess_at(database, 5 * MINUTE, l1_percent=9)
    rows = [row for row in await events(database, RiskKind.INDICATOR_BREACH) if row.subject == IndicatorName.L1_RATIO]
    assert [(row.status, row.resolved_block) for row in rows] == [
        (RiskStatus.RESOLVED, 1_000 + 4 * MINUTE),
        (RiskStatus.OPEN, None),
    ]


async def test_people_are_alerted_once_and_again_when_it_becomes_critical(database: Database) -> None:
    await assess_at(database, 0)
    before = await count(database, OutboxMessageRow)
    alerts = []
    for minute, l1_percent in ((1, 9), (2, 9), (3, 9), (4, 7)):
        await assess_at(database, minute * MINUTE, l1_percent=l1_percent)
        alerts.append(await count(database, OutboxMessageRow) - before)
    # The breach; the level ELEVATED, confirmed; nothing; the breach is critical now, and L1 + L2 are below 40 % too. The level
    # HIGH is not confirmed yet.
    assert alerts == [1, 2, 2, 4]


async def test_breach_of_the_fund_is_no_fault_of_the_system(database: Database) -> None:
    await assess_at(database, 0, l1_percent=7)
    async with database.read() as session:
        figures = await query_figures(session)
    assert figures.risk[Severity.CRITICAL] == 1
    assert not any(figures.system_risk.values())


async def test_breach_stays_open_while_its_indicator_is_not_measured(database: Database) -> None:
    await assess_at(database, 0, l1_percent=7)
    empty = snapshot(at=stamp(2_000, seconds=MINUTE), cash=RawAmount(0), total_supply=RawAmount(0))
    await record(database, empty)
    assert await assess_risk(database, POLICY, SCOPE) is not None
    breaches = await events(database, RiskKind.INDICATOR_BREACH)
    assert RiskStatus.OPEN in {row.status for row in breaches if row.subject == IndicatorName.L1_RATIO}


async def test_clock_assesses_each_minute_above_normal_and_every_five_at_normal(database: Database) -> None:
    async def scheduled(minute: int, l1_percent: int) -> bool:
        await record(database, fund_at(minute * MINUTE, l1_percent=l1_percent))
        return await assess_risk(database, POLICY, SCOPE, only_if_due=True) is not None

    calm = [await scheduled(minute, 11) for minute in range(6)]
    assert calm == [True, False, False, False, False, True]
    await assess_at(database, 6 * MINUTE, l1_percent=7)  # an event: the level is indicated, not confirmed
    assert [await scheduled(minute, 7) for minute in (7, 8, 9)] == [True, True, True]


async def test_state_is_read_as_of_the_snapshots_block(database: Database) -> None:
    opening, middle, now = fund_at(0), fund_at(MINUTE), fund_at(13 * 3_600)  # 01:00 of the next day
    await record(database, replace(opening, cash=RawAmount(opening.cash + MILLION)), middle, now)
    at = now.at.timestamp

    async def request(number: int, at_: datetime, amount: int, **changes: Any) -> None:
        async with database.write() as session:
            await insert_row(session, RedemptionRequestRow, request_id=number, requested_at=at_, gross_amount=amount, **changes)

    await request(1, at - timedelta(minutes=30), 1, settlement_at=at + timedelta(days=7))
    await request(2, at - timedelta(hours=2), 10, settlement_at=None, requires_approval=True, status="PENDING_APPROVAL")
    closed = {"status": RedemptionStatus.CANCELLED, "closed_at": at - timedelta(hours=20)}
    await request(3, at - timedelta(hours=30), 100, **closed)
    await request(4, at - timedelta(days=8), 1_000, status=RedemptionStatus.CANCELLED, closed_at=at + timedelta(seconds=1))
    await request(5, at + timedelta(seconds=1), 10_000)
    await request(6, at - timedelta(days=14), 100_000, **closed)
    async with database.write() as session:
        await insert_row(session, DepositRow, at=at - timedelta(hours=2), assets=7)
        state = await load_risk_state(session, now, SCOPE, now=at, system_health=1)
    assert [(one.amount, one.awaits_approval) for one in state.open_requests] == [(1, False), (10, True), (1_000, False)]
    assert (state.utc_day.requested, state.last_24_hours.requested) == (1, 11)
    assert (state.utc_day.deposited, state.last_24_hours.deposited) == (0, 7)
    assert (state.requested_7_days, state.requested_7_days_before) == (111, 1_000)
    assert (state.utc_day.opening_net_assets, state.last_24_hours.opening_net_assets) == (MILLION, 2 * MILLION)
    assert (state.recorded_since, state.system_health) == (opening.at.timestamp, 1)


async def test_failed_transactions_are_counted_until_one_succeeds(database: Database) -> None:
    await record(database, fund_at(0))
    ended = [IntentStatus.FAILED, IntentStatus.FINAL, IntentStatus.REVERTED, IntentStatus.CANCELLED, IntentStatus.FAILED]
    async with database.write() as session:
        await insert_row(session, WalletRow)
        now: datetime = (await session.execute(text("SELECT now()"))).scalar_one()
        for number, status in enumerate(ended, start=1):
            closed_at = now - timedelta(hours=10 - number)
            key = {"id": str(number) * 8 + "-0000-0000-0000-000000000000", "idempotency_key": f"k{number}"}
            await insert_row(session, IntentRow, **key, status=status, closed_at=closed_at, subject_id=str(number))
        old = {"id": "99999999-0000-0000-0000-000000000000", "idempotency_key": "old", "subject_id": "9"}
        await insert_row(session, IntentRow, **old, status=IntentStatus.FAILED, closed_at=now - timedelta(hours=25))
        state = await load_risk_state(session, fund_at(0), SCOPE, now=now, system_health=None)
    assert state.sending == SendingRecord(final_sends=4, final_failures=3, failed_in_a_row=2)
