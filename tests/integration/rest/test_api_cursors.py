"""Tests of cursors: each list is walked by them while others insert, and an index leads to each page."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import event, text
from tests.support.api_client import ApiClient, add_block
from tests.support.factories.rows import VALID, insert_row, rolled_back
from tests.support.factories.strategies import EPOCH

from paimon.application.approval_workflow.queries import list_tickets
from paimon.application.quarantine.queries import list_outbox_messages
from paimon.application.redemptions.queries import RedemptionFilter, list_redemptions
from paimon.application.risk_control.queries import RiskFilter, list_events
from paimon.application.transactions.operator.queries import IntentFilter, list_intents
from paimon.application.vault.chain_transactions import TransactionFilter
from paimon.application.vault.queries import list_holders, list_transactions
from paimon.domain.kernel.chain import Hash32
from paimon.domain.redemption.request import RedemptionStatus
from paimon.infrastructure.database.models.derived import (
    BlockRow,
    ChainTransactionRow,
    RawLogRow,
    RedemptionRequestRow,
    ShareBalanceRow,
)
from paimon.infrastructure.database.models.ops.approval import ApprovalTicketRow
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow, SafeRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.pending_log import PendingLogRow
from paimon.infrastructure.database.models.ops.plan import PlanRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow, WalletRow
from paimon.infrastructure.database.paging import Page, PageRequest
from paimon.infrastructure.database.sessions import Database, ReadSession, WriteSession

pytestmark = pytest.mark.integration

Insert = Callable[[WriteSession, int], Awaitable[None]]


def hash_of(number: int) -> Hash32:
    return Hash32(number.to_bytes(32, "big"))


def inserting(table: type[Any], changes: Callable[[int], Mapping[str, Any]]) -> Insert:
    async def insert(session: WriteSession, number: int) -> None:
        await insert_row(session, table, **changes(number))

    return insert


def at(number: int) -> Any:
    """Return a time that several numbers share, so that the second key of an order decides."""
    return EPOCH + timedelta(seconds=number // 3)


LISTS: Final[dict[str, tuple[Insert, str]]] = {
    "/redemptions": (inserting(RedemptionRequestRow, lambda n: {"request_id": n}), "requestId"),
    "/redemptions/pending-approvals": (
        inserting(
            RedemptionRequestRow,
            lambda n: {
                "request_id": 10_000 + n,
                "requested_at": at(n),
                "requires_approval": True,
                "settlement_at": None,
                "status": RedemptionStatus.PENDING_APPROVAL,
            },
        ),
        "requestId",
    ),
    "/approvals": (inserting(ApprovalTicketRow, lambda n: {"id": f"TKT-R{n:06}", "request_id": n, "opened_at": at(n)}), "id"),
    "/risk/events": (inserting(RiskEventRow, lambda n: {"subject": f"s{n}", "first_seen_at": at(n)}), "id"),
    "/transactions/intents": (
        inserting(IntentRow, lambda n: {"id": UUID(int=n), "idempotency_key": f"settle:{n}", "created_at": at(n)}),
        "id",
    ),
    "/plans": (
        inserting(PlanRow, lambda n: {"id": UUID(int=n), "idempotency_key": f"p{n}", "nonce": hash_of(n), "created_at": at(n)}),
        "id",
    ),
    "/multisig/proposals": (
        inserting(
            SafeProposalRow, lambda n: {"hash": hash_of(n), "nonce": n // 3, "idempotency_key": f"k{n}", "created_at": at(n)}
        ),
        "hash",
    ),
    "/system/outbox": (inserting(OutboxMessageRow, lambda n: {"aggregate_id": str(n)}), "id"),
    "/system/quarantine": (
        inserting(RawLogRow, lambda n: {"log_index": n, "tx_hash": hash_of(n), "status": "QUARANTINED", "reason": "r"}),
        "logIndex",
    ),
    "/chain/transactions": (
        inserting(ChainTransactionRow, lambda n: {"tx_index": n, "tx_hash": hash_of(n)}),
        "hash",
    ),
    "/fund/events/pending": (inserting(PendingLogRow, lambda n: {"log_index": n, "block_number": 5 + n // 3}), "logIndex"),
    "/fund/holders": (
        inserting(ShareBalanceRow, lambda n: {"holder": n.to_bytes(20, "big"), "shares": 10 + n // 3, "locked_shares": 0}),
        "holder",
    ),
}
"""Every list that can grow without bound: a function that inserts its row number n, and the field that identifies a row."""

HELD: Final = range(100, 113)
"""The rows before the walk."""


@pytest.fixture
async def long_lists(api_client: ApiClient, database: Database) -> None:
    async with database.write() as session:
        await add_block(session, 1)
        await insert_row(session, WalletRow)
        await insert_row(session, SafeRow)
        for insert, _ in LISTS.values():
            for number in HELD:
                await insert(session, number)


def identities(items: list[dict[str, Any]], field: str) -> list[Any]:
    return [item.get("redemption", item)[field] for item in items]


async def pages_of(api_client: ApiClient, path: str, **query: Any) -> tuple[list[Any], dict[str, Any]]:
    answer = await api_client.get(path, **query)
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    return data["items"], data["pagination"]


@pytest.mark.usefixtures("long_lists")
async def test_a_walk_by_cursor_meets_each_row_once_while_others_insert(api_client: ApiClient, database: Database) -> None:
    for path, (insert, identity) in LISTS.items():
        before, counted = await pages_of(api_client, path, pageSize=100)
        assert counted["nextCursor"] is None, path
        items, pagination = await pages_of(api_client, path, pageSize=3)
        walked, latest, earliest = list(items), HELD[-1], HELD[0]
        while pagination["nextCursor"] is not None:
            latest, earliest = latest + 1, earliest - 1
            async with database.write() as session:
                await insert(session, latest)
                await insert(session, earliest)
            items, pagination = await pages_of(api_client, path, pageSize=3, cursor=pagination["nextCursor"])
            assert (pagination["total"], pagination["page"], pagination["totalPages"]) == (None, None, None)
            walked += items
        ids = identities(walked, identity)
        assert len(ids) == len(set(ids)), f"{path}: a row came twice"
        held = identities(before, identity)
        assert [row for row in ids if row in held] == held, f"{path}: a row was left out, or the order is another"


@pytest.mark.usefixtures("long_lists")
async def test_a_page_by_number_leads_on_by_cursor(api_client: ApiClient) -> None:
    for path, (_, identity) in LISTS.items():
        _, second = await pages_of(api_client, path, page=2, pageSize=4)
        by_number, _ = await pages_of(api_client, path, page=3, pageSize=4)
        by_cursor, _ = await pages_of(api_client, path, cursor=second["nextCursor"], pageSize=4)
        assert identities(by_cursor, identity) == identities(by_number, identity), path


@pytest.mark.usefixtures("long_lists")
async def test_a_foreign_or_changed_cursor_is_refused(api_client: ApiClient) -> None:
    cursors = {path: (await pages_of(api_client, path, pageSize=2))[1]["nextCursor"] for path in LISTS}
    assert None not in cursors.values()
    paths = list(LISTS)
    mine = cursors["/risk/events"]
    refused = [
        *((path, {"cursor": cursors[other]}) for path, other in zip(paths, paths[1:] + paths[:1], strict=True)),
        ("/risk/events", {"cursor": mine, "status": "OPEN"}),
        *(("/risk/events", {"cursor": changed}) for changed in (mine[:-1], mine + "A", mine + "=", " " + mine, mine[::-1])),
        *(("/risk/events", {"cursor": text}) for text in ("x", "é", "MTIz", "🙂" * 30, "null")),
    ]
    for path, query in refused:
        answer = await api_client.get(path, **query)
        assert answer.status_code == 400, (path, query)
        (detail,) = answer.json()["error"]["details"]
        assert (detail["field"], detail["code"]) == ("cursor", "INVALID_CURSOR"), (path, query)
    for query in ({"page": 1}, {"format": "csv"}, {"excel": 1}):
        answer = await api_client.get("/risk/events", cursor=mine, **query)
        assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, "cursor"), query


@pytest.mark.usefixtures("long_lists")
async def test_another_page_size_goes_on_with_the_same_cursor(api_client: ApiClient) -> None:
    everything, _ = await pages_of(api_client, "/risk/events", pageSize=100, severity="CRITICAL")
    items, pagination = await pages_of(api_client, "/risk/events", pageSize=2, severity="CRITICAL")
    rest, _ = await pages_of(api_client, "/risk/events", pageSize=50, severity="CRITICAL", cursor=pagination["nextCursor"])
    assert items + rest == everything


@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(seconds=st.lists(st.integers(0, 4), max_size=25), size=st.integers(1, 8), severity=st.sampled_from([None, "WARNING"]))
async def test_cursors_and_pages_have_the_same_order(
    database: Database, seconds: list[int], size: int, severity: str | None
) -> None:
    """Many rows have equal times, so that the unique key decides."""
    filters = RiskFilter(severity=severity)  # type: ignore[arg-type]  # its value, as the database has it
    async with rolled_back(database) as session:
        for number, second in enumerate(seconds):
            changes = {"first_seen_at": EPOCH + timedelta(seconds=second), "severity": ("WARNING", "CRITICAL")[number % 2]}
            await insert_row(session, RiskEventRow, subject=str(number), **changes)
        everything = (await list_events(session, PageRequest(1, 1_000), filters)).items
        assert everything == sorted(everything, key=lambda found: (found.first_seen.at, found.id), reverse=True)
        by_number = [await list_events(session, PageRequest(number, size), filters) for number in range(1, 30)]
        assert [item for page in by_number for item in page.items] == everything
        walked, request = [], PageRequest(1, size)
        while True:
            page = await list_events(session, request, filters)
            walked += page.items
            assert len(page.items) == min(size, len(everything) - len(walked) + len(page.items))
            if page.next is None:
                break
            request = PageRequest(1, size, after=page.next)
        assert walked == everything


# ------------------------------------------------------------------------------------------------ plans of the database

ROWS: Final = 20_000


async def fill(session: WriteSession, table: type[Any], **expressions: str) -> None:
    """Insert many rows: a valid one with these columns computed from its number n."""
    name = table.__table__
    fixed = {column: value for column, value in VALID[table].items() if column not in expressions}
    await insert_row(session, table)
    columns = ", ".join([*fixed, *expressions])
    values = ", ".join([*fixed, *expressions.values()])
    await session.execute(
        text(f"INSERT INTO {name} ({columns}) SELECT {values} FROM {name}, generate_series(2, {ROWS}) AS n LIMIT {ROWS - 1}")
    )


FILLED: Final[dict[type[Any], dict[str, str]]] = {
    ChainTransactionRow: {"tx_index": "n", "tx_hash": "sha256(int8send(n))"},
    RedemptionRequestRow: {"request_id": "n"},
    RiskEventRow: {"subject": "CAST(n AS text)", "first_seen_at": "TIMESTAMPTZ '2026-01-01' + n / 3 * INTERVAL '1 s'"},
    IntentRow: {
        "id": "gen_random_uuid()",
        "idempotency_key": "CAST(n AS text)",
        "created_at": "TIMESTAMPTZ '2026-01-01' + n / 3 * INTERVAL '1 s'",
    },
    ApprovalTicketRow: {
        "id": "CAST(n AS text)",
        "request_id": "n",
        "opened_at": "TIMESTAMPTZ '2026-01-01' + n / 3 * INTERVAL '1 s'",
    },
    OutboxMessageRow: {"aggregate_id": "CAST(n AS text)"},
    ShareBalanceRow: {"holder": "decode(lpad(to_hex(n), 40, '0'), 'hex')", "shares": "(n * 7919) % 5000 + 1"},
}

READS: Final[dict[type[Any], Callable[[ReadSession, PageRequest], Awaitable[Page[Any]]]]] = {
    RedemptionRequestRow: lambda session, page: list_redemptions(session, page, RedemptionFilter()),
    RiskEventRow: lambda session, page: list_events(session, page, RiskFilter()),
    IntentRow: lambda session, page: list_intents(session, page, IntentFilter()),
    ApprovalTicketRow: lambda session, page: list_tickets(session, page),
    OutboxMessageRow: lambda session, page: list_outbox_messages(session, page),
}


async def read_holders(session: ReadSession, page: PageRequest) -> Page[Any]:
    return (await list_holders(session, page, block=None, holder=None)).page


async def read_transactions(session: ReadSession, page: PageRequest) -> Page[Any]:
    return (await list_transactions(session, page, TransactionFilter(), block=None))[1]


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes(child))]


async def test_a_page_deep_in_a_list_is_read_from_the_index(database: Database) -> None:
    """The plan of the page in the middle of 20 000 rows: an index of the order, nothing dropped, only the page sorted."""
    async with database.write() as session:
        await insert_row(session, BlockRow)
        await insert_row(session, WalletRow)
        await add_block(session, 2)
        for table, expressions in FILLED.items():
            await fill(session, table, **expressions)
            await session.execute(text(f"ANALYZE {table.__table__}"))
    reads = READS | {ShareBalanceRow: read_holders, ChainTransactionRow: read_transactions}
    assert reads.keys() == FILLED.keys()
    for table, read in reads.items():
        async with database.read() as snapshot:
            middle = await read(snapshot, PageRequest(ROWS // 200, 100))
            assert middle.next is not None
            statements: list[tuple[str, Any]] = []

            def keep(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any, kept: Any = statements) -> None:
                kept.append((statement, values))

            engine = database.engine.sync_engine
            event.listen(engine, "before_cursor_execute", keep)
            try:
                page = await read(snapshot, PageRequest(1, 100, after=middle.next))
            finally:
                event.remove(engine, "before_cursor_execute", keep)
            assert len(page.items) == 100
            name = table.__table__.name
            statement, values = next(found for found in statements if f".{name}" in found[0] and "LIMIT" in found[0])
            connection = await snapshot.connection()
            (explained,) = (
                await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
            ).scalar_one()
        plan = nodes(explained["Plan"])
        scans = [node for node in plan if node["Node Type"].startswith("Index") and node.get("Relation Name") == name]
        assert max(scan["Actual Rows"] for scan in scans) == 101, (name, explained)
        assert all(node["Actual Rows"] <= 102 for node in plan if "Sort" in node["Node Type"]), (name, explained)
        assert all(node.get("Rows Removed by Filter", 0) <= 1 for node in scans), (name, explained)
