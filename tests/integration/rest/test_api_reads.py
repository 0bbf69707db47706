"""Tests of API reads: redemptions, the overview, health and settings."""

import asyncio
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select
from tests.support.api_client import (
    BLOCK_TIME,
    ApiClient,
    add_block,
    grant_approver_role,
    locked_nav_row,
    log_row,
    request_row,
    require_example,
    signed_body,
)
from tests.support.chain.fund import WAD
from tests.support.prices import ANY_PRICE

from paimon.application.approval_workflow.open_ticket import adopt_chain_outcome, open_ticket_if_needed
from paimon.application.event_listener.fetch.block_range import EndpointFault
from paimon.application.event_listener.fetch.store import add_proof, record_endpoint_faults
from paimon.application.nav.snapshots import take_snapshot
from paimon.application.redemptions.store import find_redemption
from paimon.composition import AppContext
from paimon.domain.approval.first_policy import FIRST_POLICY
from paimon.domain.chain.range_proof import InvalidResponseKind, ProofLevel, RangeProof
from paimon.domain.kernel.chain import Address, parse_address
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.redemption.request import RedemptionChannel, RedemptionStatus
from paimon.gateway.fund_documents import FundDocuments
from paimon.infrastructure.cache import endpoints
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.leases import try_acquire
from paimon.infrastructure.database.models.derived import CursorRow, RedemptionRequestRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow, WalletRow

pytestmark = pytest.mark.integration

SETTLE = ("settle_redemption", "/redemptions/1")


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["requestId"] for item in answer.json()["data"]["items"]]


def wallet(api_client: ApiClient, name: str) -> Address:
    return parse_address(api_client.accounts.address(name))


@pytest.fixture
async def three_requests(api_client: ApiClient, app_context: AppContext) -> None:
    ines, ivan = wallet(api_client, "ines"), wallet(api_client, "ivan")
    small = {"requires_approval": False, "status": RedemptionStatus.PENDING, "settlement_at": BLOCK_TIME + timedelta(days=7)}
    async with app_context.database.write() as session:
        await add_block(session, 1)
        session.add(request_row(1, owner=ines))
        session.add(request_row(2, owner=ivan, requested_at=BLOCK_TIME + timedelta(days=1), **small))
        scheduled = {"channel": RedemptionChannel.SCHEDULED, "window_id": 202606}
        session.add(request_row(3, owner=ines, requested_at=BLOCK_TIME + timedelta(days=2), **scheduled, **small))


@pytest.mark.usefixtures("three_requests")
async def test_redemptions_are_listed_latest_first_and_filtered(api_client: ApiClient) -> None:
    everything = await api_client.get("/redemptions")
    require_example(everything, "redemptions")
    assert ids(everything) == ["3", "2", "1"]
    assert [item["windowId"] for item in everything.json()["data"]["items"]] == ["202606", None, None], "0 is no window"
    assert ids(await api_client.get("/redemptions", status="PENDING_APPROVAL")) == ["1"]
    assert ids(await api_client.get("/redemptions", channel="SCHEDULED")) == ["3"]
    assert ids(await api_client.get("/redemptions", owner=api_client.accounts.address("ines"))) == ["3", "1"]
    assert ids(await api_client.get("/redemptions", owner=api_client.accounts.address("ines").lower())) == ["3", "1"]
    assert ids(await api_client.get("/redemptions", startDate="2026-03-03")) == ["3", "2"]
    assert ids(await api_client.get("/redemptions", endDate="2026-03-03")) == ["2", "1"]
    assert ids(await api_client.get("/redemptions", startDate="2026-03-03", endDate="2026-03-03")) == ["2"]
    assert ids(await api_client.get("/redemptions", endDate="9999-12-31", startDate="0001-01-01")) == ["3", "2", "1"]


