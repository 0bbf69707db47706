"""Tests of lists as CSV: all rows of the JSON response, or an error envelope."""

import asyncio
import codecs
import csv
import io
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.pool import AsyncAdaptedQueuePool
from tests.support.api_client import BLOCK_TIME, ApiClient, add_block, api_client_for, request_row, running_app, seed_users
from tests.support.api_server import ApiServer, running_api_server
from tests.support.chain.fund import TestFund
from tests.support.factories.rows import VALID, insert_row
from tests.support.scenarios.fund_activity import FundActivity, snapshot_now

from paimon.application.approval_workflow.open_ticket import open_ticket_if_needed
from paimon.application.fund_risk.assess import assess_risk
from paimon.application.nav.publication import publish_nav
from paimon.application.reconciliation.reconcile import reconcile
from paimon.application.redemptions.store import find_redemption
from paimon.application.vault.tokens import observe_tokens
from paimon.composition import AppContext
from paimon.domain.approval.first_policy import FIRST_POLICY
from paimon.domain.kernel.chain import parse_address
from paimon.domain.redemption.request import RedemptionStatus
from paimon.gateway.fund_documents import FundDocuments
from paimon.gateway.rest import list_responses
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.derived import RawLogRow
from paimon.infrastructure.database.models.ops.notification import NotificationRow
from paimon.infrastructure.database.models.ops.pending_log import PendingLogRow
from paimon.infrastructure.database.models.ops.report import ReportRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow, WalletRow
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings
from paimon_devkit.stack.accounts import ADMIN

pytestmark = pytest.mark.integration

LISTS: Final = {
    "/redemptions": "redemptions",
    "/redemptions/pending-approvals": "pending-approvals",
    "/approvals": "approvals",
    "/risk/events": "risk-events",
    "/transactions/intents": "intents",
    "/wallets": "wallets",
    "/fund/holders": "holders",
    "/chain/transactions": "chain-transactions",
    "/fund/assets": "assets",
    "/fund/liquidity/layers": "layers",
    "/fund/fees": "fees",
    "/fund/events/pending": "pending-events",
    "/fund/nav/history": "nav-history",
    "/fund/nav/explain": "nav-explain",
    "/risk/indicators/l1_ratio/history": "risk-indicator",
    "/risk/promises": "promises",
    "/prices": "prices",
    "/notifications": "notifications",
    "/reports": "reports",
    "/system/outbox": "outbox",
    "/system/quarantine": "quarantine",
}
"""The lists by path, with their names in the file's name."""
TIME_COLUMNS: Final = {"ticket.sla.remainingSeconds", "sla.remainingSeconds", "ageSeconds", "accountState.ageSeconds"}
"""Columns that change between two responses because time passes."""


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    found = list(csv.DictReader(io.StringIO(answer.text, newline=""), strict=True))
    assert all(None not in row and None not in row.values() for row in found), "every line has every cell"
    return found


