"""Retention removes exactly the rows that are due, in every edition, and never more than the database allows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg
import pytest
from annotated_types import Ge
from redis.asyncio import Redis
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from tests.support.editions import EditionDatabase
from tests.support.factories.series_histories import (
    batches,
    hours_of,
    insert_batches,
    insert_reconciliation,
    insert_snapshots,
    kept_snapshots,
    risk_metrics,
    snapshot_observation,
)
from tests.support.redis import authenticated

from paimon.application.fund_risk.store import add_metrics
from paimon.application.monitoring.retention import apply_retention, retention_days
from paimon.application.nav.attribution import attribute_range
from paimon.application.nav.publication import publish_nav
from paimon.application.nav.ranges import RangeEnd
from paimon.domain.audit.entry import PAYLOAD_DAYS_MIN
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.gateway.fund_documents import FundDocuments
from paimon.infrastructure.database.models.base import table_of
from paimon.infrastructure.database.models.ops.event_listener import EventProcessingHourRow
from paimon.infrastructure.database.models.ops.nav import NavPointRow
from paimon.infrastructure.database.models.ops.retention import RetentionRunRow
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.timeseries.apply import SERIES, Edition
from paimon.settings import RetentionSettings

pytestmark = pytest.mark.integration

DEFAULTS: Final = RetentionSettings()
DAY: Final = timedelta(days=1)
AUDITED: Final = {f"audit_payloads_{retention.lower()}": days for retention, days in PAYLOAD_DAYS_MIN.items()}


def midnight(days: int) -> datetime:
    """Return the start of the first day that is kept. Wrong only if midnight passes during the test."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=days)


def around_limit(days: int) -> tuple[datetime, datetime]:
    """Return the last instant that is removed and the first that is kept."""
    return midnight(days) - timedelta(microseconds=1), midnight(days)


async def fill(edition_database: EditionDatabase) -> tuple[list[FundSnapshot], list[dict[str, object]]]:
    """Insert three years of every series, with rows on both sides of each limit."""
    now = datetime.now(UTC)
    taken = kept_snapshots(now, days=3 * 365, seed=6)
    logs = batches(now, days=30, count=900, seed=7)
    for row, at in zip(logs, around_limit(DEFAULTS.event_processing_logs_days), strict=False):
        row["time"] = at
    metrics = risk_metrics(now, days=200, count=400, seed=11)
    for row, at in zip(metrics, around_limit(DEFAULTS.risk_metrics_series_days), strict=False):
        row["time"] = at
    edges = (*around_limit(DEFAULTS.daily_snapshots_days), *around_limit(DEFAULTS.asset_holdings_snapshots_days))
    taken = [*taken, *moved_to(edges, taken)]
    async with edition_database.opened() as database, database.write() as session:
        await insert_snapshots(session, taken)
        await insert_batches(session, logs)
        await add_metrics(session, metrics)
    return taken, logs


def moved_to(times: Sequence[datetime], taken: Sequence[FundSnapshot]) -> list[FundSnapshot]:
    number = taken[-1].at.number
    return [
        replace(taken[-1], at=replace(taken[-1].at, number=number + place, timestamp=time))
        for place, time in enumerate(times, start=1)
    ]


async def times_of(database: Database) -> dict[str, list[datetime]]:
    async with database.read() as session:
        return {
            series.name: sorted(time.astimezone(UTC) for time in await session.scalars(select(table_of(series.model).c.time)))
            for series in SERIES
        }


async def test_retention_removes_exactly_the_rows_past_their_days(edition_database: EditionDatabase) -> None:
    edition_database.upgrade()
    _, logs = await fill(edition_database)
    async with edition_database.opened() as database:
        before = await times_of(database)
        done = {run.series: run for run in await apply_retention(database, DEFAULTS) if run.series not in AUDITED}
        after = await times_of(database)
        assert done.keys() == before.keys()
        for name, removed in done.items():
            due = [time for time in before[name] if time < removed.retention_start]
            assert due, f"{name}: the test removes nothing"
            assert (removed.rows, removed.complete) == (len(due), True), name
            assert after[name] == [time for time in before[name] if time >= removed.retention_start], name
        assert {run.rows for run in await apply_retention(database, DEFAULTS)} == {0}
        async with database.read() as session:
            runs = {row.series: row for row in await session.scalars(select(RetentionRunRow))}
            hours = {hour.astimezone(UTC) for hour in await session.scalars(select(EventProcessingHourRow.hour))}
    assert AUDITED.keys() < runs.keys()  # whose payloads are those of tests/integration/audit
    assert {name: run.rows_removed for name, run in runs.items() if name in done} == {
        name: entry.rows for name, entry in done.items()
    }
    assert hours == set(hours_of(logs))  # the sums outlive their rows


@pytest.mark.parametrize("edition_database", [Edition.FULL], indirect=True, ids=["full"])
async def test_retention_removes_compressed_rows(edition_database: EditionDatabase) -> None:
    edition_database.upgrade()
    await fill(edition_database)
    with psycopg.connect(edition_database.owner_url.replace("+psycopg", ""), autocommit=True) as connection:
        jobs = connection.execute("SELECT job_id FROM timescaledb_information.jobs WHERE proc_name = 'policy_compression'")
        for (job,) in jobs.fetchall():
            connection.execute(f"CALL public.run_job({job})")
    async with edition_database.opened() as database:
        before = await times_of(database)
        done = await apply_retention(database, DEFAULTS)
        after = await times_of(database)
    for removed in (run for run in done if run.series not in AUDITED):
        assert after[removed.series] == [time for time in before[removed.series] if time >= removed.retention_start]


