"""What `GET /metrics` gives: figures of a real house, bounded, and all that alerts and the dashboard ask for."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from tests.support.alerts import asked_by, dashboard_expressions, rules
from tests.support.api import Desk, add_block, desk_of, log_row, seed_back_office, serving
from tests.support.messages import add, handled
from tests.support.rows import put
from tests.support.testfund import TestFund

from paimon.application.event_listener.doorbell import Doorbell
from paimon.application.event_listener.fetch import Caught
from paimon.application.event_listener.proofs import add_proof, count_lies
from paimon.application.monitoring.figures import read_figures
from paimon.composition import House
from paimon.domain.proof import Lie, ProofLevel, RangeProof
from paimon.gateway.cli.demo.ports import free_port
from paimon.infrastructure.database.leases import release, try_take
from paimon.infrastructure.database.models.derived import LogStatus
from paimon.infrastructure.database.models.owned import BookCheck, OutboxPriority, TransactionIntent, Wallet
from paimon.infrastructure.database.models.risk import RiskEventRow
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.observability.exposition import exposing, exposition
from paimon.infrastructure.queue.inbox import Handler
from paimon.settings import Settings

pytestmark = pytest.mark.integration

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


STILL_ASKING = """
    SELECT count(*) FROM pg_stat_activity
     WHERE state = 'active' AND query LIKE '%owned.outbox%' AND pid <> pg_backend_pid()
