"""The listener's loop with a node that is wrong, down or returns too much at once, and with a second writer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, text
from tests.support.chain.stub_chain import StubChain
from tests.support.chain.stub_node import StubNode, stub_node
from tests.support.factories.strategies import address

from paimon.application.event_listener.ingest.halt import find_halt
from paimon.application.event_listener.ingest.listener import Listener
from paimon.domain.kernel.chain import hex0x
from paimon.infrastructure.blockchain.contracts.fund import FundAddresses, FundContracts
from paimon.infrastructure.blockchain.finality import TagFinality
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.leadership import run_as_leader
from paimon.infrastructure.database.models.derived import BlockRow, CursorRow, RawLogRow
from paimon.infrastructure.database.models.ops.event_listener import EventProcessingLogRow
from paimon.infrastructure.database.sessions import Database
from paimon.settings import ChainSettings

pytestmark = pytest.mark.integration

FUND = FundAddresses(address(1), address(2), address(3))
HEAD = 12


@pytest.fixture
def chain() -> StubChain:
    chain = StubChain(head=HEAD)
    for block in (3, 5, 5, 8):
        chain.emit(block, FUND.vault, [b"\x11" * 32])
    return chain


@pytest.fixture
async def node(chain: StubChain) -> AsyncIterator[StubNode]:
    async with stub_node() as opened:
        chain.serve(opened)
        yield opened


@asynccontextmanager
async def following(node: StubNode, database: Database, **options: Any) -> AsyncIterator[asyncio.Task[None]]:
    """Run a listener as leader, as `paimon listener` does."""
    settings = ChainSettings(chain_id=31337, rpc_url=SecretStr(node.url), poll_seconds=0.02, **options)
    async with Rpc(node.url, timeout_seconds=5, attempts_max=1) as rpc:
        listener = Listener(database, FundContracts(rpc, FUND), TagFinality(), settings, start_block=1)
        task = asyncio.create_task(run_as_leader(database, "listener", listener.follow, ttl_seconds=30, renew_seconds=0.2))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def recorded(database: Database) -> tuple[int | None, int, int]:
    """Return the cursor's block, and the numbers of recorded blocks and logs."""
    async with database.read() as session:
        return (
            await session.scalar(select(CursorRow.number)),
            await session.scalar(select(func.count()).select_from(BlockRow)) or 0,
            await session.scalar(select(func.count()).select_from(RawLogRow)) or 0,
        )


def has_recorded(database: Database, *expected: int) -> Callable[[], Any]:
    async def is_reached() -> bool:
        return await recorded(database) == expected

    return is_reached


INCONSISTENCIES: dict[str, Callable[[StubChain], object]] = {
    "a header does not follow": lambda chain: chain.headers[6].update(parentHash=hex0x(b"\xee" * 32)),
    "a log is of another fork": lambda chain: chain.logs[0].update(blockHash=hex0x(b"\xee" * 32)),
    "a log is of another contract": lambda chain: chain.emit(4, address(9), [b"\x11" * 32], unrequested=True),
}


@pytest.mark.parametrize("inconsistency", INCONSISTENCIES)
async def test_listener_records_nothing_of_an_inconsistent_answer_and_recovers(
    chain: StubChain, node: StubNode, database: Database, eventually: Callable[..., Any], inconsistency: str
) -> None:
    INCONSISTENCIES[inconsistency](chain)
    async with following(node, database):
        await eventually(has_recorded(database, 0, 0, 0))
        await asyncio.sleep(0.1)
        assert await recorded(database) == (0, 0, 0)
        truth = StubChain(head=HEAD)
        truth.emit(3, FUND.vault, [b"\x11" * 32])
        chain.headers, chain.logs, chain.receipts = truth.headers, truth.logs, truth.receipts
        await eventually(has_recorded(database, HEAD, HEAD, 1))


async def test_listener_waits_for_a_node_behind_the_vaults_deployment(
    node: StubNode, database: Database, eventually: Callable[..., Any]
) -> None:
    asset, node.methods["eth_call"] = node.methods["eth_call"], "0x"
    async with following(node, database) as task:
        await asyncio.sleep(0.1)
        assert not task.done()
        assert await recorded(database) == (None, 0, 0)
        node.methods["eth_call"] = asset
        await eventually(has_recorded(database, HEAD, HEAD, 4))


