"""Logs above the final block, on a real chain with 32 blocks that are not final, and reorganisations of these blocks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, Final

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy import func, select
from tests.support.api_client import ApiClient, require_example
from tests.support.chain.fund import WAD, TestFund
from tests.support.chain.recording import record_final
from tests.support.chain.stub_chain import StubChain
from tests.support.chain.stub_node import stub_node
from tests.support.factories.strategies import address
from tests.support.redis import authenticated

from paimon.application.event_listener.ingest.halt import LISTENER
from paimon.application.event_listener.ingest.head_monitor import HeadMonitor, with_head_monitor
from paimon.application.event_listener.ingest.listener import Listener
from paimon.application.event_listener.record.pending_logs import PENDING_LOGS
from paimon.application.risk_control.record_findings import RISK_EVENT
from paimon.composition import AppContext
from paimon.domain.chain.finality import FinalityTag
from paimon.domain.risk.risk_event import RiskKind, RiskStatus, Severity
from paimon.infrastructure.blockchain.contracts.fund import FundAddresses, FundContracts
from paimon.infrastructure.blockchain.finality import DepthFinality, TagFinality
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.cache.live import messages
from paimon.infrastructure.database.leadership import run_as_leader
from paimon.infrastructure.database.leases import HeldLease, LeaseLost, release, try_acquire
from paimon.infrastructure.database.models.derived import CursorRow, RedemptionRequestRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.pending_log import PendingLogRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.sessions import Database
from paimon.settings import ChainSettings, FinalitySettings, HealthSettings, Settings

pytestmark = pytest.mark.integration

PENDING_BLOCKS: Final = 32
REQUEST: Final = "RedemptionRequested"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings by which a block is final 32 blocks below the head."""
    rule = FinalitySettings(tag=FinalityTag.FINALIZED, depth=PENDING_BLOCKS)
    return settings.model_copy(update={"chain": settings.chain.model_copy(update={"finality": {31337: rule}})})


@pytest.fixture
async def lease(app_context: AppContext, fund: TestFund) -> HeldLease:
    """Take the lease and record everything final, so that only the test's own logs are pending."""
    fund.mine(PENDING_BLOCKS)
    await record_final(app_context)
    return await take(app_context)


async def take(app_context: AppContext) -> HeldLease:
    taken = await try_acquire(app_context.database, LISTENER, "tests", ttl_seconds=60)
    assert taken is not None
    return taken


def monitor_of(app_context: AppContext) -> HeadMonitor:
    return HeadMonitor(
        app_context.database,
        app_context.contracts,
        app_context.chain,
        app_context.redis,
        app_context.settings.chain,
        app_context.settings.health,
    )


@pytest.fixture
async def published(redis_url: str) -> AsyncIterator[Callable[[], list[tuple[str, str | None]]]]:
    """Status and event of every message on the channel so far."""
    received: list[tuple[str, str | None]] = []
    ready = asyncio.Event()
    async with Redis.from_url(redis_url) as redis:

        async def listen() -> None:
            async for channel, data in messages(authenticated(redis), on_subscribed=ready.set):
                assert channel == PENDING_LOGS
                received.append((data["status"], data["event"]))

        listening = asyncio.create_task(listen())
        await ready.wait()
        yield lambda: received
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def listed(app_context: AppContext) -> list[PendingLogRow]:
    async with app_context.database.read() as session:
        return list(await session.scalars(select(PendingLogRow).order_by(PendingLogRow.block_number, PendingLogRow.log_index)))


def events(rows: list[PendingLogRow]) -> list[str | None]:
    return [row.event for row in rows]


