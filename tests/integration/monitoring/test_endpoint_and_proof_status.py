"""Endpoints and proofs as an operator sees them: in the health report and on the command line."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest
from sqlalchemy import text
from tests.support.api_client import ApiClient, add_block
from tests.support.cli_processes import CliRunner, environment_of

from paimon.application.event_listener.fetch.block_range import EndpointFault
from paimon.application.event_listener.fetch.queries import BlockSpan, read_proof_summary
from paimon.application.event_listener.fetch.store import add_proof, record_endpoint_faults
from paimon.application.event_listener.ingest.head_monitor import HeadMonitor
from paimon.application.monitoring.component_health import proof_health
from paimon.application.monitoring.families import proof_families
from paimon.composition import AppContext
from paimon.domain.chain.endpoint_health import BreakerStatus
from paimon.domain.chain.range_proof import InvalidResponseKind, ProofLevel, RangeProof
from paimon.domain.operations.health import HealthStatus
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.rpc.endpoint import NodeUrl, endpoint_name
from paimon.infrastructure.blockchain.rpc.endpoint_selection import EndpointReport
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.cache import endpoints
from paimon.infrastructure.database.leases import try_acquire
from paimon.infrastructure.database.sessions import Database

pytestmark = pytest.mark.integration

KEY: Final = "a1b2c3d4e5f6a7b8"
UNREACHABLE: Final = "127.0.0.1:9"


async def component(api_client: ApiClient, name: str) -> dict[str, Any]:
    health = (await api_client.get("/system/health")).json()["data"]
    (found,) = [found for found in health["components"] if found["name"] == name]
    return dict(found)


def status_output(cli: CliRunner, app_context: AppContext) -> str:
    status = cli.start("status", env=environment_of(app_context.settings))
    assert status.wait() == 1, status.output_text  # not every process runs
    return status.output_text


async def test_endpoints_are_shown_as_the_listener_rates_them_without_keys(
    app_context: AppContext, api_client: ApiClient, cli: CliRunner, eventually: Callable[..., Any]
) -> None:
    lease = await try_acquire(app_context.database, "listener", "host:1", ttl_seconds=60)
    assert lease is not None
    configured = app_context.settings.chain.rpc_url.get_secret_value()
    unreachable = NodeUrl(f"http://{UNREACHABLE}/v1/{KEY}")

    async def reported() -> list[EndpointReport]:
        reports = await endpoints.load_endpoint_states(app_context.redis)
        breakers = [report.breaker for report in reports]
        return reports if breakers == [BreakerStatus.CLOSED, BreakerStatus.OPEN] else []

    async with Rpc(configured, unreachable, timeout_seconds=5, attempts_max=2, chain_id=31337) as pool:
        monitor = HeadMonitor(
            app_context.database,
            FundContracts(pool, app_context.contracts.addresses),
            app_context.chain,
            app_context.redis,
            app_context.settings.chain,
            app_context.settings.health,
        )
        monitoring = asyncio.create_task(monitor.run(lease))
        healthy, faulty = await eventually(reported)
        shown = await component(api_client, "endpoints")
        output = await asyncio.to_thread(status_output, cli, app_context)  # the listener goes on meanwhile
        monitoring.cancel()
        await asyncio.gather(monitoring, return_exceptions=True)
    assert (healthy.name, faulty.name) == (endpoint_name(configured), UNREACHABLE)
    assert (shown["status"], shown["summary"]) == ("DEGRADED", "1 of 2 answer")
    first, second = shown["details"]["endpoints"]
    assert first["headBlock"] is not None
    assert first["latencySeconds"] > 0
    assert (first["breaker"], first["servesOurChain"]) == ("CLOSED", True)
    assert second["headBlock"] is None
    assert second["errorRate"] > 0
    assert second["breaker"] in ("OPEN", "HALF_OPEN")
    assert KEY not in str(shown)
    lines = dict(line.split(maxsplit=2)[1:] for line in output.splitlines() if line.startswith("endpoint "))
    assert lines[healthy.name].startswith("head ")
    assert lines[UNREACHABLE].startswith("SUSPENDED")
    assert KEY not in output


async def test_endpoint_states_are_stored_and_loaded(app_context: AppContext) -> None:
    state = EndpointReport("a:1", (), 5, 0.1, 0.0, BreakerStatus.CLOSED, 8, 0, 100, True)
    await endpoints.store_endpoint_states(app_context.redis, [state, replace(state, name="b:1", head=None)])
    assert await endpoints.load_endpoint_states(app_context.redis) == [state, replace(state, name="b:1", head=None)]
    ttl = await app_context.redis.client.ttl("paimon:endpoints")
    assert 0 < ttl <= endpoints.ENDPOINT_STATE_TTL_SECONDS, "the report of a stopped listener expires"


async def test_endpoint_fault_degrades_health_for_a_day(api_client: ApiClient, app_context: AppContext) -> None:
    state = EndpointReport("a:1", (), 5, 0.1, 0.0, BreakerStatus.CLOSED, 8, 0, 100, True)
    await endpoints.store_endpoint_states(app_context.redis, [state])
    assert (await component(api_client, "endpoints"))["status"] == "OK"
    await record_fault(app_context.database)
    await asyncio.sleep(1.0)  # the report is cached for a second
    shown = await component(api_client, "endpoints")
    assert (shown["status"], shown["summary"]) == ("DEGRADED", "1 of 1 answer; invalid responses within a day: a:1")
    assert [(fault["endpoint"], fault["kind"], fault["occurrences"]) for fault in shown["details"]["faults"]] == [
        ("a:1", "omitted_log", 1)
    ]
    await age_faults(app_context.database, hours=25)
    await asyncio.sleep(1.0)
    shown = await component(api_client, "endpoints")
    assert (shown["status"], len(shown["details"]["faults"])) == ("OK", 1)


async def record_fault(database: Database) -> None:
    async with database.write() as session:
        await record_endpoint_faults(session, [EndpointFault("a:1", InvalidResponseKind.OMITTED_LOG, 7, "left out")])


async def age_faults(database: Database, *, hours: int) -> None:
    async with database.write() as session:
        await session.execute(
            text("UPDATE ops.endpoint_faults SET last_seen_at = last_seen_at - make_interval(hours => :hours)"),
            {"hours": hours},
        )


async def chained_past(app_context: AppContext) -> None:
    """Record a past that is chained, and newer blocks with receipts, as a catch-up with one endpoint leaves them."""
    final = await app_context.chain.final_block(app_context.rpc)
    async with app_context.database.write() as session:
        await add_block(session, 11, at=final.timestamp)
        await add_block(session, 40, at=final.timestamp)
        await add_proof(session, RangeProof(11, 30, ProofLevel.CHAINED))
        await add_proof(session, RangeProof(31, 40, ProofLevel.RECEIPTS))


async def test_past_that_the_only_endpoint_chained_degrades_nothing(
    api_client: ApiClient, cli: CliRunner, app_context: AppContext
) -> None:
    """It cannot be proven better, so an operator would learn to ignore the warning."""
    await chained_past(app_context)
    shown = await component(api_client, "proof")
    assert (shown["status"], shown["details"]["weakest"]["level"]) == ("OK", "chained")
    assert shown["summary"].startswith("newest receipts, weakest chained by the only endpoint: nothing contradicts it")
    assert "nothing confirms it" in status_output(cli, app_context)


async def test_chained_past_is_weak_once_a_second_endpoint_could_confirm_it(app_context: AppContext) -> None:
    await chained_past(app_context)
    endpoints_of = {1: (NodeUrl("http://a:1"),), 2: (NodeUrl("http://a:1"), NodeUrl("http://b:1"))}
    weak, metric = {}, {}
    for count, urls in endpoints_of.items():
        pool = Rpc(*urls, timeout_seconds=5, attempts_max=2, chain_id=31337)
        async with app_context.database.read() as session:
            proof = await read_proof_summary(session, one_endpoint=pool.has_one_reader)
        weak[count] = proof_health(proof).status
        (metric[count],) = [
            sample.value for family in proof_families(proof) for sample in family.samples if "by_one_endpoint" in sample.name
        ]
    assert weak == {1: HealthStatus.OK, 2: HealthStatus.DEGRADED}
    assert metric == {1: 1, 2: 0}


async def test_proof_health_lists_proven_and_unproven_blocks(
    api_client: ApiClient, cli: CliRunner, app_context: AppContext
) -> None:
    final = await app_context.chain.final_block(app_context.rpc)
    async with app_context.database.write() as session:
        await add_block(session, 11, at=final.timestamp)
        await add_block(session, 40, at=final.timestamp)
        await add_proof(session, RangeProof(15, 20, ProofLevel.CHAINED))
        await add_proof(session, RangeProof(23, 23, ProofLevel.RECEIPTS))
        await add_proof(session, RangeProof(24, 24, ProofLevel.AGREED))
        await add_proof(session, RangeProof(25, 38, ProofLevel.RECEIPTS))
    async with app_context.database.read() as session:
        summary = await read_proof_summary(session, one_endpoint=False)
    assert summary.unproven == BlockSpan(11, 40, 8), "11 to 14, 21 and 22, 39 and 40"
    assert summary.levels == {
        ProofLevel.CHAINED: BlockSpan(15, 20, 6),
        ProofLevel.AGREED: BlockSpan(24, 24, 1),
        ProofLevel.RECEIPTS: BlockSpan(23, 38, 15),
    }
    shown = await component(api_client, "proof")
    assert shown["status"] == "DEGRADED"
    assert shown["details"]["weakest"] == {"level": "chained", "fromBlock": 15, "toBlock": 20}
    assert shown["details"]["levels"]["receipts"] == {"fromBlock": 23, "toBlock": 38, "blocks": 15}
    assert shown["details"]["unproven"] == {"fromBlock": 11, "toBlock": 40, "blocks": 8}
    lines = {line[:26].strip(): line[27:] for line in status_output(cli, app_context).splitlines()}
    assert lines["receipts"] == "15 blocks, from 23 to 38"
    assert lines["without proof"] == "8 blocks, from 11 to 40; see paimon audit-chain"
    assert lines["weakest"].startswith("chained for blocks 15 to 20")