async def test_listener_waits_for_a_node_that_is_down_at_the_start(
    node: StubNode, database: Database, eventually: Callable[..., Any]
) -> None:
    get_block = node.methods.pop("eth_getBlockByNumber")
    async with following(node, database) as task:
        await asyncio.sleep(0.1)
        node.methods["eth_getBlockByNumber"] = None  # as a node that has not reached the block yet
        await asyncio.sleep(0.1)
        assert not task.done()
        node.methods["eth_getBlockByNumber"] = get_block
        await eventually(has_recorded(database, HEAD, HEAD, 4))


async def test_batch_exceeds_its_log_limit_only_for_a_single_block(
    node: StubNode, database: Database, eventually: Callable[..., Any]
) -> None:
    async with following(node, database, batch_logs_max=1):
        await eventually(has_recorded(database, HEAD, HEAD, 4))
    async with database.read() as session:
        batches = [(row.first_block, row.last_block, row.logs) for row in await session.scalars(select(EventProcessingLogRow))]
    assert (1, 4, 1) in batches  # cut before block 5
    assert [batch for batch in batches if batch[2] > 1] == [(5, 5, 2)]  # which has two logs


async def test_listener_requests_smaller_ranges_after_dense_blocks(
    chain: StubChain, node: StubNode, database: Database, eventually: Callable[..., Any]
) -> None:
    async with following(node, database, batch_logs_max=1):
        await eventually(has_recorded(database, HEAD, HEAD, 4))
    received = [
        int(query["toBlock"], 16) - int(query["fromBlock"], 16) + 1
        for method, (query, *_) in node.received
        if method == "eth_getLogs"
    ]
    first, *later = [width for width, _ in groupby(received)]  # one range is several queries
    assert first == HEAD
    assert max(later) <= HEAD // 2


async def test_holder_that_wakes_too_late_stands_by_and_continues_at_the_cursor(
    chain: StubChain, node: StubNode, database: Database, eventually: Callable[..., Any]
) -> None:
    """Another holder took the cursor while it slept. Its next batch is rejected, which may not end the process."""
    chain.head = 6
    async with following(node, database) as task:
        await eventually(has_recorded(database, 6, 6, 3))
        async with database.write() as session:
            await session.execute(text("UPDATE derived.cursor SET epoch = epoch + 1"))
        chain.head = HEAD
        await eventually(has_recorded(database, HEAD, HEAD, 4))
        assert not task.done()


async def test_listener_retries_when_the_final_header_is_unreadable(
    chain: StubChain, node: StubNode, database: Database, eventually: Callable[..., Any]
) -> None:
    chain.head = 6
    async with following(node, database) as task:
        await eventually(has_recorded(database, 6, 6, 3))
        timestamp = chain.headers[HEAD].pop("timestamp")
        chain.head, received = HEAD, node.requests

        async def is_requested_again() -> bool:
            return node.requests > received + 3

        await eventually(is_requested_again)
        assert not task.done()
        chain.headers[HEAD]["timestamp"] = timestamp
        await eventually(has_recorded(database, HEAD, HEAD, 4))


async def test_listener_halts_when_a_recorded_block_changes_while_following(
    chain: StubChain, node: StubNode, database: Database, eventually: Callable[..., Any]
) -> None:
    chain.head = 6
    async with following(node, database) as task:
        await eventually(has_recorded(database, 6, 6, 3))
        chain.head = HEAD
        chain.emit(6, address(9), [b"\x22" * 32])  # of another contract; it changes the block and all later ones

        async def halted() -> bool:
            async with database.read() as session:
                return await find_halt(session) is not None

        await eventually(halted)
        assert not task.done()
        assert await recorded(database) == (6, 6, 3)


async def test_cursor_is_not_created_at_a_block_with_a_wrong_hash(
    chain: StubChain, node: StubNode, database: Database, eventually: Callable[..., Any]
) -> None:
    """Otherwise nothing could be recorded: no block follows that one."""
    hash_, chain.headers[0]["hash"] = chain.headers[0]["hash"], hex0x(b"\xee" * 32)
    async with following(node, database) as task:

        async def is_requested_again() -> bool:
            return node.requests > 5

        await eventually(is_requested_again)
        assert await recorded(database) == (None, 0, 0)
        assert not task.done()
        chain.headers[0]["hash"] = hash_
        await eventually(has_recorded(database, HEAD, HEAD, 4))
