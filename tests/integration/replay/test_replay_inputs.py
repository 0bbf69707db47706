"""Inputs of a replay compared with themselves: a changed block, log, observation or snapshot is named."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Boolean, CheckConstraint, DateTime
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.support.assertions.derived_tables import execute
from tests.support.chain.fund import WAD, TestFund
from tests.support.scenarios.fund_activity import FundActivity, snapshot_now

from paimon.application.reconciliation.reconcile import reconcile
from paimon.application.replay.replay import check_replay
from paimon.composition import AppContext
from paimon.infrastructure.database.models.base import metadata
from paimon.infrastructure.database.sessions import create_engine
from paimon.infrastructure.database.types import Uint256Type

pytestmark = pytest.mark.integration

HASHED = "set_byte({0}, 3, get_byte({0}, 3) # 1)"
LATER = "{0} + interval '1 second'"
SECOND = "ctid = (SELECT ctid FROM derived.{0} ORDER BY ctid OFFSET 1 LIMIT 1)"


@pytest.fixture
async def owner(owner_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(owner_url, pool_size=1, connect_timeout_seconds=5, application_name="tests")
    yield engine
    await engine.dispose()


@pytest.fixture
async def snapshots(app_context: AppContext, fund: TestFund, owner_url: str) -> None:
    """Keep two snapshots and observe all tokens. The tables' checks are dropped: they would refuse the changes."""
    await snapshot_now(app_context, fund)
    FundActivity(fund).set_price("RWAC", 130 * WAD // 100)
    await snapshot_now(app_context, fund)
    await reconcile(app_context.database, app_context.contracts)
    for table in ("daily_snapshots", "asset_holdings_snapshots"):
        for constraint in metadata.tables[f"derived.{table}"].constraints:
            if isinstance(constraint, CheckConstraint):
                execute(owner_url, f"ALTER TABLE derived.{table} DROP CONSTRAINT {constraint.name}")


async def named_columns(owner: AsyncEngine, app_context: AppContext) -> set[tuple[str, str]]:
    found = (await check_replay(owner, app_context.contracts, examples_max=1_000)).comparison
    assert found.rows_differing == len({(difference.table, difference.key) for difference in found.examples})
    return {(difference.table, difference.column) for difference in found.examples}


@pytest.mark.parametrize(
    ("table", "column", "value", "where"),
    [
        ("blocks", "parent_hash", HASHED, SECOND),
        ("blocks", "hash", HASHED, SECOND),
        ("blocks", "previous_kept_number", "{0} - 1", SECOND),
        ("raw_logs", "block_hash", HASHED, SECOND),
        ("cursor", "hash", HASHED, "true"),
        ("cursor", "timestamp", LATER, "true"),
        ("cursor", "number", "{0} - 1", "true"),
        ("observations", "block_hash", HASHED, SECOND),
        ("range_proofs", "last_block", "{0} + 1", "true"),
        ("observations", "block_timestamp", LATER, SECOND),
    ],
)
async def test_check_names_a_changed_input(
    app_context: AppContext,
    owner: AsyncEngine,
    owner_url: str,
    snapshots: None,
    table: str,
    column: str,
    value: str,
    where: str,
) -> None:
    assert await named_columns(owner, app_context) == set()
    changed = f"UPDATE derived.{table} SET {column} = {value.format(column)} WHERE {where.format(table)}"
    assert execute(owner_url, changed) == 1
    found = await named_columns(owner, app_context)
    # A wrong block hash is found in its logs, its observations and the next block.
    expected = (
        {("raw_logs", "block_hash"), ("blocks", "parent_hash")} if (table, column) == ("blocks", "hash") else {(table, column)}
    )
    assert expected <= found


async def test_check_names_the_block_after_a_missing_one(
    app_context: AppContext, owner: AsyncEngine, owner_url: str, snapshots: None
) -> None:
    empty = (
        "SELECT min(number) FROM derived.blocks WHERE number > 2 AND number NOT IN (SELECT block_number FROM derived.raw_logs)"
    )
    assert execute(owner_url, f"DELETE FROM derived.blocks WHERE number = ({empty})") == 1
    assert ("blocks", "previous_kept_number") in await named_columns(owner, app_context)


def columns() -> list[tuple[str, str]]:
    tables = ("daily_snapshots", "asset_holdings_snapshots")
    return [(table, column.name) for table in tables for column in metadata.tables[f"derived.{table}"].columns]


async def test_check_names_any_changed_column_of_the_time_series(
    app_context: AppContext, owner: AsyncEngine, owner_url: str, snapshots: None
) -> None:
    for table, column in columns():
        kind = metadata.tables[f"derived.{table}"].c[column]
        row = f"ctid = (SELECT ctid FROM derived.{table} ORDER BY ctid DESC LIMIT 1)"
        kept = f"CREATE TABLE IF NOT EXISTS public.kept_{table} AS SELECT * FROM derived.{table}"
        execute(owner_url, kept)
        assert (
            execute(owner_url, f"UPDATE derived.{table} SET {column} = {_another(kind.type).format(column)} WHERE {row}") == 1
        )
        assert await named_columns(owner, app_context) == {(table, "row" if kind.primary_key else column)}, (table, column)
        execute(owner_url, f"DELETE FROM derived.{table}")
        execute(owner_url, f"INSERT INTO derived.{table} SELECT * FROM public.kept_{table}")
    assert await named_columns(owner, app_context) == set()


def _another(kind: Any) -> str:
    match kind:
        case Boolean():
            return "NOT {0}"
        case DateTime():
            return "coalesce({0}, now()) + interval '1 second'"
        case _ if hasattr(kind, "length") and not isinstance(kind, Uint256Type):
            return HASHED
        case _:
            return "coalesce({0}, 0) + 1"


async def test_check_accepts_rows_removed_by_retention(
    app_context: AppContext, owner: AsyncEngine, owner_url: str, snapshots: None
) -> None:
    execute(
        owner_url,
        "DELETE FROM derived.daily_snapshots WHERE block_number = (SELECT min(block_number) FROM derived.daily_snapshots)",
    )
    execute(owner_url, "DELETE FROM derived.asset_holdings_snapshots")
    assert await named_columns(owner, app_context) == set()
