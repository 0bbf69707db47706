"""Reconciliation breaks as risk events: recorded, alerted, acknowledged, and resolved by the first clean reconciliation."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select, text
from tests.support.api_client import ApiClient, require_example
from tests.support.chain.fund import WAD, TestFund
from tests.support.chain.recording import record_all
from tests.support.database_roles import context_of
from tests.support.scenarios.fund_activity import FundActivity, snapshot_now

from paimon.application.common.topics import RECONCILE
from paimon.application.reconciliation.fund_figures import chain_request_figures
from paimon.application.reconciliation.publish import reconcile_and_publish, reconcile_if_due
from paimon.application.reconciliation.reconcile import Reconciliation
from paimon.application.risk_control.record_findings import RISK_EVENT
from paimon.application.risk_control.store import lock_event, save
from paimon.application.risk_control.triage import acknowledge_event
from paimon.composition import AppContext
from paimon.domain.kernel.chain import parse_address
from paimon.domain.risk.nav_publication import MATERIAL_THRESHOLD, NavStatus
from paimon.domain.risk.risk_event import RiskStatus, Severity, acknowledge
from paimon.domain.user.roles import User, UserRole
from paimon.gateway.fund_documents import FundDocuments
from paimon.gateway.tasks.handlers import handlers
from paimon.gateway.views.live_messages import live_document
from paimon.infrastructure.database.models.ops.nav import NavPointRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.reconciliation import ReconciliationRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.queue.handler import handle

pytestmark = pytest.mark.integration

_ADD_SHARES = text("""
    UPDATE derived.share_balances SET shares = shares + :by WHERE holder = (SELECT min(holder) FROM derived.share_balances)
