"""What is seen above the final block, on a real chain with 32 blocks that are not final, and reorganisations of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, Final

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy import func, select
from tests.support.api_client import Desk, require_example
from tests.support.chain.fund import WAD, TestFund
from tests.support.chain.recording import record_final
from tests.support.chain.stub_chain import StubChain
from tests.support.chain.stub_node import stub_node
from tests.support.factories.strategies import address

from paimon.application.event_listener.ingest.halt import LISTENER
from paimon.application.event_listener.ingest.head_monitor import HeadWatch, watched
from paimon.application.event_listener.ingest.listener import Listener
from paimon.application.event_listener.record.pending_logs import UNFINAL
from paimon.application.risk_control.record_findings import RISK_EVENT
from paimon.composition import House
from paimon.domain.chain.finality import FinalityTag
from paimon.domain.risk.risk_event import RiskKind, RiskState, Severity
from paimon.infrastructure.blockchain.contracts import FundAddresses, FundContracts
from paimon.infrastructure.blockchain.finality import Deep, Tagged
from paimon.infrastructure.blockchain.rpc import Rpc
from paimon.infrastructure.cache.live import messages
from paimon.infrastructure.database.leadership import lead
from paimon.infrastructure.database.leases import HeldLease, LeaseLost, release, try_take
from paimon.infrastructure.database.models.derived import CursorRow, RedemptionRequestRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.pending_log import PendingLogRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.sessions import Database
from paimon.settings import ChainSettings, FinalitySettings, HealthSettings, Settings

pytestmark = pytest.mark.integration

UNFINAL_BLOCKS: Final = 32
REQUEST: Final = "RedemptionRequested"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A house that takes a block for final 32 blocks below the head."""
    rule = FinalitySettings(tag=FinalityTag.FINALIZED, depth=UNFINAL_BLOCKS)
    return settings.model_copy(update={"chain": settings.chain.model_copy(update={"finality": {31337: rule}})})


@pytest.fixture
async def lease(house: House, fund: TestFund) -> HeldLease:
    """Held, and everything final recorded: what is not final yet is what the test does."""
    fund.mine(UNFINAL_BLOCKS)
    await record_final(house)
    return await take(house)


async def take(house: House) -> HeldLease:
    taken = await try_take(house.database, LISTENER, "tests", ttl_seconds=60)
    assert taken is not None
    return taken


def watch_of(house: House) -> HeadWatch:
    return HeadWatch(house.database, house.contracts, house.chain, house.redis, house.settings.chain, house.settings.health)


@pytest.fixture
async def heard(redis_url: str) -> AsyncIterator[Callable[[], list[tuple[str, str | None]]]]:
    """State and event of everything told on the channel so far."""
    said: list[tuple[str, str | None]] = []
    ready = asyncio.Event()
    async with Redis.from_url(redis_url) as redis:

        async def listen() -> None:
            async for channel, data in messages(redis, on_subscribed=ready.set):
                assert channel == UNFINAL
                said.append((data["state"], data["event"]))

        listening = asyncio.create_task(listen())
        await ready.wait()
        yield lambda: said
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def listed(house: House) -> list[PendingLogRow]:
    async with house.database.read() as session:
        return list(await session.scalars(select(PendingLogRow).order_by(PendingLogRow.block_number, PendingLogRow.log_index)))


def events(rows: list[PendingLogRow]) -> list[str | None]:
    return [row.event for row in rows]