def items_of(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a JSON response."""
    if "lines" in data:
        ends = {"fromBlock": data["from"]["blockNumber"], "toBlock": data["to"]["blockNumber"]}
        return [ends | {"group": line["group"]} | component for line in data["lines"] for component in line["components"]]
    return next(data[name] for name in ("items", "layers", "fees", "points", "promises", "prices") if name in data)


def as_cells(item: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Convert one JSON row to the expected cells, independently of the code."""
    found: dict[str, str] = {}
    for name, value in item.items():
        if isinstance(value, dict) and name not in ("args",):
            found |= as_cells(value, f"{prefix}{name}.")
        elif isinstance(value, (list, dict)):
            found[prefix + name] = orjson.dumps(value).decode()
        elif isinstance(value, bool):
            found[prefix + name] = "true" if value else "false"
        else:
            found[prefix + name] = "" if value is None else str(value)
    return found


@pytest.fixture
async def filled_lists(app_context: AppContext, fund: TestFund, api_client: ApiClient) -> dict[str, dict[str, Any]]:
    """Fill every list, and return the query of each."""
    activity = FundActivity(fund)
    first = await snapshot_now(app_context, fund)
    for request_id in (fund.request("ines", 150_000), fund.request("ivan", 10_000)):
        assert request_id
    activity.set_price("RWAC", 13 * 10**17)
    activity.pay_otc_order("RWAP", 100_000, 100 * 10**6)
    activity.controller(ADMIN, "collectFees")
    await snapshot_now(app_context, fund)
    await observe_tokens(app_context.database, app_context.contracts)
    await reconcile(app_context.database, app_context.contracts)
    await publish_nav(app_context.database, FundDocuments(app_context.database, app_context.redis))
    assert await assess_risk(app_context.database, app_context.settings.risk.policy(), app_context.signing_rules.scope)
    async with app_context.database.write() as session:
        session.add(RiskEventRow(**VALID[RiskEventRow]))
        await insert_row(session, NotificationRow)
        await insert_row(
            session, WalletRow, seen_at=BLOCK_TIME, seen_block=1, latest_nonce=0, final_nonce=0, balance_wei=10**17
        )
        await insert_row(session, IntentRow)
        await insert_row(session, AttemptRow)
        await insert_row(session, ReportRow)
        await insert_row(session, PendingLogRow, event="Deposit", args={"assets": "1"})
        block = {"block_number": first.at.number, "block_hash": first.at.hash}
        await insert_row(session, RawLogRow, **block, log_index=999, status="QUARANTINED", reason="it makes no sense")
        redemption = await find_redemption(session, 1)
        assert redemption is not None
        assert await open_ticket_if_needed(session, redemption, FIRST_POLICY, now=await database_now(session))
    return {path: {"from": first.at.number} if path.endswith("explain") else {} for path in LISTS}


async def test_csv_has_the_rows_of_the_json_response(api_client: ApiClient, filled_lists: dict[str, dict[str, Any]]) -> None:
    for path, query in filled_lists.items():
        data = (await api_client.get(path, **query)).json()["data"]
        dated = as_cells({"asOf": data["asOf"]}) if "asOf" in data else {}
        expected = [as_cells(item) | dated for item in items_of(data)]
        file = await api_client.get_file(path, **query)
        found = rows_of(file)
        for row in [*expected, *found]:
            for name in TIME_COLUMNS & row.keys():
                row[name] = ""
        assert data.get("pagination", {"totalPages": 1})["totalPages"] == 1 or len(found) > len(expected)
        assert found[: len(expected)] == [{name: row.get(name, "") for name in found[0]} for row in expected] != [], path
        assert all(row[name] == "" for row in expected for name in row.keys() - found[0].keys()), (
            "columns of an object that is null"
        )
        assert (await api_client.get(path, **query, format="csv")).text.split("\r\n")[0] == file.text.split("\r\n")[0]
        assert (await api_client.get(path, **query, format="json")).json()["success"] is True
        block = rf"-block-{data['asOf']['number']}" if "asOf" in data else ""
        vault = api_client.settings.fund.vault.hex()[:8]
        name = rf'attachment; filename="paimon-0x{vault}-{LISTS[path]}-\d{{4}}-\d\d-\d\d{block}\.csv"'
        assert re.fullmatch(name, file.headers["Content-Disposition"], re.IGNORECASE), path


async def test_excel_file_has_the_rows_of_the_csv_file(
    api_client: ApiClient, filled_lists: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_responses, "_CHUNK_ROWS", 1)  # so that a list has more pages than its first
    long_numbers = 0
    for path, query in filled_lists.items():
        plain = rows_of(await api_client.get(path, **query, format="csv"))
        answer = await api_client.get(path, **query, excel=1)
        assert answer.content.startswith(codecs.BOM_UTF8)
        found = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""), strict=True))
        for row in found:
            for name, value in row.items():
                assert re.fullmatch(r"-?[\d.]{18,}", value) is None, f"{path}: Excel would change {value} in {name}"
                if match := re.fullmatch(r'="(-?[\d.]{16,})"', value):
                    row[name], long_numbers = match[1], long_numbers + 1
        for row in [*plain, *found]:
            for name in TIME_COLUMNS & row.keys():
                row[name] = ""
        assert found == plain != [], path
        assert not [value for row in plain for value in row.values() if value.startswith("=")]
    assert long_numbers > 50