async def test_retention_drops_whole_chunks_of_hypertables(edition_database: EditionDatabase) -> None:
    edition_database.upgrade()
    await fill(edition_database)
    async with edition_database.opened() as database:
        done = {run.series: run for run in await apply_retention(database, DEFAULTS)}
    if edition_database.edition is Edition.PLAIN:
        return
    with edition_database.owner() as connection:
        chunks = connection.execute(text("SELECT hypertable_name, range_end FROM timescaledb_information.chunks")).all()
    assert chunks
    assert [chunk for chunk in chunks if chunk.range_end <= done[chunk.hypertable_name].retention_start] == []


async def test_retention_run_is_bounded_and_the_next_continues(database: Database) -> None:
    """Plain tables only: there every row is deleted by itself."""
    rows = [row | {"time": row["time"] - 10 * DAY} for row in batches(datetime.now(UTC), days=1, count=50, seed=8)]
    async with database.write() as session:
        await insert_batches(session, rows)
    bounded = RetentionSettings(batch_rows_max=10, batches_max=2)
    left = 50
    for expected in (20, 20, 10):
        (removed,) = (run for run in await apply_retention(database, bounded) if run.series == "event_processing_logs")
        left -= expected
        assert (removed.rows, removed.complete) == (expected, left == 0)
        assert len((await times_of(database))["event_processing_logs"]) == left
    async with database.read() as session:
        run = await session.get(RetentionRunRow, "event_processing_logs")
    assert run is not None
    assert (run.rows_removed, run.complete) == (50, True)


async def test_official_nav_and_its_attribution_outlive_the_series(edition_database: EditionDatabase, redis_url: str) -> None:
    edition_database.upgrade()
    first, *_, last = taken = kept_snapshots(datetime.now(UTC) - 3 * 365 * DAY, days=5, seed=9)
    async with edition_database.opened() as database, Redis.from_url(redis_url) as redis:
        async with database.write() as session:
            await insert_snapshots(session, taken)
            insert_reconciliation(session, last)
            session.add_all(snapshot_observation(snapshot) for snapshot in taken[:-1])
        await publish_nav(database, FundDocuments(database, authenticated(redis)))
        first_end, last_end = RangeEnd(first.at.number), RangeEnd(last.at.number)
        attribution = await attribute_range(database, first_end, last_end, steps_max=100)
        await apply_retention(database, DEFAULTS)
        assert (await times_of(database))["daily_snapshots"] == []
        assert await attribute_range(database, first_end, last_end, steps_max=100) == attribution
        async with database.read() as session:
            assert set(await session.scalars(select(NavPointRow.block_number))) == {snapshot.at.number for snapshot in taken}


async def refusal(database: Database, statement: str) -> psycopg.Error:
    with pytest.raises(DBAPIError) as refused:
        async with database.write() as session:
            await session.execute(text(statement))
    assert isinstance(refused.value.orig, psycopg.Error)
    return refused.value.orig


LEAST: Final = {
    "daily_snapshots": 90,
    "asset_holdings_snapshots": 30,
    "event_processing_logs": 1,
    "risk_metrics_series": 30,
}


async def test_retention_role_cannot_remove_rows_younger_than_allowed(edition_database: EditionDatabase) -> None:
    edition_database.upgrade()
    denied = psycopg.errors.InsufficientPrivilege
    async with edition_database.opened("paimon_retention") as database:
        for series in SERIES:
            for statement in (f"DELETE FROM {series.table}", f"TRUNCATE {series.table}", f"DROP TABLE {series.table}"):
                assert isinstance(await refusal(database, statement), denied), statement
            least = LEAST[series.name]
            too_young = f"SELECT ops.remove_expired('{series.name}', now() - interval '{least} days' + interval '1 s', 1)"
            error = await refusal(database, too_young)
            assert isinstance(error, denied)
            assert f"{series.name} is kept for {least} days at least" in str(error)
            async with database.write() as session:
                old_enough = f"SELECT ops.remove_expired('{series.name}', now() - interval '{least} days', 1)"
                assert (await session.execute(text(old_enough))).scalar_one() == 0
            if edition_database.edition is not Edition.PLAIN:
                drop = f"SELECT public.drop_chunks('{series.table}', older_than => now() - interval '9 years')"
                assert isinstance(await refusal(database, drop), denied)
        for unknown in ("nav_points", "derived.daily_snapshots", "observations"):
            error = await refusal(database, f"SELECT ops.remove_expired('{unknown}', now() - interval '9 years', 1)")
            assert f"no time series is called {unknown}" in str(error)
        error = await refusal(database, "SELECT ops.remove_expired('daily_snapshots', NULL, 1)")
        assert isinstance(error, denied)
        error = await refusal(database, "SELECT ops.remove_expired('daily_snapshots', now() - interval '9 years', 0)")
        assert "rows_max must be at least 1" in str(error)


def test_settings_allow_no_shorter_retention_than_the_database() -> None:
    assert LEAST.keys() == {series.name for series in SERIES}
    assert retention_days(DEFAULTS).keys() == LEAST.keys() | AUDITED.keys()
    for series, least in (LEAST | AUDITED).items():
        bounds = RetentionSettings.model_fields[f"{series.replace('_payloads', '')}_days"].metadata
        assert [bound.ge for bound in bounds if isinstance(bound, Ge)] == [least]
