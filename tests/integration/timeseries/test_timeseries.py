"""The time series in plain tables and in both editions of TimescaleDB give the same answers."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import orjson
import psycopg
import pytest
from alembic import command
from redis.asyncio import Redis
from sqlalchemy import Connection, func, select, text
from tests.support.database_roles import let_app_role_write_everything
from tests.support.editions import EditionDatabase
from tests.support.factories.series_histories import (
    batches,
    hours_of,
    hours_of_metrics,
    insert_batches,
    insert_reconciliation,
    insert_snapshots,
    kept_snapshots,
    last_of_each,
    risk_metrics,
)
from tests.support.redis import authenticated

from paimon.application.event_listener.record.queries import read_recent_processing
from paimon.application.fund_risk.store import add_metrics
from paimon.application.nav.history import HistoryQuery, Interval
from paimon.application.nav.publication import publish_nav
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.gateway.fund_documents import FundDocuments
from paimon.infrastructure.database import migrate
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.derived.snapshot import DailySnapshotRow
from paimon.infrastructure.database.models.ops.event_listener import EventProcessingHourRow
from paimon.infrastructure.database.models.ops.fund_risk import RiskMetricHourRow
from paimon.infrastructure.database.rights.apply import apply_rights
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.timeseries.apply import SERIES, Edition, find_edition
from paimon.settings import RetentionSettings
from paimon_devkit.stack.embedded_postgres import ROLE_PREFIX

pytestmark = pytest.mark.integration

NOW: Final = datetime(2026, 6, 15, 12, 30, tzinfo=UTC)
ANY_NUMBER: Final = 10_000

_HYPERTABLES: Final = text("SELECT hypertable_name, compression_enabled FROM timescaledb_information.hypertables")
_POLICIES: Final = text("SELECT job_id, hypertable_name, config FROM timescaledb_information.jobs WHERE job_id >= 1000")
_CHUNKS: Final = text("""
    SELECT range_end, is_compressed FROM timescaledb_information.chunks WHERE hypertable_name = 'daily_snapshots'