""")


async def run_reconciliation(app_context: AppContext) -> Reconciliation:
    async with context_of(DatabaseRole.WORKER, app_context) as worker:
        documents = FundDocuments(worker.database, worker.redis)
        return await reconcile_and_publish(worker.database, worker.contracts, documents, material_threshold=MATERIAL_THRESHOLD)


async def corrupt_holding(app_context: AppContext, by: int) -> None:
    """Add shares to one recorded holding."""
    async with app_context.database.write() as session:
        await session.execute(_ADD_SHARES, {"by": by})


async def event_rows(app_context: AppContext) -> list[RiskEventRow]:
    async with app_context.database.read() as session:
        return list(await session.scalars(select(RiskEventRow).order_by(RiskEventRow.id)))


async def due_messages(app_context: AppContext, kind: str) -> list[int]:
    async with app_context.database.read() as session:
        query = select(OutboxMessageRow.id).where(OutboxMessageRow.kind == kind, OutboxMessageRow.done_at.is_(None))
        return list(await session.scalars(query.order_by(OutboxMessageRow.id)))


async def handle_messages(app_context: AppContext, kind: str) -> list[tuple[str, dict[str, Any]]]:
    """Handle every due message of a kind as a worker does; return the live messages."""
    published = []
    async with context_of(DatabaseRole.WORKER, app_context) as worker:
        for message_id in await due_messages(app_context, kind):
            for message in await handle(worker.database, handlers(worker), message_id, attempts_max=1, backoff_seconds_max=1):
                published.append((message.channel, live_document(message)))
    return published


@pytest.fixture
async def differing(app_context: AppContext, fund: TestFund) -> Reconciliation:
    """One holding, and with it the supply, is wrong by 10 000 shares."""
    await snapshot_now(app_context, fund)
    await corrupt_holding(app_context, 10_000 * WAD)
    return await run_reconciliation(app_context)


async def test_break_opens_one_event_and_alerts_once(app_context: AppContext, differing: Reconciliation) -> None:
    opened = await event_rows(app_context)
    assert {row.subject for row in opened} == {discrepancy.subject for discrepancy in differing.discrepancies}
    assert len(opened) == 2
    (supply,) = [row for row in opened if row.subject == "supply"]
    assert int(supply.observed) - int(supply.expected) == 10_000 * WAD
    assert (supply.severity, supply.status, supply.owner_role) == (Severity.CRITICAL, RiskStatus.OPEN, UserRole.ADMIN)
    assert supply.first_seen_block == supply.last_seen_block == differing.at.number
    alerts = await handle_messages(app_context, RISK_EVENT)
    assert [channel for channel, _ in alerts] == ["risk:alert"] * 2
    assert {data["subject"] for _, data in alerts} == {row.subject for row in opened}
    await run_reconciliation(app_context)
    assert len(await event_rows(app_context)) == 2
    assert await handle_messages(app_context, RISK_EVENT) == []


async def test_break_found_again_updates_its_event(app_context: AppContext, fund: TestFund, differing: Reconciliation) -> None:
    fund.send("ada", "Vault", "updateNav")
    await record_all(app_context, fund)
    await corrupt_holding(app_context, WAD)
    later = await run_reconciliation(app_context)
    for row in await event_rows(app_context):
        assert (row.first_seen_block, row.last_seen_block) == (differing.at.number, later.at.number)
        assert int(row.observed) - int(row.expected) == 10_001 * WAD


async def test_clean_reconciliation_resolves_breaks_and_a_return_opens_new_events(
    app_context: AppContext, differing: Reconciliation
) -> None:
    await corrupt_holding(app_context, -10_000 * WAD)
    clean = await run_reconciliation(app_context)
    assert (clean.discrepancies, clean.events) == ((), ())
    ended = await event_rows(app_context)
    assert {(row.status, row.resolved_block, row.resolved_by) for row in ended} == {
        (RiskStatus.RESOLVED, clean.at.number, None)
    }
    await corrupt_holding(app_context, 10_000 * WAD)
    await run_reconciliation(app_context)
    assert [row.status for row in await event_rows(app_context)] == [RiskStatus.RESOLVED] * 2 + [RiskStatus.OPEN] * 2


async def test_grown_break_reopens_and_withholds_nav_although_acknowledged(app_context: AppContext, fund: TestFund) -> None:
    taken = await snapshot_now(app_context, fund)
    await corrupt_holding(app_context, 1_000 * WAD)
    small = await run_reconciliation(app_context)
    assert {event.finding.severity for event in small.events} == {Severity.WARNING}
    assert {event.owner for event in small.events} == {UserRole.OPERATOR}
    otto = User(parse_address(fund.accounts.address("otto")), UserRole.OPERATOR, "otto")
    for event in small.events:
        await acknowledge_event(app_context.database, event.id, by=otto, scope=app_context.signing_rules.scope)
    assert await handle_messages(app_context, RISK_EVENT) == []
    await corrupt_holding(app_context, 9_000 * WAD)
    fund.send("ada", "Vault", "updateNav")
    second = await snapshot_now(app_context, fund)
    large = await run_reconciliation(app_context)
    assert {(event.finding.severity, event.status, event.owner) for event in large.events} == {
        (Severity.CRITICAL, RiskStatus.OPEN, otto.address)
    }
    assert len(await handle_messages(app_context, RISK_EVENT)) == 2
    for event in large.events:
        await acknowledge_event(app_context.database, event.id, by=otto, scope=app_context.signing_rules.scope)
    await run_reconciliation(app_context)
    async with app_context.database.read() as session:
        points = {row.block_number: row.status for row in await session.scalars(select(NavPointRow))}
    assert points == {taken.at.number: NavStatus.PUBLISHED, second.at.number: NavStatus.WITHHELD}


async def test_overtaken_reconciliation_changes_no_event(app_context: AppContext, differing: Reconciliation) -> None:
    before = [(row.id, row.status, row.last_seen_block) for row in await event_rows(app_context)]
    async with app_context.database.write() as session:
        later = {"block_number": differing.at.number + 5, "block_hash": differing.at.hash}
        session.add(ReconciliationRow(figures_compared=1, discrepancies=[], **later))
    await corrupt_holding(app_context, -10_000 * WAD)
    overtaken = await run_reconciliation(app_context)
    assert overtaken.discrepancies == ()
    assert [(row.id, row.status, row.last_seen_block) for row in await event_rows(app_context)] == before


async def test_concurrent_reconciliations_open_each_event_once(app_context: AppContext, fund: TestFund) -> None:
    await snapshot_now(app_context, fund)
    await corrupt_holding(app_context, 10_000 * WAD)
    await asyncio.gather(*(run_reconciliation(app_context) for _ in range(4)))
    assert sorted(row.subject for row in await event_rows(app_context)) == sorted(
        {row.subject for row in await event_rows(app_context)}
    )


async def test_reconciliation_and_acknowledgement_do_not_block_each_other(
    app_context: AppContext, fund: TestFund, differing: Reconciliation, eventually: Callable[..., Any]
) -> None:
    """The user who has the row goes on, and the reconciliation waits: the acknowledgement is not lost."""
    otto = User(parse_address(fund.accounts.address("otto")), UserRole.OPERATOR, "otto")

    async def reconciliation_waits() -> bool:
        async with app_context.database.read() as session:
            return bool(await session.scalar(text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")))

    async with app_context.database.write() as session:
        event = await lock_event(session, differing.events[0].id)
        reconciling = asyncio.create_task(run_reconciliation(app_context))
        await eventually(reconciliation_waits)
        await save(session, [acknowledge(event, otto, now=event.first_seen.at, note="mine")])
    result = await reconciling
    (acknowledged,) = [found for found in result.events if found.id == event.id]
    assert (acknowledged.status, acknowledged.owner, acknowledged.note) == (RiskStatus.ACKNOWLEDGED, otto.address, "mine")


async def test_many_breaks_are_all_recorded_and_the_most_severe_alerted(app_context: AppContext, fund: TestFund) -> None:
    await snapshot_now(app_context, fund)
    async with app_context.database.write() as session:
        await session.execute(
            text("""
                INSERT INTO derived.share_balances (holder, shares, locked_shares, since)
                SELECT decode(lpad(to_hex(number + 65536), 40, '0'), 'hex'), number, 0, now()
                  FROM generate_series(1, 120) AS number
            """)
        )
    result = await run_reconciliation(app_context)
    assert len(await event_rows(app_context)) == len(result.discrepancies) == 121
    assert len(await due_messages(app_context, RISK_EVENT)) == 50


async def test_reconciliation_runs_once_for_a_burst_of_events(app_context: AppContext, fund: TestFund) -> None:
    taken = await snapshot_now(app_context, fund)

    async def reconciliation_count() -> int:
        async with app_context.database.read() as session:
            return int(await session.scalar(select(func.count()).select_from(ReconciliationRow)) or 0)

    for _ in range(2):
        since = taken.at.number
        await reconcile_if_due(
            app_context.database,
            app_context.contracts,
            FundDocuments(app_context.database, app_context.redis),
            since=since,
            material_threshold=MATERIAL_THRESHOLD,
        )
    assert await reconciliation_count() == 1


async def test_unexplained_nav_change_opens_an_event_and_queues_a_reconciliation(
    app_context: AppContext, fund: TestFund, api_client: ApiClient
) -> None:
    await snapshot_now(app_context, fund)
    FundActivity(fund).act("ada", "TestToken", fund.deployment.usdt, "mint", fund.deployment.vault, 7 * WAD)
    await snapshot_now(app_context, fund)
    await snapshot_now(app_context, fund)  # at the same block: recorded once
    (event,) = await event_rows(app_context)
    assert (event.kind, event.severity) == ("NAV_UNEXPLAINED", Severity.WARNING)
    assert event.observed.startswith(f"{7 * WAD} (")
    await handle_messages(app_context, RECONCILE)
    assert await due_messages(app_context, RECONCILE) == []
    (event,) = await event_rows(app_context)
    assert event.status is RiskStatus.OPEN, "no reconciliation can clear it"
    resolved = await api_client.sign("resolve_risk_event", f"/risk/events/{event.id}", by="otto", reason="a gift")
    assert resolved.status_code == 200
    data = resolved.json()["data"]
    assert (data["status"], data["resolvedBy"], data["note"]) == ("RESOLVED", api_client.accounts.address("otto"), "a gift")
    await snapshot_now(app_context, fund)
    assert len(await event_rows(app_context)) == 1


async def test_unknown_enum_number_is_a_break(app_context: AppContext, fund: TestFund) -> None:
    fund.request("ines", 10_000)
    await record_all(app_context, fund)
    contracts = app_context.contracts
    request = await contracts.read_one(contracts.redemption_manager.request(1), at=(await run_reconciliation(app_context)).at)
    figures = chain_request_figures(request._replace(status=9, channel=7), with_nav=False)
    assert (figures["request 1 status"], figures["request 1 channel"]) == ("9 (unknown)", "7 (unknown)")


async def test_risk_events_over_rest(api_client: ApiClient, app_context: AppContext, differing: Reconciliation) -> None:
    answer = await api_client.get("/risk/events", status="OPEN", severity="CRITICAL", kind="RECONCILIATION_BREAK")
    require_example(answer, "risk_events")
    listed = answer.json()["data"]
    assert listed["pagination"]["total"] == 2
    assert (await api_client.get("/risk/events", severity="WARNING")).json()["data"]["items"] == []
    (supply,) = [item for item in listed["items"] if item["subject"] == "supply"]
    path = f"/risk/events/{supply['id']}"
    taken = await api_client.post(f"{path}/acknowledge", {"note": "comparing with a second node"}, by="otto")
    require_example(taken, "risk_event")
    data = taken.json()["data"]
    assert (data["status"], data["owner"], data["acknowledgedBy"]) == (
        "ACKNOWLEDGED",
        *[api_client.accounts.address("otto")] * 2,
    )
    given = (await api_client.post(f"{path}/acknowledge", {"owner": "super_admin"}, by="otto")).json()["data"]
    assert (given["owner"], given["note"]) == ("super_admin", "comparing with a second node")
    refused = await api_client.sign("resolve_risk_event", path, by="ada", reason="looks fine to me")
    assert refused.status_code == 409
    assert f"found by the reconciliation at block {differing.at.number}" in refused.json()["error"]["message"]
    assert [row.status for row in await event_rows(app_context)].count(RiskStatus.RESOLVED) == 0
    await corrupt_holding(app_context, -10_000 * WAD)
    clean = await run_reconciliation(app_context)
    (done, _) = (await api_client.get("/risk/events")).json()["data"]["items"]
    assert (done["status"], done["resolvedBlock"]) == ("RESOLVED", clean.at.number)
    late = await api_client.post(f"{path}/acknowledge", {}, by="otto")
    assert (late.status_code, late.json()["error"]["code"]) == (409, "CONFLICT")


@pytest.mark.parametrize(
    ("path", "body", "by", "status"),
    [
        ("1/acknowledge", {}, None, 401),
        ("1/acknowledge", {}, "willa", 403),
        ("4711/acknowledge", {}, "otto", 404),
        ("1/acknowledge", {"owner": "the boss"}, "otto", 400),
        ("1/acknowledge", {"owner": "0x" + "77" * 20}, "otto", 400),
        ("1/resolve", {}, "otto", 400),
    ],
)
async def test_risk_event_requests_are_refused(
    api_client: ApiClient,
    app_context: AppContext,
    differing: Reconciliation,
    path: str,
    body: dict[str, Any],
    by: str | None,
    status: int,
) -> None:
    before = [(row.status, row.owner_role, row.owner_address) for row in await event_rows(app_context)]
    answer = await api_client.post(f"/risk/events/{path}", body, by=by)
    assert answer.status_code == status, answer.text
    if status == 400 and "owner" in body:
        assert [detail["field"] for detail in answer.json()["error"]["details"]] == ["owner"]
    assert [(row.status, row.owner_role, row.owner_address) for row in await event_rows(app_context)] == before
