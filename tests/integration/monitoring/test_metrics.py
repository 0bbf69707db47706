"""`GET /metrics`: figures of a real system, bounded in time, and every metric that alerts and the dashboard read."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import aiohttp
import pytest
from eth_utils.crypto import keccak
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from psycopg.types.json import Jsonb
from sqlalchemy import text
from tests.support.api_client import ApiClient, add_block, api_client_for, log_row, running_app, seed_users
from tests.support.assertions.alert_rules import dashboard_expressions, metric_references, rules
from tests.support.chain.fund import TestFund
from tests.support.factories.rows import insert_row
from tests.support.outbox import add, handled

from paimon.application.event_listener.fetch.block_range import EndpointFault
from paimon.application.event_listener.fetch.store import add_proof, record_endpoint_faults
from paimon.application.event_listener.ingest.new_heads import NewHeadsSubscription
from paimon.application.monitoring.queries import read_figures
from paimon.composition import AppContext
from paimon.domain.chain.range_proof import InvalidResponseKind, ProofLevel, RangeProof
from paimon.domain.events.log_status import LogStatus
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.risk.risk_event import RiskKind
from paimon.domain.risk.risk_policy import RiskLevel
from paimon.infrastructure.database.leases import release, try_acquire
from paimon.infrastructure.database.models.derived import ObservationRow
from paimon.infrastructure.database.models.ops.contract_facts import ContractFactsRow
from paimon.infrastructure.database.models.ops.fund_risk import RiskAssessmentRow
from paimon.infrastructure.database.models.ops.notification import NotificationRow
from paimon.infrastructure.database.models.ops.reconciliation import ReconciliationRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow, WalletRow
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.observability.exposition import render_metrics, serve_metrics
from paimon.infrastructure.queue.handler import Handler
from paimon.settings import Settings
from paimon_devkit.stack.ports import free_port

pytestmark = pytest.mark.integration

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


ACTIVE_QUERIES = """
    SELECT count(*) FROM pg_stat_activity
     WHERE state = 'active' AND query LIKE '%ops.outbox%' AND pid <> pg_backend_pid()
