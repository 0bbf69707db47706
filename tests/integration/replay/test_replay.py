"""Replay: the derived tables rebuilt from the recorded logs equal the listener's, and any difference is found."""

import json
from collections.abc import AsyncIterator, Iterator
from itertools import zip_longest

import pytest
from sqlalchemy import BigInteger, Boolean, CheckConstraint, DateTime, Integer, LargeBinary, Text, select, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.support.assertions.derived_tables import (
    PROJECTED,
    TableRows,
    execute,
    outbox_rows,
    projection_rows,
    record_range,
    synthetic_contracts,
    with_model_types,
)
from tests.support.chain.fund import DAY, TestFund
from tests.support.chain.recording import record_all
from tests.support.factories.synthetic_logs import ADDRESSES, ranges, write_cursor

from paimon.application.common.chain_position import NothingRecorded
from paimon.application.event_listener.fetch.decode import DecodedFields
from paimon.application.reconciliation.reconcile import reconcile
from paimon.application.replay.rebuild import Rebuild
from paimon.application.replay.recorded_logs import ForeignLogs
from paimon.application.replay.replay import CursorLocked, check_replay, replay
from paimon.application.replay.shadow_tables import TABLE_PAIRS, NoTemporaryTables, open_shadow
from paimon.composition import AppContext
from paimon.domain.kernel.chain import parse_address
from paimon.infrastructure.blockchain.contracts.fund import FundAddresses, FundContracts
from paimon.infrastructure.database import migrate
from paimon.infrastructure.database.models.base import metadata, table_of
from paimon.infrastructure.database.models.derived import INPUTS, PROJECTIONS
from paimon.infrastructure.database.models.ops.audit import AuditEntryRow
from paimon.infrastructure.database.sessions import Database, create_engine
from paimon.infrastructure.database.types import EnumText, Uint256Type
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration

LOGS = 600