async def test_pending_log_is_listed_at_once_and_finalized_when_recorded(
    app_context: AppContext,
    fund: TestFund,
    lease: HeldLease,
    api_client: ApiClient,
    published: Callable[..., Any],
    eventually: Callable[..., Any],
) -> None:
    empty = await api_client.get("/fund/events/pending")
    assert empty.json()["data"]["items"] == []
    monitor = monitor_of(app_context)
    request_id = fund.request("ines", 10_000)
    await monitor.check_head(lease)
    seen = await listed(app_context)
    assert events(seen) == ["Transfer", "SharesLocked", REQUEST]
    shown = await api_client.get("/fund/events/pending")
    require_example(shown, "pending_events")
    newest, *_ = shown.json()["data"]["items"]
    assert newest["event"] == REQUEST
    assert newest["args"]["requestId"] == str(request_id)
    assert newest["blockNumber"] == seen[-1].block_number
    await record_final(app_context)
    async with app_context.database.read() as session:
        assert await session.get(RedemptionRequestRow, request_id) is None, "nothing is projected from the list"
    await monitor.check_head(lease)
    assert events(await listed(app_context)) == events(seen)
    fund.mine(PENDING_BLOCKS)
    await monitor.check_head(lease)
    assert events(await listed(app_context)) == events(seen), "a log that is final and not recorded yet stays"
    await record_final(app_context)
    await monitor.check_head(lease)
    assert await listed(app_context) == []
    async with app_context.database.read() as session:
        assert (await session.get_one(RedemptionRequestRow, request_id)).shares == 10_000 * WAD
    expected = [(status, name) for status in ("PENDING", "FINALIZED") for name in events(seen)]
    await eventually(lambda: _equal(published(), expected))


async def _equal(one: object, other: object) -> bool:
    return one == other