async def test_empty_csv_has_its_header(app_context: AppContext, fund: TestFund, api_client: ApiClient) -> None:
    await snapshot_now(app_context, fund)
    for path in ("/redemptions", "/approvals", "/fund/nav/history"):
        file = await api_client.get_file(path)
        assert rows_of(file) == []
        assert len(file.text.split("\r\n")) == 2
    assert (await api_client.get_file("/redemptions")).text.startswith("requestId,owner,receiver,shares,")


async def test_csv_uses_the_filter_and_ignores_the_page(api_client: ApiClient, app_context: AppContext) -> None:
    ines, ivan = (parse_address(api_client.accounts.address(name)) for name in ("ines", "ivan"))
    async with app_context.database.write() as session:
        await add_block(session, 1)
        session.add_all(request_row(number, owner=ines if number % 2 else ivan) for number in range(1, 8))
    file = await api_client.get_file("/redemptions", owner=api_client.accounts.address("ines"), page=2, pageSize=2)
    assert [row["requestId"] for row in rows_of(file)] == ["7", "5", "3", "1"]


async def test_text_of_users_is_not_a_spreadsheet_formula(api_client: ApiClient, app_context: AppContext) -> None:
    reason = '=HYPERLINK("https://example.org","click"), +1\nsecond line'
    ended = {"status": RedemptionStatus.REJECTED, "rejection_reason": reason, "closed_at": BLOCK_TIME}
    async with app_context.database.write() as session:
        await add_block(session, 1)
        session.add(request_row(1, owner=parse_address(api_client.accounts.address("ines")), **ended))
    (row,) = rows_of(await api_client.get_file("/redemptions"))
    assert row["rejectionReason"] == "'" + reason.replace("\n", " "), "a reason from the chain is shown as one line"
    assert (row["closedAt"], row["settledFee"]) == ("2026-03-02T10:00:00Z", "")


@pytest.mark.parametrize(
    ("path", "query", "by", "expected"),
    [
        ("/redemptions", {}, None, (401, "AUTH_REQUIRED")),
        ("/redemptions", {"status": "LOST"}, "willa", (400, "VALIDATION_ERROR")),
        ("/redemptions", {"format": "xlsx"}, "willa", (400, "VALIDATION_ERROR")),
        ("/redemptions", {"format": "excel"}, "willa", (400, "VALIDATION_ERROR")),
        ("/redemptions", {"format": "json", "excel": "1"}, "willa", (400, "VALIDATION_ERROR")),
        ("/redemptions", {"excel": "maybe"}, "willa", (400, "VALIDATION_ERROR")),
        ("/fund/holders", {}, "willa", (503, "SERVICE_UNAVAILABLE")),
        ("/fund/assets", {}, "willa", (503, "SERVICE_UNAVAILABLE")),
        ("/fund/nav/explain", {"from": 1}, "willa", (404, "NOT_FOUND")),
        ("/fund/nav/history", {"startDate": "2026-03-03", "endDate": "2026-03-02"}, "willa", (400, "VALIDATION_ERROR")),
    ],
)
async def test_errors_of_csv_requests_are_json(
    api_client: ApiClient, path: str, query: dict[str, Any], by: str | None, expected: tuple[int, str]
) -> None:
    answer = await api_client.get_file(path, by=by, **query)
    assert answer.headers["Content-Type"] == "application/json"
    assert (answer.status_code, answer.json()["error"]["code"]) == expected


_MANY = text("""
    INSERT INTO derived.redemption_requests
    SELECT (jsonb_populate_record(first, jsonb_build_object('request_id', number))).*
      FROM derived.redemption_requests AS first, generate_series(2, :last_number) AS number
""")


async def insert_requests(database: Database, api_client: ApiClient, count: int) -> None:
    async with database.write() as session:
        await add_block(session, 1)
        session.add(request_row(1, owner=parse_address(api_client.accounts.address("ines"))))
        await session.flush()
        await session.execute(_MANY, {"last_number": count})


async def test_long_csv_is_complete_and_in_order(api_client: ApiClient, database: Database) -> None:
    await insert_requests(database, api_client, 3_500)
    found = [int(row["requestId"]) for row in rows_of(await api_client.get_file("/redemptions"))]
    assert found == list(range(3_500, 0, -1))