@pytest.fixture
async def owner(owner_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(owner_url, pool_size=1, connect_timeout_seconds=5, application_name="tests")
    yield engine
    await engine.dispose()


@pytest.fixture
def contracts() -> FundContracts:
    return synthetic_contracts()


@pytest.fixture
async def recorded(database: Database, owner_url: str, contracts: FundContracts) -> dict[int, TableRows]:
    """Record range by range as the listener does; return the projections at the end of each range."""
    write_cursor(owner_url.replace("+psycopg", ""), 0)
    at_block: dict[int, TableRows] = {}
    for fetched in ranges(LOGS, blocks_each=37):
        await record_range(database, contracts, fetched)
        at_block[fetched.last.number] = projection_rows(owner_url)
    return at_block


async def test_replay_of_real_contract_events_gives_the_same_tables(
    app_context: AppContext, fund: TestFund, owner: AsyncEngine
) -> None:
    """Every kind of redemption on the real contracts, recorded by the real listener."""
    small, large, rejected = fund.request("ines", 10_000), fund.request("ivan", 120_000), fund.request("isla", 150_000)
    cancelled = fund.request("ilja", 5_000)
    await record_all(app_context, fund)
    fund.set_emergency_mode(True)
    emergency = fund.request("inga", 40_000, emergency=True)
    fund.approve_on_chain(large)
    fund.approve_on_chain(emergency)
    fund.send("vera", "RedemptionManager", "rejectRedemption", rejected, "source of funds unclear")
    fund.send("ilja", "RedemptionManager", "cancelRedemption", cancelled)
    await record_all(app_context, fund)
    fund.warp(8 * DAY)
    for request in (small, large, emergency):
        fund.send("ada", "RedemptionManager", "settleRedemption", request)
    await record_all(app_context, fund)
    checked = await check_replay(owner, app_context.contracts)
    assert checked.comparison.examples == ()
    assert (await replay(owner, app_context.contracts)).rows_changed == {}
    assert await maintenance(app_context.database) == [], "a worker's replay follows from decisions, which are entries"
    done = await replay(owner, app_context.contracts, run_by="otto@host")
    (entry,) = await maintenance(app_context.database)
    assert (entry.operation, entry.resource, entry.recorded_by) == ("projections.replayed", f"block/{done.at}", "paimon_owner")
    assert json.loads(entry.payload or "") == {"runBy": "otto@host", "logs": done.logs, "rowsChanged": {}}
    assert (await reconcile(app_context.database, app_context.contracts)).discrepancies == ()


async def maintenance(database: Database) -> list[AuditEntryRow]:
    async with database.read() as session:
        return list(await session.scalars(select(AuditEntryRow).where(AuditEntryRow.resource.startswith("block/"))))


def test_every_derived_table_is_an_input_or_a_projection() -> None:
    declared = {table_of(model).fullname for model in (*INPUTS, *PROJECTIONS)}
    assert declared == {table.fullname for table in metadata.tables.values() if table.schema == "derived"}


def test_projection_has_no_column_that_logs_do_not_determine() -> None:
    """No sequence, no clock: such a column would differ in every rebuild."""
    for model in PROJECTIONS:
        for column in table_of(model).columns:
            assert column.identity is None, column
            assert column.server_default is None, column
            assert column.primary_key is False or column.autoincrement is not True, column


async def test_rebuild_equals_the_listeners_tables(
    owner: AsyncEngine, contracts: FundContracts, recorded: dict[int, TableRows]
) -> None:
    checked = await check_replay(owner, contracts)
    assert checked.comparison.examples == ()
    assert checked.comparison.rows_differing == 0
    assert checked.logs == LOGS
    assert all(recorded[checked.at][name] for name in PROJECTED), "a table without rows proves nothing"


@pytest.mark.parametrize("page_logs", [7, 250])
async def test_rebuild_up_to_a_block_equals_the_tables_at_that_block(
    owner: AsyncEngine, contracts: FundContracts, recorded: dict[int, TableRows], page_logs: int
) -> None:
    for at, tables in recorded.items():
        async with open_shadow(owner) as shadow, shadow.transaction() as session:
            await Rebuild(shadow, contracts, page_logs=page_logs).fold_to(session, at)
            for pair in TABLE_PAIRS:
                found = (await session.execute(pair.rebuilt.select())).mappings().all()
                assert sorted(map(dict, found), key=repr) == with_model_types(pair.name, tables), f"{pair.name} at {at}"


def corruptions() -> Iterator[list[tuple[str, str]]]:
    """Yield rounds with one column of each table, until every column was in one."""
    columns = [[(table_of(model).name, column.name) for column in table_of(model).columns] for model in PROJECTIONS]
    columns.append([("raw_logs", name) for name in DecodedFields._fields])
    for together in zip_longest(*columns):
        yield [column for column in together if column is not None]


def _another_value(table: str, column: str) -> str:
    """Return SQL for another value of the column's type than the present one."""
    kind = metadata.tables[f"derived.{table}"].c[column].type
    match kind:
        case EnumText():
            first, second = (member.value for member in list(kind.values)[:2])
            return f"CASE {column} WHEN '{first}' THEN '{second}' ELSE '{first}' END"
        case LargeBinary():
            return f"set_byte({column}, 3, get_byte({column}, 3) # 1)"
        case Boolean():
            return f"NOT {column}"
        case Uint256Type() | BigInteger() | Integer():
            return f"coalesce({column}, 0) + 1000000"
        case DateTime():
            return f"coalesce({column}, now()) + interval '1 second'"
        case JSONB():
            return f"jsonb_set(coalesce({column}, '{{}}'), '{{shares}}', '\"7\"')"
        case ARRAY():
            return f"{column} || ARRAY['!']"
        case Text():
            return f"coalesce({column}, '') || '!'"
    raise AssertionError(f"no corruption for {table}.{column} of type {kind}")


async def test_any_wrong_column_is_named_by_check_and_corrected_by_replay(
    owner: AsyncEngine, owner_url: str, contracts: FundContracts, recorded: dict[int, TableRows]
) -> None:
    correct, due = recorded[max(recorded)], outbox_rows(owner_url)
    for table in (*PROJECTED, "raw_logs"):
        _drop_checks(owner_url, table)  # the checks would refuse most corruptions
    for columns in corruptions():
        for table, column in columns:
            _corrupt(owner_url, table, column)
        wrong = projection_rows(owner_url)
        found = (await check_replay(owner, contracts, examples_max=100)).comparison
        keys = {(table, name) for table, name in columns if metadata.tables[f"derived.{table}"].c[name].primary_key}
        named = {(table, "row" if (table, column) in keys else column) for table, column in columns}
        assert {(difference.table, difference.column) for difference in found.examples} == named
        assert found.rows_differing == len(columns) + len(keys)
        assert projection_rows(owner_url) == wrong, "a check changes nothing"
        replayed = await replay(owner, contracts)
        assert set(replayed.rows_changed) == {table for table, _ in columns}
        assert projection_rows(owner_url) == correct
    assert outbox_rows(owner_url) == due


def _corrupt(owner_url: str, table: str, column: str) -> None:
    """Give one row's column another value."""
    execute(owner_url, f"UPDATE derived.{table} SET {column} = {_another_value(table, column)} WHERE {_one_of(table)}")


def _one_of(table: str) -> str:
    """Return SQL that selects the fourth row, or the last of fewer."""
    fourth_or_last = f"(SELECT least(3, count(*) - 1) FROM derived.{table})"
    return f"ctid = (SELECT ctid FROM derived.{table} ORDER BY ctid OFFSET {fourth_or_last} LIMIT 1)"


def _drop_checks(owner_url: str, table: str) -> None:
    for constraint in metadata.tables[f"derived.{table}"].constraints:
        if isinstance(constraint, CheckConstraint):
            execute(owner_url, f"ALTER TABLE derived.{table} DROP CONSTRAINT {constraint.name}")


async def test_missing_and_extra_rows_are_named_and_corrected_in_every_table(
    owner: AsyncEngine, owner_url: str, contracts: FundContracts, recorded: dict[int, TableRows]
) -> None:
    for table in PROJECTED:
        _drop_checks(owner_url, table)
        execute(owner_url, f"DELETE FROM derived.{table} WHERE {_one_of(table)}")
    found = (await check_replay(owner, contracts)).comparison
    assert {(difference.table, difference.live) for difference in found.examples} == {
        (table, "(absent)") for table in PROJECTED
    }
    assert found.rows_differing == len(PROJECTED)
    await replay(owner, contracts)
    assert projection_rows(owner_url) == recorded[max(recorded)]
    for table in PROJECTED:
        assert execute(owner_url, _insert_another(table)) == 1
    found = (await check_replay(owner, contracts)).comparison
    assert {(difference.table, difference.rebuilt) for difference in found.examples} == {
        (table, "(absent)") for table in PROJECTED
    }
    assert found.rows_differing == len(PROJECTED)
    await replay(owner, contracts)
    assert projection_rows(owner_url) == recorded[max(recorded)]


def _insert_another(table: str) -> str:
    """Return SQL that copies one row under another key."""
    columns = metadata.tables[f"derived.{table}"].columns
    unique = {column.name for index in metadata.tables[f"derived.{table}"].indexes if index.unique for column in index.columns}
    keys = (column for column in columns if column.primary_key)
    key = min(keys, key=lambda column: isinstance(column.type, EnumText)).name
    values = ", ".join(
        _another_value(table, column.name) if column.name in {key, *unique} else column.name for column in columns
    )
    names = ", ".join(column.name for column in columns)
    return f"INSERT INTO derived.{table} ({names}) SELECT {values} FROM derived.{table} WHERE {_one_of(table)}"


@pytest.mark.parametrize("column", ["address", "topics", "data", "tx_hash", "tx_index"])
async def test_check_names_rows_that_do_not_follow_from_a_changed_log(
    owner: AsyncEngine, owner_url: str, contracts: FundContracts, recorded: dict[int, TableRows], column: str
) -> None:
    """A replay trusts the logs' bytes: it names the rows that no longer follow from them."""
    one = "ctid = (SELECT ctid FROM derived.raw_logs WHERE event = 'DepositProcessed' LIMIT 1)"
    value = {"topics": "topics[1:2]", "address": r"'\x" + ADDRESSES.redemption_manager.hex() + "'"}
    changed = value.get(column) or _another_value("raw_logs", column)
    assert execute(owner_url, f"UPDATE derived.raw_logs SET {column} = {changed} WHERE {one}") == 1
    assert (await check_replay(owner, contracts)).comparison.rows_differing > 0


async def test_replay_refills_tables_of_an_older_version(
    owner: AsyncEngine, owner_url: str, contracts: FundContracts, recorded: dict[int, TableRows]
) -> None:
    due = outbox_rows(owner_url)
    execute(owner_url, f"TRUNCATE {', '.join(f'derived.{name}' for name in PROJECTED)}")
    execute(
        owner_url,
        "UPDATE derived.raw_logs SET status = 'UNKNOWN', event = NULL, args = NULL, request_id = NULL, reason = NULL",
    )
    replayed = await replay(owner, contracts)
    assert projection_rows(owner_url) == recorded[max(recorded)]
    assert set(replayed.rows_changed) == {*PROJECTED, "raw_logs"}
    assert outbox_rows(owner_url) == due
    assert migrate.drift(owner_url) == []
    assert (await check_replay(owner, contracts)).comparison.rows_differing == 0


async def test_check_counts_all_differences_and_shows_some(
    owner: AsyncEngine, owner_url: str, contracts: FundContracts, recorded: dict[int, TableRows]
) -> None:
    wrong = execute(owner_url, "UPDATE derived.share_balances SET shares = shares + 1")
    found = (await check_replay(owner, contracts, examples_max=3)).comparison
    assert found.rows_differing == wrong > 3
    assert [difference.column for difference in found.examples] == ["shares"] * 3


async def test_check_fails_when_nothing_is_recorded(owner: AsyncEngine, contracts: FundContracts) -> None:
    with pytest.raises(NothingRecorded):
        await check_replay(owner, contracts)


async def test_replay_refuses_logs_of_another_fund(
    owner: AsyncEngine, owner_url: str, contracts: FundContracts, recorded: dict[int, TableRows]
) -> None:
    other = parse_address("0x" + "ab" * 20)
    other_contracts = FundContracts(contracts.rpc, FundAddresses(other, other, other))
    with pytest.raises(ForeignLogs, match="PAIMON_FUND__"):
        await replay(owner, other_contracts)
    assert projection_rows(owner_url) == recorded[max(recorded)]


async def test_replay_changes_nothing_when_the_cursor_stays_locked(
    owner: AsyncEngine, owner_url: str, database: Database, contracts: FundContracts, recorded: dict[int, TableRows]
) -> None:
    execute(owner_url, "UPDATE derived.share_balances SET shares = shares + 1")
    wrong = projection_rows(owner_url)
    async with database.write() as session:
        await session.execute(text("SELECT 1 FROM derived.cursor FOR UPDATE"))
        with pytest.raises(CursorLocked):
            await replay(owner, contracts, lock_timeout_seconds=0.05)
    assert projection_rows(owner_url) == wrong
    await replay(owner, contracts, lock_timeout_seconds=0.05)
    assert projection_rows(owner_url) == recorded[max(recorded)]


async def test_replay_names_the_missing_grant_for_temporary_tables(
    postgres: EmbeddedPostgres, database_name: str, app_url: str, contracts: FundContracts
) -> None:
    execute(postgres.admin_dsn, f"REVOKE TEMPORARY ON DATABASE {database_name} FROM PUBLIC")
    engine = create_engine(app_url, pool_size=1, connect_timeout_seconds=5, application_name="tests")
    with pytest.raises(NoTemporaryTables, match=f"GRANT TEMPORARY ON DATABASE {database_name} TO paimon_app"):
        await check_replay(engine, contracts)
    await engine.dispose()