"""


async def scraped(port: int) -> Samples:
    async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain")
        return samples(await answer.text())


def samples(exposed: str) -> Samples:
    families: list[Metric] = list(text_string_to_metric_families(exposed))
    return {(sample.name, frozenset(sample.labels.items())): sample.value for family in families for sample in family.samples}


def value(found: Samples, name: str, **labels: str) -> float:
    return found[f"paimon_{name}", frozenset(labels.items())]


@pytest.fixture
async def recorded_block(app_context: AppContext) -> int:
    """Write something for every figure, with a lost scheduler; return the last recorded block, which is behind the chain."""
    final = await app_context.chain.final_block(app_context.rpc)
    async with app_context.database.write() as session:
        block = await add_block(session, final.number - 1, at=final.timestamp)
        for index, status in enumerate((LogStatus.QUARANTINED, LogStatus.QUARANTINED, LogStatus.SKIPPED)):
            log = log_row(block, "RedemptionSettled", 9, {"requestId": "9"}, index=index)
            log.status, log.reason = status, "odd" if status is LogStatus.QUARANTINED else None
            session.add(log)
        unknown = log_row(block, "RedemptionSettled", 9, {}, index=3)
        unknown.status, unknown.event, unknown.args, unknown.request_id = LogStatus.UNKNOWN, None, None, None
        unknown.topics = [bytes(keccak(text="CallSalt(bytes32,bytes32)"))]
        session.add(unknown)
        await insert_row(
            session, ContractFactsRow, functions=Jsonb({"emergencyMode()": "PRESENT", "setEmergencyMode(bool)": "PRESENT"})
        )
        at = {
            "block_number": block.number,
            "block_hash": block.hash,
            "block_timestamp": block.timestamp - timedelta(seconds=90),
        }
        await insert_row(session, ObservationRow, kind="fund_latest", subject="fund", **at)
        seen = {"seen_block": 1, "latest_nonce": 0, "final_nonce": 0, "balance_wei": 10**40}
        await insert_row(session, WalletRow, **seen, fault="used elsewhere", seen_at=block.recorded_at)
        await insert_row(session, IntentRow)
        await insert_row(session, RiskEventRow)
        await insert_row(session, RiskEventRow, kind=RiskKind.PRICE_UNTRUSTED, subject="price of 0x01")
        await insert_row(session, ReconciliationRow, discrepancies=[])
        await insert_row(session, NotificationRow, created_at=block.timestamp)
        await insert_row(session, RiskAssessmentRow, level=RiskLevel.HIGH, score=42.5)
        await add_proof(session, RangeProof(block.number, block.number, ProofLevel.AGREED))
        await record_endpoint_faults(session, [EndpointFault("a:1", InvalidResponseKind.OMITTED_LOG, 7, "left out")])
    ids = await add(app_context.database, "a", "b", priority=OutboxPriority.CRITICAL)
    await add(app_context.database, "c")
    async with app_context.database.write() as session:
        await session.execute(text("UPDATE ops.outbox SET available_at = now() - interval '90 s'"))
        await session.execute(text("UPDATE ops.outbox SET dead_lettered_at = now() WHERE id = :id"), {"id": ids[0]})
    for name in ("listener", "auditor"):
        await try_acquire(app_context.database, name, "host:1", ttl_seconds=30)
    lost = await try_acquire(app_context.database, "scheduler", "host:2", ttl_seconds=30)
    assert lost is not None
    await release(app_context.database, lost)
    return block.number


async def test_metrics_show_the_figures_of_the_system(app_context: AppContext, recorded_block: int) -> None:
    port = free_port()
    async with serve_metrics("listener", "127.0.0.1", port, app_context.new_metrics_scraper().collect):
        found = await scraped(port)
    final = value(found, "chain_final_block")
    assert value(found, "database_up") == value(found, "node_up") == 1
    assert final <= (await app_context.chain.final_block(app_context.rpc)).number
    assert value(found, "chain_head_block") - final == value(found, "chain_finality_lag_blocks") > 0
    assert value(found, "listener_processed_block") == recorded_block
    assert value(found, "listener_lag_blocks") == final - recorded_block >= 1
    assert value(found, "listener_lag_seconds") >= 0
    assert value(found, "lease_held", lease="listener", holder="host:1") == 1
    assert value(found, "lease_held", lease="scheduler", holder="host:2") == 0
    assert value(found, "lease_epoch", lease="listener") == 1
    depths = {priority.value: value(found, "outbox_depth", priority=priority.value) for priority in OutboxPriority}
    assert depths == {"critical": 1, "high": 0, "normal": 1, "chain": 0, "reports": 0}
    assert value(found, "outbox_oldest_age_seconds", priority="critical") >= 90
    assert value(found, "outbox_dead_lettered") == 1
    assert (value(found, "quarantined_logs"), value(found, "skipped_logs")) == (2, 1)
    assert value(found, "risk_events_unresolved", severity="CRITICAL") == 2
    assert value(found, "risk_events_unresolved", severity="WARNING") == 0
    assert (value(found, "risk_level"), value(found, "risk_score")) == (3, 42.5)
    assert value(found, "risk_assessment_age_seconds") >= 60
    assert value(found, "untrusted_prices") == 1
    assert value(found, "notifications_unsent", channel="operators", status="waiting") == 1
    assert value(found, "notifications_late_seconds", channel="operators") > 0
    assert value(found, "snapshot_age_seconds") == 90
    assert value(found, "contract_capability", capability="emergency_mode") == 1
    assert value(found, "contract_capability", capability="valuation") == 0
    assert value(found, "unknown_logs", contract="RedemptionManager", event="CallSalt(bytes32,bytes32)") == 1
    assert value(found, "intents_open", status="QUEUED") == 1
    assert value(found, "wallet_fault", wallet="keeper") == 1
    assert value(found, "wallet_balance_wei", wallet="keeper") == 1e40
    assert value(found, "wallet_low_balance_wei", wallet="keeper") == 5e16
    assert value(found, "reconciliation_breaks") == 0
    assert value(found, "proof_level", range="newest") == value(found, "proof_level", range="weakest") == 2
    assert value(found, "unproven_blocks") == 0
    assert value(found, "endpoint_faults_total", endpoint="a:1", kind="omitted_log") == 1
    assert 0 <= value(found, "endpoint_fault_age_seconds", endpoint="a:1", kind="omitted_log") < 3_600
    assert [name for name, labels in found if name == "paimon_build_info" and ("process", "listener") in labels]


async def test_metrics_work_before_the_first_block(app_context: AppContext) -> None:
    figures = await read_figures(app_context.database, timeout_seconds=2)
    assert (figures.recorded, figures.reconciliation, figures.depth, figures.wallets) == (None, None, 0, ())
    found = samples((await render_metrics(app_context.new_metrics_scraper().collect)).decode())
    assert value(found, "outbox_depth", priority="critical") == 0
    assert not [name for name, _ in found if name in ("paimon_listener_lag_seconds", "paimon_listener_processed_block")]


async def test_scrape_is_bounded_when_the_database_hangs(app_context: AppContext, database: Database) -> None:
    """A transaction holds a lock on the outbox; the node's figures are reported all the same."""
    scraper = app_context.new_metrics_scraper()
    scraper.timeout_seconds = 0.5
    async with database.write() as blocking:
        await blocking.execute(text("LOCK TABLE ops.outbox"))
        found = samples((await render_metrics(scraper.collect)).decode())
    assert (value(found, "database_up"), value(found, "node_up")) == (0, 1)
    assert not [name for name, _ in found if name == "paimon_outbox_dead_lettered"], "absent, not zero"
    async with database.read() as session:
        assert (await session.execute(text(ACTIVE_QUERIES))).scalar_one() == 0, "the server ended it too"