async def test_pending_log_is_orphaned_when_its_block_is_reorganised(
    app_context: AppContext, fund: TestFund, lease: HeldLease, published: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    monitor = monitor_of(app_context)
    fund.mine(3)
    fund.request("ines", 10_000)
    fund.mine(2)
    await monitor.check_head(lease)
    first = await listed(app_context)
    head = fund.node.rpc.head().number
    fund.node.rpc.call("anvil_reorg", head - first[0].block_number + 2, [])
    await monitor.check_head(lease)
    assert await listed(app_context) == []
    fund.request("ines", 10_000)
    await monitor.check_head(lease)
    again = await listed(app_context)
    assert events(again) == events(first)
    assert {row.block_hash for row in again}.isdisjoint(row.block_hash for row in first)
    expected = [(status, name) for status in ("PENDING", "ORPHANED", "PENDING") for name in events(first)]
    await eventually(lambda: _equal(published(), expected))


async def test_next_lease_holder_continues_the_pending_list_and_the_previous_writes_nothing(
    app_context: AppContext, fund: TestFund, lease: HeldLease
) -> None:
    monitor = monitor_of(app_context)
    fund.request("ines", 10_000)
    await monitor.check_head(lease)
    seen = await listed(app_context)
    await release(app_context.database, lease)
    successor = await take(app_context)
    fund.request("ivan", 5_000)
    with pytest.raises(LeaseLost):
        await monitor.check_head(lease)
    assert events(await listed(app_context)) == events(seen)
    await monitor_of(app_context).check_head(successor)
    after = await listed(app_context)
    assert [(row.block_hash, row.log_index, row.seen_at) for row in after[:3]] == [
        (row.block_hash, row.log_index, row.seen_at) for row in seen
    ]
    assert events(after) == events(seen) * 2


async def test_pending_list_is_bounded_and_takes_the_rest_when_possible(
    app_context: AppContext, fund: TestFund, lease: HeldLease
) -> None:
    monitor = monitor_of(app_context)
    monitor.options = monitor.options.model_copy(update={"pending_logs_max": 2})
    fund.request("ines", 10_000)
    await monitor.check_head(lease)
    assert events(await listed(app_context)) == ["Transfer", "SharesLocked"]
    monitor.options = app_context.settings.chain
    await monitor.check_head(lease)
    assert events(await listed(app_context)) == ["Transfer", "SharesLocked", REQUEST]


async def test_head_monitor_failure_is_counted_and_recording_continues(
    app_context: AppContext, fund: TestFund, eventually: Callable[..., Any]
) -> None:
    async with Rpc("http://127.0.0.1:9", timeout_seconds=1, attempts_max=1) as away:
        monitor = replace(monitor_of(app_context), contracts=FundContracts(away, fund.addresses))
        listener = Listener(
            app_context.database,
            app_context.contracts,
            app_context.chain,
            app_context.settings.chain,
            app_context.settings.fund.start_block,
        )
        work = with_head_monitor(listener.follow, monitor)
        task = asyncio.create_task(run_as_leader(app_context.database, LISTENER, work, ttl_seconds=5, renew_seconds=1))
        fund.mine(PENDING_BLOCKS + 2)
        target = fund.node.rpc.head().number - PENDING_BLOCKS

        async def recorded() -> bool:
            async with app_context.database.read() as session:
                return bool((await session.execute(select(CursorRow.number >= target))).scalar()) and monitor.failures > 1

        await eventually(recorded)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_lasting_finality_lag_opens_one_event_and_resolves_it(
    app_context: AppContext, fund: TestFund, lease: HeldLease
) -> None:
    def monitor(grace_seconds: float, chain: Any) -> HeadMonitor:
        limits = app_context.settings.health.model_copy(
            update={"finality_lag_blocks": 10, "finality_lag_seconds": 10_000.0, "finality_lag_grace_seconds": grace_seconds}
        )
        return replace(monitor_of(app_context), chain=chain, limits=limits)

    await monitor(3_600, DepthFinality(32)).check_head(lease)
    assert await lags(app_context) == []
    lagging = monitor(0, DepthFinality(32))
    for _ in range(2):
        await lagging.check_head(lease)
    (event,) = await lags(app_context)
    assert (event.severity, event.status) == (Severity.WARNING, RiskStatus.OPEN)
    assert event.observed.startswith("32 blocks, ")
    assert event.expected == "at most 10 blocks, 10000 s"
    async with app_context.database.read() as session:
        messages = select(func.count()).select_from(OutboxMessageRow).where(OutboxMessageRow.kind == RISK_EVENT)
        assert await session.scalar(messages) == 1
    await monitor(3_600, TagFinality()).check_head(lease)  # another process resolves the event of its predecessor
    (ended,) = await lags(app_context)
    assert (ended.id, ended.status) == (event.id, RiskStatus.RESOLVED)


async def lags(app_context: AppContext) -> list[RiskEventRow]:
    async with app_context.database.read() as session:
        return list(await session.scalars(select(RiskEventRow).where(RiskEventRow.kind == RiskKind.FINALITY_LAG)))


async def test_pending_log_stays_when_an_answer_omits_it(database: Database, redis_url: str) -> None:
    """Nodes give incomplete answers near the head: only another block in place of its block orphans a log."""
    fund = FundAddresses(address(1), address(2), address(3))
    chain = StubChain(head=8)
    chain.emit(6, fund.vault, [b"\x11" * 32])
    async with stub_node() as node, Redis.from_url(redis_url) as redis:
        chain.serve(node)
        rule, options = DepthFinality(4), ChainSettings(chain_id=31337, rpc_url=SecretStr(node.url))
        node.methods["eth_blockNumber"] = hex(chain.head)
        async with Rpc(node.url, timeout_seconds=5, attempts_max=1) as rpc:
            contracts = FundContracts(rpc, fund)
            lease = await try_acquire(database, LISTENER, "tests", ttl_seconds=60)
            assert lease is not None
            await Listener(database, contracts, rule, options, start_block=1)._start(lease)
            monitor = HeadMonitor(database, contracts, rule, authenticated(redis), options, HealthSettings())
            await monitor.check_head(lease)
            chain.logs.clear()
            await monitor.check_head(lease)
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(PendingLogRow)) == 1