async def test_an_event_is_seen_at_once_and_leaves_when_the_books_have_it(
    house: House, fund: TestFund, lease: HeldLease, desk: Desk, heard: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    empty = await desk.get("/fund/events/unfinal")
    assert empty.json()["data"]["items"] == []
    watch = watch_of(house)
    request_id = fund.request("ines", 10_000)
    await watch.look(lease)
    seen = await listed(house)
    assert events(seen) == ["Transfer", "SharesLocked", REQUEST]
    shown = await desk.get("/fund/events/unfinal")
    require_example(shown, "unfinal_events")
    newest, *_ = shown.json()["data"]["items"]
    assert newest["event"] == REQUEST
    assert newest["args"]["requestId"] == str(request_id)
    assert newest["blockNumber"] == seen[-1].block_number
    await record_final(house)
    async with house.database.read() as session:
        assert await session.get(RedemptionRequestRow, request_id) is None, "nothing is projected from the list"
    await watch.look(lease)
    assert events(await listed(house)) == events(seen)
    fund.mine(UNFINAL_BLOCKS)
    await watch.look(lease)
    assert events(await listed(house)) == events(seen), "final on the chain and not yet in the books: it stays"
    await record_final(house)
    await watch.look(lease)
    assert await listed(house) == []
    async with house.database.read() as session:
        assert (await session.get_one(RedemptionRequestRow, request_id)).shares == 10_000 * WAD
    wanted = [(state, name) for state in ("seen", "final") for name in events(seen)]
    await eventually(lambda: _equal(heard(), wanted))


async def _equal(one: object, other: object) -> bool:
    return one == other


async def test_an_event_whose_block_is_reorganised_away_is_withdrawn(
    house: House, fund: TestFund, lease: HeldLease, heard: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    watch = watch_of(house)
    fund.mine(3)
    fund.request("ines", 10_000)
    fund.mine(2)
    await watch.look(lease)
    first = await listed(house)
    head = fund.node.rpc.head().number
    fund.node.rpc.call("anvil_reorg", head - first[0].block_number + 2, [])
    await watch.look(lease)
    assert await listed(house) == []
    fund.request("ines", 10_000)
    await watch.look(lease)
    again = await listed(house)
    assert events(again) == events(first)
    assert {row.block_hash for row in again}.isdisjoint(row.block_hash for row in first)
    wanted = [(state, name) for state in ("seen", "withdrawn", "seen") for name in events(first)]
    await eventually(lambda: _equal(heard(), wanted))


async def test_a_successor_goes_on_with_the_list_and_the_one_before_writes_nothing(
    house: House, fund: TestFund, lease: HeldLease
) -> None:
    watch = watch_of(house)
    fund.request("ines", 10_000)
    await watch.look(lease)
    seen = await listed(house)
    await release(house.database, lease)
    successor = await take(house)
    fund.request("ivan", 5_000)
    with pytest.raises(LeaseLost):
        await watch.look(lease)
    assert events(await listed(house)) == events(seen)
    await watch_of(house).look(successor)
    after = await listed(house)
    assert [(row.block_hash, row.log_index, row.seen_at) for row in after[:3]] == [
        (row.block_hash, row.log_index, row.seen_at) for row in seen
    ]
    assert events(after) == events(seen) * 2


async def test_the_list_is_bounded_and_takes_the_rest_when_there_is_room(
    house: House, fund: TestFund, lease: HeldLease
) -> None:
    watch = watch_of(house)
    watch.options = watch.options.model_copy(update={"unfinal_logs_max": 2})
    fund.request("ines", 10_000)
    await watch.look(lease)
    assert events(await listed(house)) == ["Transfer", "SharesLocked"]
    watch.options = house.settings.chain
    await watch.look(lease)
    assert events(await listed(house)) == ["Transfer", "SharesLocked", REQUEST]


async def test_a_watch_that_fails_is_counted_and_recording_goes_on(
    house: House, fund: TestFund, eventually: Callable[..., Any]
) -> None:
    async with Rpc("http://127.0.0.1:9", timeout_seconds=1, attempts_max=1) as away:
        watch = replace(watch_of(house), contracts=FundContracts(away, fund.addresses))
        listener = Listener(house.database, house.contracts, house.chain, house.settings.chain, house.settings.fund.start_block)
        work = watched(listener.follow, watch)
        task = asyncio.create_task(lead(house.database, LISTENER, work, ttl_seconds=5, renew_seconds=1))
        fund.mine(UNFINAL_BLOCKS + 2)
        wanted = fund.node.rpc.head().number - UNFINAL_BLOCKS

        async def recorded() -> bool:
            async with house.database.read() as session:
                return bool((await session.execute(select(CursorRow.number >= wanted))).scalar()) and watch.failures > 1

        await eventually(recorded)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_lag_of_finality_opens_one_event_when_it_lasts_and_ends_it_by_itself(
    house: House, fund: TestFund, lease: HeldLease
) -> None:
    def watch(lasting: float, chain: Any) -> HeadWatch:
        limits = house.settings.health.model_copy(
            update={"finality_lag_blocks": 10, "finality_lag_seconds": 10_000.0, "finality_lag_lasting_seconds": lasting}
        )
        return replace(watch_of(house), chain=chain, limits=limits)

    await watch(3_600, Deep(32)).look(lease)
    assert await lags(house) == []
    lagging = watch(0, Deep(32))
    for _ in range(2):
        await lagging.look(lease)
    (event,) = await lags(house)
    assert (event.severity, event.state) == (Severity.WARNING, RiskState.OPEN)
    assert event.observed.startswith("32 blocks, ")
    assert event.expected == "at most 10 blocks, 10000 s"
    async with house.database.read() as session:
        told = select(func.count()).select_from(OutboxMessageRow).where(OutboxMessageRow.kind == RISK_EVENT)
        assert await session.scalar(told) == 1
    await watch(3_600, Tagged()).look(lease)  # another process: what its predecessor opened, it ends
    (ended,) = await lags(house)
    assert (ended.id, ended.state) == (event.id, RiskState.RESOLVED)


async def lags(house: House) -> list[RiskEventRow]:
    async with house.database.read() as session:
        return list(await session.scalars(select(RiskEventRow).where(RiskEventRow.kind == RiskKind.FINALITY_LAG)))


async def test_an_answer_without_the_logs_withdraws_nothing(database: Database, redis_url: str) -> None:
    """As nodes give near the head: only another block in its block's place ends a log."""
    fund = FundAddresses(address(1), address(2), address(3))
    chain = StubChain(head=8)
    chain.emit(6, fund.vault, [b"\x11" * 32])
    async with stub_node() as node, Redis.from_url(redis_url) as redis:
        chain.serve(node)
        rule, options = Deep(4), ChainSettings(chain_id=31337, rpc_url=SecretStr(node.url))
        node.methods["eth_blockNumber"] = hex(chain.head)
        async with Rpc(node.url, timeout_seconds=5, attempts_max=1) as rpc:
            contracts = FundContracts(rpc, fund)
            lease = await try_take(database, LISTENER, "tests", ttl_seconds=60)
            assert lease is not None
            await Listener(database, contracts, rule, options, start_block=1)._start(lease)
            watch = HeadWatch(database, contracts, rule, redis, options, HealthSettings())
            await watch.look(lease)
            chain.logs.clear()
            await watch.look(lease)
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(PendingLogRow)) == 1