""")


def hypertables(connection: Connection) -> dict[str, bool]:
    return {row.hypertable_name: row.compression_enabled for row in connection.execute(_HYPERTABLES)}


def policies(connection: Connection) -> list[Any]:
    return [tuple(row) for row in connection.execute(_POLICIES) if row.hypertable_name is not None]


PROMISED: Final[dict[Edition, dict[str, bool]]] = {
    Edition.APACHE: {series.name: False for series in SERIES},
    Edition.FULL: {series.name: series.compress_order is not None for series in SERIES},
}


async def test_upgrade_applies_the_editions_features_and_repeats_without_change(
    edition_database: EditionDatabase,
) -> None:
    edition_database.upgrade()
    assert migrate.drift(edition_database.owner_url) == []
    async with edition_database.opened() as database, database.read() as session:
        assert await find_edition(session) is edition_database.edition
    if edition_database.edition is Edition.PLAIN:
        return
    with edition_database.owner() as connection:
        assert hypertables(connection) == PROMISED[edition_database.edition]
        before = policies(connection)
    assert [name for _, name, _ in before] == (["daily_snapshots"] if edition_database.edition is Edition.FULL else [])
    edition_database.upgrade()
    assert migrate.drift(edition_database.owner_url) == []
    with edition_database.owner() as connection:
        assert (hypertables(connection), policies(connection)) == (PROMISED[edition_database.edition], before)


async def tell_history(edition_database: EditionDatabase, redis: Redis, *, until: datetime = NOW) -> list[FundSnapshot]:
    """Insert and publish three years of snapshots."""
    taken = kept_snapshots(until, days=3 * 365, seed=1)
    async with edition_database.opened() as database:
        async with database.write() as session:
            await insert_snapshots(session, taken)
            insert_reconciliation(session, taken[-1])
        await publish_nav(database, FundDocuments(database, authenticated(redis)))
    return taken


async def nav_points(database: Database, redis: Redis, interval: Interval) -> list[Any]:
    await redis.flushall()
    query = HistoryQuery(date(2000, 1, 1), None, interval)
    documents = FundDocuments(database, authenticated(redis))
    found: list[Any] = orjson.loads(await documents.read_history(query, points_max=ANY_NUMBER))["points"]
    return found


def nav_fields(taken: FundSnapshot, *, with_contract: bool = True) -> tuple[Any, ...]:
    contract = {"sharePrice": str(taken.contract.share_price), "totalAssets": str(taken.contract.total_assets)}
    return (taken.at.number, str(taken.nav_per_share), str(taken.net_assets), contract if with_contract else None)


async def require_right_histories(edition_database: EditionDatabase, redis: Redis, taken: list[FundSnapshot]) -> None:
    async with edition_database.opened() as database:
        for interval in Interval:
            points = await nav_points(database, redis, interval)
            found = [(point["blockNumber"], point["sharePrice"], point["totalAssets"], point["contract"]) for point in points]
            assert found == [nav_fields(snapshot) for snapshot in last_of_each(taken, interval)], interval


async def test_nav_history_is_the_last_point_of_each_bucket_in_every_edition(
    edition_database: EditionDatabase, redis_url: str
) -> None:
    edition_database.upgrade()
    async with Redis.from_url(redis_url) as redis:
        await require_right_histories(edition_database, redis, await tell_history(edition_database, redis))


async def test_extension_installed_later_keeps_existing_rows(edition_database: EditionDatabase, redis_url: str) -> None:
    """Migrate without the extension first, as on a server that did not have it then."""
    with edition_database.owner() as connection:
        command.upgrade(migrate._config(connection), "head")
        apply_rights(connection, prefix=ROLE_PREFIX)
    let_app_role_write_everything(edition_database.owner_url)
    async with Redis.from_url(redis_url) as redis:
        taken = await tell_history(edition_database, redis)
        edition_database.upgrade()
        if edition_database.edition is not Edition.PLAIN:
            with edition_database.owner() as connection:
                assert hypertables(connection) == PROMISED[edition_database.edition]
        assert migrate.drift(edition_database.owner_url) == []
        await require_right_histories(edition_database, redis, taken)


async def test_hourly_sums_equal_their_batches_in_any_order(edition_database: EditionDatabase) -> None:
    edition_database.upgrade()
    rows = batches(NOW, days=20, count=1_500, seed=2)
    late = [row | {"time": row["time"] - timedelta(days=400)} for row in batches(NOW, days=20, count=50, seed=3)]
    async with edition_database.opened() as database:
        for some in (rows[:700], rows[700:], rows[300:900], late):  # the third comes twice
            async with database.write() as session:
                await insert_batches(session, some)
        async with database.read() as session:
            hours = (await session.scalars(select(EventProcessingHourRow))).all()
    found = {
        row.hour.astimezone(UTC): {
            column.name: getattr(row, column.name)
            for column in EventProcessingHourRow.__table__.columns
            if column.name != "hour"
        }
        for row in hours
    }
    assert found == hours_of([*rows, *late])


async def test_hours_of_risk_indicators_equal_their_values_in_any_order(edition_database: EditionDatabase) -> None:
    edition_database.upgrade()
    rows = risk_metrics(NOW, days=10, count=600, seed=12)
    async with edition_database.opened() as database:
        for some in (rows[:300], rows[300:], rows[100:400]):  # the third comes twice
            async with database.write() as session:
                await add_metrics(session, some)
        async with database.read() as session:
            hours = (await session.scalars(select(RiskMetricHourRow))).all()
    names = ("samples", "minimum", "maximum", "total", "last_value", "last_at")
    found = {(row.hour.astimezone(UTC), row.indicator): {name: getattr(row, name) for name in names} for row in hours}
    assert found == hours_of_metrics(rows)


async def test_recent_processing_counts_by_the_databases_clock(edition_database: EditionDatabase) -> None:
    edition_database.upgrade()
    span = timedelta(hours=1)
    async with edition_database.opened() as database:
        async with database.write() as session:
            now = await database_now(session)
            within = [row | {"time": now} for row in batches(now, days=1, count=10, seed=4)]
            before = [row | {"time": row["time"] - 2 * span} for row in batches(now, days=1, count=10, seed=5)]
            await insert_batches(session, [*within, *before])
        async with database.read() as session:
            lately = await read_recent_processing(session, span)
    (hour,) = hours_of(within).values()
    assert (lately.batches, lately.blocks, lately.logs) == (hour["batches"], hour["blocks"], hour["logs"])
    assert lately.lag_blocks_max == hour["lag_blocks_max"]
    assert lately.record_ms_mean == pytest.approx(hour["record_us"] / 10 / 1000)


FULL_ONLY: Final = pytest.mark.parametrize("edition_database", [Edition.FULL], indirect=True, ids=["full"])


def run_policy(edition_database: EditionDatabase) -> None:
    """Run the policy as the extension's scheduler does, which this build of the full edition lacks."""
    with edition_database.owner() as connection:
        ((job, _, _),) = policies(connection)
    with psycopg.connect(edition_database.owner_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CALL public.run_job({job})")  # commits chunk by chunk


@FULL_ONLY
async def test_old_snapshots_are_compressed_and_read_as_before(edition_database: EditionDatabase, redis_url: str) -> None:
    edition_database.upgrade()
    async with Redis.from_url(redis_url) as redis:
        taken = await tell_history(edition_database, redis, until=datetime.now(UTC))
        due_before = datetime.now(UTC) - timedelta(days=30)
        run_policy(edition_database)
        not_due_after = datetime.now(UTC) - timedelta(days=30)
        with edition_database.owner() as connection:
            chunks = connection.execute(_CHUNKS).all()
        assert len(chunks) > 36
        assert {chunk.is_compressed for chunk in chunks if chunk.range_end <= due_before} == {True}
        assert {chunk.is_compressed for chunk in chunks if chunk.range_end > not_due_after} == {False}
        await require_right_histories(edition_database, redis, taken)


@FULL_ONLY
async def test_late_snapshot_is_inserted_once_among_compressed_ones(edition_database: EditionDatabase, redis_url: str) -> None:
    edition_database.upgrade()
    async with Redis.from_url(redis_url) as redis:
        *taken, late = (taken := await tell_history(edition_database, redis, until=datetime.now(UTC)))
        late = replace(late, at=replace(late.at, number=late.at.number + 1, timestamp=taken[5].at.timestamp))
        run_policy(edition_database)
        async with edition_database.opened() as database:
            for _ in range(2):
                async with database.write() as session:
                    await insert_snapshots(session, [late, taken[7]])
            async with database.read() as session:
                found = await session.scalar(select(func.count()).select_from(DailySnapshotRow))
        assert found == len(taken) + 2


@FULL_ONLY
async def test_changed_compression_time_replaces_the_policy(edition_database: EditionDatabase) -> None:
    edition_database.upgrade()
    for days in (60, 30):
        edition_database.upgrade(retention=RetentionSettings(compress_after_days=days))
        with edition_database.owner() as connection:
            ((_, _, config),) = policies(connection)
        assert config["compress_after"] in (f"{days} days", f"@ {days} days")