@pytest.mark.usefixtures("three_requests")
async def test_pages_count_from_one_and_are_empty_past_the_end(api_client: ApiClient) -> None:
    second = await api_client.get("/redemptions", page=2, pageSize=2)
    assert ids(second) == ["1"]
    assert second.json()["data"]["pagination"] == {
        "total": 3, "page": 2, "pageSize": 2, "totalPages": 2, "nextCursor": None
    }  # fmt: skip
    for page in (3, 10**30):
        assert ids(await api_client.get("/redemptions", page=page, pageSize=2)) == []
    assert ids(await api_client.get("/redemptions", pageSize=100)) == ["3", "2", "1"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"pageSize": 101}, "pageSize"),
        ({"pageSize": 0}, "pageSize"),
        ({"page": 0}, "page"),
        ({"page": "two"}, "page"),
        ({"status": "LOST"}, "status"),
        ({"channel": "0"}, "channel"),
        ({"owner": "0x12"}, "owner"),
        ({"owner": "0xF39fd6e51aad88F6F4ce6aB8827279cffFb92266"}, "owner"),
        ({"startDate": "yesterday"}, "startDate"),
        ({"startDate": "2026-03-03", "endDate": "2026-03-02"}, "endDate"),
    ],
)
async def test_invalid_filter_or_page_is_named(api_client: ApiClient, query: dict[str, Any], field: str) -> None:
    answer = await api_client.get("/redemptions", **query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == [field]


async def test_redemption_shows_its_timeline_in_order(api_client: ApiClient, app_context: AppContext) -> None:
    """Requested, ticket, vote, call queued, approved on chain, ticket closed; chain time is years ahead of database time."""
    ahead = BLOCK_TIME + timedelta(days=3_650)
    policy, vera = FIRST_POLICY, api_client.accounts.account("vera")
    await grant_approver_role(app_context.database, api_client.accounts, "vera")
    async with app_context.database.write() as session:
        session.add(request_row(1, owner=wallet(api_client, "ines"), requested_at=ahead))
        block = await add_block(session, 7, at=ahead)
        session.add(log_row(block, "RedemptionRequested", 1, {"requestId": "1"}))
        session.add(locked_nav_row(block, 1, 1_010_000_000_000_000_000))
    async with app_context.database.write() as session:
        redemption = await find_redemption(session, 1)
        assert redemption is not None
        assert await open_ticket_if_needed(session, redemption, policy, now=await database_now(session))
    signing = (await api_client.get("/approvals/TKT-R000001", by="vera")).json()["data"]["signing"]
    await api_client.post("/approvals/TKT-R000001/approve", signed_body(signing["approve"], vera, reason="checked"), by="vera")
    async with app_context.database.write() as session:
        row = (await session.scalars(select(RedemptionRequestRow))).one()
        row.status, row.settlement_at = RedemptionStatus.APPROVED, ahead + timedelta(days=7)
        block = await add_block(session, 9, at=ahead + timedelta(minutes=1))
        session.add(
            log_row(block, "RedemptionApproved", 1, {"requestId": "1", "approver": api_client.accounts.address("approver")})
        )
    async with app_context.database.write() as session:
        redemption = await find_redemption(session, 1)
        assert redemption is not None
        assert await adopt_chain_outcome(session, redemption, now=await database_now(session))

    answer = await api_client.get("/redemptions/1")
    require_example(answer, "redemption")
    data = answer.json()["data"]
    assert [entry["kind"] for entry in data["timeline"]] == [
        "RedemptionRequested",
        "ticket.opened",
        "vote.approve",
        "intent.queued",
        "RedemptionApproved",
        "ticket.closed",
    ]
    assert [entry["source"] for entry in data["timeline"]] == [
        "chain",
        "system",
        "users",
        "system",
        "chain",
        "system",
    ]
    assert data["timeline"][0]["at"] == "2036-02-28T10:00:00Z"
    assert data["timeline"][0]["details"]["blockNumber"] == 7
    assert data["lockedNav"] == "1010000000000000000"
    assert (data["ticket"]["status"], data["ticket"]["decidedExternally"]) == ("APPROVED", False)
    assert data["settlementIntent"] is None


@pytest.mark.usefixtures("three_requests")
async def test_missing_parts_are_null_and_unknown_requests_are_404(api_client: ApiClient) -> None:
    data = (await api_client.get("/redemptions/2")).json()["data"]
    assert (data["lockedNav"], data["ticket"], data["settlementIntent"], data["timeline"]) == (None, None, None, [])
    for unknown in (4711, 2**256 - 1):
        answer = await api_client.get(f"/redemptions/{unknown}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")
    for malformed in (2**256, "-1", "0x1", "one", "1.0", "٣"):
        answer = await api_client.get(f"/redemptions/{malformed}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


async def test_operator_settles_a_request_due_by_chain_time_once(api_client: ApiClient, app_context: AppContext) -> None:
    due_at = BLOCK_TIME + timedelta(days=7)
    small = {"requires_approval": False, "status": RedemptionStatus.PENDING, "settlement_at": due_at}
    async with app_context.database.write() as session:
        session.add(request_row(1, owner=wallet(api_client, "ines"), **small))
        session.add(request_row(2, owner=wallet(api_client, "ines")))
        await add_block(session, 1, at=due_at - timedelta(seconds=1))
    early = await api_client.sign(*SETTLE, by="otto")
    assert (early.status_code, early.json()["error"]["code"]) == (409, "CONFLICT")
    assert "2026-03-09 10:00:00" in early.json()["error"]["message"]
    async with app_context.database.write() as session:
        await add_block(session, 2, at=due_at)
    require_example(await api_client.propose(*SETTLE, by="otto"), "signed_action")
    settled = await api_client.sign(*SETTLE, by="otto")
    assert settled.status_code == 202, settled.text
    require_example(settled, "settle")
    again = await api_client.sign(*SETTLE, by="otto")
    assert again.json()["data"]["id"] == settled.json()["data"]["id"]
    assert (await api_client.get("/redemptions/1")).json()["data"]["settlementIntent"]["unfunded"] is False
    unapproved = await api_client.sign("settle_redemption", "/redemptions/2", by="otto")
    assert (unapproved.status_code, unapproved.json()["error"]["code"]) == (409, "CONFLICT")
    assert (await api_client.sign("settle_redemption", "/redemptions/99", by="otto")).status_code == 404
    viewer = await api_client.sign(*SETTLE, by="willa")
    assert (viewer.status_code, viewer.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert (await api_client.post("/redemptions/1/settle", by=None)).status_code == 401


async def test_settlement_is_refused_while_chain_time_is_unknown(api_client: ApiClient, app_context: AppContext) -> None:
    async with app_context.database.write() as session:
        session.add(request_row(1, owner=wallet(api_client, "ines")))
    answer = await api_client.sign(*SETTLE, by="otto")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")


async def test_overview_is_the_last_snapshot_and_503_before_the_first(api_client: ApiClient, app_context: AppContext) -> None:
    missing = await api_client.get("/fund/overview")
    assert (missing.status_code, missing.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert "first snapshot" in missing.json()["error"]["message"]
    final = await app_context.chain.final_block(app_context.rpc)
    async with app_context.database.write() as session:
        await session.merge(CursorRow(id=1, number=final.number, hash=final.hash, timestamp=final.timestamp, epoch=1))
    await take_snapshot(
        app_context.database,
        app_context.contracts,
        FundDocuments(app_context.database, app_context.redis),
        material_threshold=app_context.settings.nav.material_threshold_bps,
        prices=ANY_PRICE,
    )
    answer = await api_client.get("/fund/overview")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    require_example(answer, "overview")
    data = answer.json()["data"]
    assert (data["block"]["number"], int(data["totalSupply"]) >= 20_000_000 * WAD) == (final.number, True)


async def test_reads_need_a_signed_in_user_and_health_does_not(api_client: ApiClient) -> None:
    for path in (
        "/auth/me",
        "/fund/overview",
        "/redemptions",
        "/redemptions/pending-approvals",
        "/redemptions/1",
        "/approvals",
        "/approvals/sla-report",
        "/approvals/TKT-R000001",
        "/system/config",
    ):
        answer = await api_client.get(path, by=None)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "AUTH_REQUIRED"), path
    for path in ("/system/health", "/health/live", "/health/ready"):
        assert (await api_client.get(path, by=None)).status_code == 200, path


async def test_stranger_learns_only_whether_all_is_well(api_client: ApiClient) -> None:
    seen = (await api_client.get("/system/health", by=None)).json()["data"]
    assert seen["components"] == []
    assert seen["status"] in ("OK", "DEGRADED"), "what is away, and how badly, is for users"
    shown = (await api_client.get("/system/health")).json()["data"]
    assert shown["components"]
    assert (seen["status"] == "OK") == (shown["status"] == "OK")
    wrong = await api_client.client.get("/api/v1/system/health", headers={"Authorization": "Bearer nonsense"})
    assert wrong.json()["data"]["components"] == []


async def test_config_shows_the_settings_without_secrets(api_client: ApiClient) -> None:
    answer = await api_client.get("/system/config")
    require_example(answer, "config")
    assert answer.json()["data"]["chainId"] == 31337
    settings = api_client.settings
    secrets = [settings.auth.token_secret, settings.database.url, settings.redis.url, settings.chain.rpc_url]
    assert not [secret for secret in secrets if secret.get_secret_value() in answer.text]


async def test_health_names_every_component_and_its_problem(api_client: ApiClient, app_context: AppContext) -> None:
    final = await app_context.chain.final_block(app_context.rpc)
    keeper = app_context.settings.sending.keeper
    async with app_context.database.write() as session:
        block = await add_block(session, max(final.number - 3, 0), at=final.timestamp - timedelta(seconds=90))
        await add_proof(session, RangeProof(block.number, block.number, ProofLevel.CHAINED))
        await record_endpoint_faults(
            session, [EndpointFault(app_context.rpc.endpoint, InvalidResponseKind.OMITTED_LOG, block.number, "left out")]
        )
        session.add(WalletRow(address=keeper, name="keeper", next_nonce=4, fault="nonce 3 was used by someone else"))
        session.add(
            OutboxMessageRow(
                kind="x", aggregate_id="1", payload={}, priority=OutboxPriority.HIGH, dead_lettered_at=block.timestamp
            )
        )
        await session.flush()
        session.add(
            IntentRow(
                idempotency_key="settle-redemption:1",
                payload_hash=bytes(32),
                kind="settle_redemption",
                wallet=keeper,
                to_address=bytes(20),
                data=b"",
                value_wei=0,
                subject_type="redemption",
                subject_id="1",
                unfunded=True,
                reason="InsufficientLiquidity(available=1, required=2)",
            )
        )
    await try_acquire(app_context.database, "listener", "host:1", ttl_seconds=30)
    await endpoints.store_endpoint_states(app_context.redis, app_context.rpc.endpoints())
    answer = await api_client.get("/system/health")
    require_example(answer, "health")
    data = answer.json()["data"]
    components = {component["name"]: component for component in data["components"]}
    assert data["status"] == "DEGRADED"
    assert {name: component["status"] for name, component in components.items()} == {
        "database": "OK",
        "redis": "OK",
        "node": "OK",
        "endpoints": "DEGRADED",
        "worker": "DOWN",
        "listener": "DEGRADED",
        "proof": "OK",  # chained by the only endpoint, which can prove no more
        "scheduler": "DOWN",
        "auditor": "DOWN",
        "outbox": "DEGRADED",
        "quarantine": "OK",
        "valuation": "OK",
        "risk": "OK",
        "notifications": "OK",
        "wallets": "DEGRADED",
        "intents": "DEGRADED",
        "signer": "DEGRADED",
        "redis_content": "OK",
        "live_messages": "OK",
        "request_limits": "OK",
    }
    assert components["listener"]["details"]["holder"] == "host:1"
    assert components["listener"]["details"]["lagSeconds"] >= 90
    assert components["listener"]["details"]["lagBlocks"] >= 3
    assert components["wallets"]["details"]["wallets"][0]["fault"] == "nonce 3 was used by someone else"
    assert components["intents"]["details"]["open"][0]["unfunded"] is True


async def test_probes_answer_at_the_paths_of_load_balancers(api_client: ApiClient) -> None:
    for path in ("/health/live", "/api/v1/health/live"):
        live = await api_client.client.get(path)
        require_example(live, "live")
    for path in ("/health/ready", "/api/v1/health/ready"):
        require_example(await api_client.client.get(path), "ready")


async def test_list_and_total_come_from_one_snapshot(api_client: ApiClient, app_context: AppContext) -> None:
    """Requests are added while pages are read; items and total of one response always agree."""

    async def arrive() -> None:
        for request_id in range(1, 30):
            async with app_context.database.write() as session:
                session.add(request_row(request_id, owner=wallet(api_client, "ines")))

    arriving = asyncio.create_task(arrive())
    while not arriving.done():
        data = orjson.loads((await api_client.get("/redemptions", pageSize=100)).content)["data"]
        assert len(data["items"]) == data["pagination"]["total"]
    await arriving