async def test_concurrent_scrapes_share_one_collection(app_context: AppContext) -> None:
    scraper = app_context.new_metrics_scraper()
    first, *others = await asyncio.gather(*(scraper.collect() for _ in range(20)))
    assert all(other is first for other in others)


async def test_taken_metrics_port_stops_no_process(app_context: AppContext) -> None:
    port = free_port()
    async with serve_metrics("listener", "127.0.0.1", port), serve_metrics("listener", "127.0.0.1", port):
        assert await scraped(port)
    async with serve_metrics("listener", "127.0.0.1", None):
        pass


async def is_connected(port: int) -> bool:
    return any(value == 1 for (name, _), value in (await scraped(port)).items() if name == "paimon_new_heads_connected")


@asynccontextmanager
async def measured_api(settings: Settings, app_context: AppContext, fund: TestFund) -> AsyncIterator[tuple[ApiClient, int]]:
    port = free_port()
    measured = settings.model_copy(update={"metrics": settings.metrics.model_copy(update={"api_port": port})})
    await seed_users(app_context.database, fund)
    async with running_app(measured) as app, api_client_for(app, measured, fund.accounts) as api_client:
        yield api_client, port


@pytest.mark.usefixtures("recorded_block")
async def test_alerts_and_panels_read_existing_metrics(
    settings: Settings, app_context: AppContext, fund: TestFund, eventually: Callable[..., Any]
) -> None:
    """Compare rules and panels with the scraped text, after each counted thing happened once."""
    message_id, _ = await add(app_context.database, "done", "failed")
    await handled(app_context.database, message_id, Handler())
    new_heads = asyncio.create_task(NewHeadsSubscription(fund.node.ws_url, poll_seconds=1, silence_seconds=10).listen())
    async with measured_api(settings, app_context, fund) as (api_client, port):
        assert (await api_client.get("/redemptions/99")).status_code == 404
        await eventually(partial(is_connected, port))
        found = await scraped(port)
    new_heads.cancel()
    await asyncio.gather(new_heads, return_exceptions=True)
    labels_of: dict[str, list[dict[str, str]]] = {}
    for name, labels in found:
        labels_of.setdefault(name, []).append(dict(labels))
    assert {"method": "GET", "route": "/redemptions/{requestId}", "status": "404"} in labels_of["paimon_http_requests_total"]
    for expression in [*(rule["expr"] for rule in rules()), *dashboard_expressions()]:
        for reference in metric_references(expression):
            assert reference.metric in labels_of, f"{expression}: no metric is called {reference.metric}"
            known = set().union(*labels_of[reference.metric])
            assert reference.labels <= known, f"{expression}: {reference.metric} has only {known}"
            for label, pattern in reference.values:
                if label != "status":  # no request has failed, which is no fault
                    seen = {labels[label] for labels in labels_of[reference.metric]}
                    assert any(re.fullmatch(pattern, value) for value in seen), f"{expression}: {label} is one of {seen}"
    gone = samples((await render_metrics()).decode())
    assert not [name for name, _ in gone if name == "paimon_new_heads_connected"], (
        "a process without a subscription has no sample"
    )