"""


async def scraped(port: int) -> Samples:
    async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain")
        return samples(await answer.text())


def samples(exposed: str) -> Samples:
    families: list[Metric] = list(text_string_to_metric_families(exposed))
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


def value(found: Samples, name: str, **labels: str) -> float:
    return found[f"paimon_{name}", frozenset(labels.items())]


@pytest.fixture
async def busy(house: House) -> int:
    """A house with something of everything, its scheduler lost; the last recorded block, which the chain has left behind."""
    final = await house.chain.final_block(house.rpc)
    async with house.database.write() as session:
        block = await add_block(session, final.number - 1, at=final.timestamp)
        for index, status in enumerate((LogStatus.QUARANTINED, LogStatus.QUARANTINED, LogStatus.SKIPPED)):
            log = log_row(block, "RedemptionSettled", 9, {"requestId": "9"}, index=index)
            log.status, log.reason = status, "odd" if status is LogStatus.QUARANTINED else None
            session.add(log)
        seen = {"seen_block": 1, "used_at_latest": 0, "used_at_final": 0, "balance_wei": 10**40}
        await put(session, Wallet, **seen, trouble="used elsewhere", seen_at=block.recorded_at)
        await put(session, TransactionIntent)
        await put(session, RiskEventRow)
        await put(session, BookCheck, differences=[])
        await add_proof(session, RangeProof(block.number, block.number, ProofLevel.AGREED))
        await count_lies(session, [Caught("a:1", Lie.OMITTED_LOG, 7, "left out")])
    ids = await add(house.database, "a", "b", priority=OutboxPriority.CRITICAL)
    await add(house.database, "c")
    async with house.database.write() as session:
        await session.execute(text("UPDATE owned.outbox SET available_at = now() - interval '90 s'"))
        await session.execute(text("UPDATE owned.outbox SET dead_at = now() WHERE id = :id"), {"id": ids[0]})
    await try_take(house.database, "listener", "host:1", ttl_seconds=30)
    lost = await try_take(house.database, "scheduler", "host:2", ttl_seconds=30)
    assert lost is not None
    await release(house.database, lost)
    return block.number


async def test_the_figures_are_those_of_the_house(house: House, busy: int) -> None:
    port = free_port()
    async with exposing("listener", "127.0.0.1", port, house.new_scraper().collect):
        found = await scraped(port)
    final = value(found, "chain_final_block")
    assert value(found, "database_up") == value(found, "node_up") == 1
    assert final <= (await house.chain.final_block(house.rpc)).number
    assert value(found, "chain_head_block") - final == value(found, "chain_finality_lag_blocks") > 0
    assert value(found, "listener_processed_block") == busy
    assert value(found, "listener_lag_blocks") == final - busy >= 1
    assert value(found, "listener_lag_seconds") >= 0
    assert value(found, "lease_held", lease="listener", holder="host:1") == 1
    assert value(found, "lease_held", lease="scheduler", holder="host:2") == 0
    assert value(found, "lease_epoch", lease="listener") == 1
    depths = {each.value: value(found, "outbox_depth", priority=each.value) for each in OutboxPriority}
    assert depths == {"critical": 1, "high": 0, "normal": 1, "chain": 0, "reports": 0}
    assert value(found, "outbox_oldest_age_seconds", priority="critical") >= 90
    assert value(found, "outbox_dead") == 1
    assert (value(found, "quarantined_logs"), value(found, "skipped_logs")) == (2, 1)
    assert value(found, "risk_events_unresolved", severity="CRITICAL") == 1
    assert value(found, "risk_events_unresolved", severity="WARNING") == 0
    assert value(found, "intents_open", status="queued") == 1
    assert value(found, "wallet_trouble", wallet="keeper") == 1
    assert value(found, "wallet_balance_wei", wallet="keeper") == 1e40
    assert value(found, "wallet_low_balance_wei", wallet="keeper") == 5e16
    assert value(found, "book_differences") == 0
    assert value(found, "proof_level", range="newest") == value(found, "proof_level", range="weakest") == 2
    assert value(found, "unproven_blocks") == 0
    assert value(found, "endpoint_lies_total", endpoint="a:1", lie="omitted_log") == 1
    assert 0 <= value(found, "endpoint_lie_age_seconds", endpoint="a:1", lie="omitted_log") < 3_600
    assert [name for name, labels in found if name == "paimon_build_info" and ("process", "listener") in labels]


async def test_a_house_that_has_not_begun_is_measured_too(house: House) -> None:
    figures = await read_figures(house.database, timeout_seconds=2)
    assert (figures.recorded, figures.comparison, figures.depth, figures.wallets) == (None, None, 0, ())
    found = samples((await exposition(house.new_scraper().collect)).decode())
    assert value(found, "outbox_depth", priority="critical") == 0
    assert not [name for name, _ in found if name in ("paimon_listener_lag_seconds", "paimon_listener_processed_block")]


async def test_a_database_or_node_that_hangs_costs_a_scrape_its_time_and_no_more(house: House, database: Database) -> None:
    """Somebody holds the outbox locked; the node is another matter and is told all the same."""
    scraper = house.new_scraper()
    scraper.timeout_seconds = 0.5
    async with database.write() as blocking:
        await blocking.execute(text("LOCK TABLE owned.outbox"))
        found = samples((await exposition(scraper.collect)).decode())
    assert (value(found, "database_up"), value(found, "node_up")) == (0, 1)
    assert not [name for name, _ in found if name == "paimon_outbox_dead"], "absent, not zero"
    async with database.read() as session:
        assert (await session.execute(text(STILL_ASKING))).scalar_one() == 0, "the server ended it too"


async def test_many_scrapes_at_once_look_once(house: House) -> None:
    scraper = house.new_scraper()
    first, *others = await asyncio.gather(*(scraper.collect() for _ in range(20)))
    assert all(each is first for each in others)


async def test_a_port_that_is_taken_stops_no_process(house: House) -> None:
    port = free_port()
    async with exposing("listener", "127.0.0.1", port), exposing("listener", "127.0.0.1", port):
        assert await scraped(port)
    async with exposing("listener", "127.0.0.1", None):
        pass


async def connected(port: int) -> bool:
    return any(value == 1 for (name, _), value in (await scraped(port)).items() if name == "paimon_doorbell_connected")


@asynccontextmanager
async def measured_api(settings: Settings, house: House, fund: TestFund) -> AsyncIterator[tuple[Desk, int]]:
    port = free_port()
    measured = settings.model_copy(update={"metrics": settings.metrics.model_copy(update={"api_port": port})})
    await seed_back_office(house.database, fund.people)
    async with serving(measured) as app, desk_of(app, measured, fund.people) as desk:
        yield desk, port


@pytest.mark.usefixtures("busy")
async def test_every_alert_and_panel_asks_for_what_there_is(
    settings: Settings, house: House, fund: TestFund, eventually: Callable[..., Any]
) -> None:
    """Of the very text a server would scrape, after each thing that is counted has happened once."""
    reacted, _ = await add(house.database, "react", "fail")
    await handled(house.database, reacted, Handler())
    doorbell = asyncio.create_task(Doorbell(fund.node.ws_url, poll_seconds=1).listen())
    async with measured_api(settings, house, fund) as (desk, port):
        assert (await desk.get("/redemptions/99")).status_code == 404
        await eventually(partial(connected, port))
        found = await scraped(port)
    doorbell.cancel()
    await asyncio.gather(doorbell, return_exceptions=True)
    labels_of: dict[str, list[dict[str, str]]] = {}
    for name, labels in found:
        labels_of.setdefault(name, []).append(dict(labels))
    assert {"method": "GET", "route": "/redemptions/{requestId}", "status": "404"} in labels_of["paimon_http_requests_total"]
    for expression in [*(each["expr"] for each in rules()), *dashboard_expressions()]:
        for asked in asked_by(expression):
            assert asked.metric in labels_of, f"{expression}: nothing is called {asked.metric}"
            known = set().union(*labels_of[asked.metric])
            assert asked.labels <= known, f"{expression}: {asked.metric} has only {known}"
            for label, wanted in asked.values:
                if label != "status":  # that none failed is no fault
                    seen = {each[label] for each in labels_of[asked.metric]}
                    assert any(re.fullmatch(wanted, each) for each in seen), f"{expression}: {label} is one of {seen}"
    gone = samples((await exposition()).decode())
    assert not [name for name, _ in gone if name == "paimon_doorbell_connected"], "who does not listen says nothing"