async def test_csv_with_too_many_rows_is_refused(settings: Settings, fund: TestFund, database: Database) -> None:
    small = settings.model_copy(update={"api": settings.api.model_copy(update={"csv_rows_max": 10})})
    await seed_users(database, fund)
    async with running_app(small) as app, api_client_for(app, small, fund.accounts) as api_client:
        await insert_requests(database, api_client, 11)
        answer = await api_client.get_file("/redemptions")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
        assert answer.json()["error"]["details"][0]["field"] == "format"
        assert len(rows_of(await api_client.get_file("/redemptions", startDate="2026-01-01", status="PENDING"))) == 0
        async with database.write() as session:
            await session.execute(text("DELETE FROM derived.redemption_requests WHERE request_id = 11"))
        assert len(rows_of(await api_client.get_file("/redemptions"))) == 10


@asynccontextmanager
async def reading(
    settings: Settings, fund: TestFund, eventually: Callable[..., Any], *, seconds_max: float = 600, files_max: int = 3
) -> AsyncIterator[tuple[ApiServer, asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a raw connection to a real server, and read the head of a file that is larger than all buffers."""
    limits = {"csv_seconds_max": seconds_max, "csv_files_max": files_max}
    changed = settings.model_copy(update={"api": settings.api.model_copy(update=limits)})
    async with running_api_server(changed, fund, eventually) as api_server:
        app_context: AppContext = api_server.app.state.context
        await seed_users(app_context.database, fund)
        await insert_requests(app_context.database, api_server.api_client, 30_000)
        with socket.socket() as narrow:
            narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            narrow.setblocking(False)
            await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", api_server.port))
            reader, writer = await asyncio.open_connection(sock=narrow, limit=1_024)
            token = api_server.api_client.token("willa")
            head = f"Host: localhost\r\nAccept: text/csv\r\nAuthorization: Bearer {token}"
            writer.write(f"GET /api/v1/redemptions HTTP/1.1\r\n{head}\r\n\r\n".encode())
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            yield api_server, reader, writer
            writer.transport.abort()


def sessions_in_use(api_server: ApiServer) -> int:
    pool = api_server.app.state.context.database.read_engine.pool
    assert isinstance(pool, AsyncAdaptedQueuePool)
    return pool.checkedout()


async def test_slow_csv_download_is_ended_visibly(settings: Settings, fund: TestFund, eventually: Callable[..., Any]) -> None:
    async with reading(settings, fund, eventually, seconds_max=0.5) as (api_server, reader, _writer):

        async def session_is_released() -> bool:
            return sessions_in_use(api_server) == 0

        await eventually(session_is_released)
        body = await reader.read()
        assert not body.endswith(b"0\r\n\r\n"), "a body without its last chunk is a failed transfer"


async def test_aborted_csv_download_releases_its_session(
    settings: Settings, fund: TestFund, eventually: Callable[..., Any]
) -> None:
    async with reading(settings, fund, eventually) as (api_server, _reader, writer):
        assert sessions_in_use(api_server) == 1
        writer.transport.abort()

        async def session_is_released() -> bool:
            return sessions_in_use(api_server) == 0

        await eventually(session_is_released)


async def test_number_of_csv_downloads_is_limited(settings: Settings, fund: TestFund, eventually: Callable[..., Any]) -> None:
    async with reading(settings, fund, eventually, files_max=1) as (api_server, _reader, writer):
        refused = await api_server.api_client.get_file("/redemptions")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert "1 files are being written" in refused.json()["error"]["message"]
        assert int(refused.headers["Retry-After"]) > 0
        assert (await api_server.api_client.get("/redemptions")).status_code == 200, "JSON is still served"
        writer.transport.abort()

        async def served_again() -> bool:
            return (await api_server.api_client.get_file("/redemptions", status="CANCELLED")).status_code == 200

        await eventually(served_again)


async def test_csv_name_has_the_date_of_today(api_client: ApiClient) -> None:
    before = datetime.now(UTC).date()
    name = (await api_client.get_file("/redemptions")).headers["Content-Disposition"]
    assert f"{before}" in name or f"{datetime.now(UTC).date()}" in name
