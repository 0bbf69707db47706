"""The catch-up: segments are fetched ahead and concurrently; the records equal those of following block by block."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest
from aiohttp import web
from sqlalchemy import select
from tests.integration.event_listener.test_listener import listener_of
from tests.integration.event_listener.test_listener_loop import FUND, following, recorded
from tests.support.assertions.derived_tables import libpq, projection_rows
from tests.support.chain.fund import TestFund
from tests.support.chain.stub_chain import StubChain
from tests.support.chain.stub_node import Disturbance, StubNode, json_response, reset, stub_node
from tests.support.factories.strategies import address

from paimon.application.event_listener.ingest.halt import find_halt
from paimon.application.event_listener.record import header_pruning
from paimon.application.reconciliation.reconcile import reconcile
from paimon.application.replay.replay import check_replay
from paimon.composition import AppContext
from paimon.domain.chain.tracked_contracts import TrackedContracts
from paimon.domain.kernel.chain import BlockStamp, hex0x
from paimon.domain.risk.discrepancy import RowDifference
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.leases import HeldLease
from paimon.infrastructure.database.models.base import metadata
from paimon.infrastructure.database.models.derived import BlockRow
from paimon.infrastructure.database.sessions import Database, create_engine

pytestmark = pytest.mark.integration

HEAD = 120
FAR = {"strict_proof_blocks": 0, "catch_up_blocks_max": 8, "catch_up_concurrency": 3}
WITH_LOGS = (3, 5, 5, 30, 31, 77, 120)


@pytest.fixture
def chain() -> StubChain:
    chain = StubChain(head=HEAD)
    for block in WITH_LOGS:
        chain.emit(block, FUND.vault, [b"\x11" * 32])
    return chain


@pytest.fixture
async def node(chain: StubChain) -> AsyncIterator[StubNode]:
    async with stub_node() as opened:
        chain.serve(opened)
        yield opened


async def kept_headers(database: Database) -> list[tuple[int, int]]:
    async with database.read() as session:
        rows = await session.execute(select(BlockRow.number, BlockRow.previous_kept_number).order_by(BlockRow.number))
        return [(number, before) for number, before in rows]


async def test_catch_up_keeps_blocks_with_logs_and_segment_ends_chained(
    chain: StubChain, node: StubNode, database: Database, eventually: Callable[..., Any]
) -> None:
    async with following(node, database, **FAR):
        await eventually(lambda: at(database, HEAD))
    blocks = await kept_headers(database)
    numbers = [number for number, _ in blocks]
    assert set(WITH_LOGS) <= set(numbers)
    assert [before for _, before in blocks] == [0, *numbers[:-1]]


async def test_listener_keeps_every_block_near_the_head(
    node: StubNode, database: Database, eventually: Callable[..., Any]
) -> None:
    async with following(node, database, **(FAR | {"strict_proof_blocks": 20})):
        await eventually(lambda: at(database, HEAD))
    numbers = [number for number, _ in await kept_headers(database)]
    assert numbers[-20:] == list(range(HEAD - 19, HEAD + 1))
    assert len(numbers) < HEAD


async def at(database: Database, number: int) -> bool:
    return (await recorded(database))[0] == number


async def test_catch_up_records_segments_in_chain_order_when_answers_arrive_unordered(
    node: StubNode, database: Database, eventually: Callable[..., Any]
) -> None:
    turn = 0

    def earlier_is_slower() -> Disturbance:
        async def answer(_request: web.Request, answers: list[dict[str, Any]]) -> web.StreamResponse:
            nonlocal turn
            turn += 1
            await asyncio.sleep(0.06 - 0.02 * (turn % 3))
            return json_response(answers if len(answers) > 1 else answers[0])

        return answer

    node.disturbances = [earlier_is_slower() for _ in range(60)]
    async with following(node, database, **FAR):
        await eventually(lambda: at(database, HEAD))
    assert (await recorded(database))[2] == len(WITH_LOGS)


async def test_catch_up_never_exceeds_its_concurrency(
    node: StubNode, database: Database, eventually: Callable[..., Any]
) -> None:
    running, running_max = 0, 0

    async def counted(_request: web.Request, answers: list[dict[str, Any]]) -> web.StreamResponse:
        nonlocal running, running_max
        running += 1
        running_max = max(running_max, running)
        await asyncio.sleep(0.01)
        running -= 1
        return json_response(answers if len(answers) > 1 else answers[0])

    node.disturbances = [counted] * 200
    async with following(node, database, **FAR):
        await eventually(lambda: at(database, HEAD))
    assert running_max == FAR["catch_up_concurrency"]


async def test_catch_up_keeps_recorded_segments_after_a_failure_and_refetches_the_rest(
    chain: StubChain, node: StubNode, database: Database, eventually: Callable[..., Any]
) -> None:
    truth = chain.headers[77]
    chain.headers[77] = truth | {"parentHash": hex0x(b"\xee" * 32)}
    async with following(node, database, **FAR):
        await eventually(lambda: beyond(database, 31))
        await asyncio.sleep(0.1)
        assert not await at(database, HEAD)
        node.disturbances = [reset]
        chain.headers[77] = truth
        await eventually(lambda: at(database, HEAD))
    assert (await recorded(database))[2] == len(WITH_LOGS)


async def beyond(database: Database, number: int) -> bool:
    return ((await recorded(database))[0] or 0) > number


async def test_catch_up_rejects_a_log_of_a_block_outside_the_segment(
    chain: StubChain, node: StubNode, database: Database, eventually: Callable[..., Any]
) -> None:
    chain.head = 60
    wrong_log = chain.logs[0] | {"blockNumber": hex(HEAD + 7)}

    async def foreign(_request: web.Request, answers: list[dict[str, Any]]) -> web.StreamResponse:
        return json_response(
            [answer | {"result": [wrong_log]} if isinstance(answer.get("result"), list) else answer for answer in answers]
        )

    async with following(node, database, **FAR):
        await eventually(lambda: at(database, 60))
        node.disturbances = [foreign] * 3
        chain.head = HEAD
        await eventually(lambda: at(database, HEAD))
    assert (await recorded(database))[2] == len(WITH_LOGS)


async def test_catch_up_halts_when_the_recorded_final_block_changed(
    chain: StubChain, node: StubNode, database: Database, eventually: Callable[..., Any]
) -> None:
    chain.head = 40
    async with following(node, database, **FAR):
        await eventually(lambda: at(database, 40))
    chain.head = HEAD
    chain.emit(40, address(9), [b"\x22" * 32])  # of another contract; it changes the block and all later ones
    async with following(node, database, **FAR) as task:
        await eventually(lambda: halted(database))
        assert not task.done()
    assert await at(database, 40)


async def halted(database: Database) -> bool:
    async with database.read() as session:
        return await find_halt(session) is not None


@dataclass(frozen=True)
class FinalAt:
    """A finality that stays at one block while the chain goes on."""

    block: BlockStamp

    async def final_block(self, rpc: Rpc) -> BlockStamp:
        return self.block


async def follow_to(app_context: AppContext, final: BlockStamp, **options: Any) -> tuple[BlockStamp, TrackedContracts]:
    """Follow the fund's chain to this block with these options."""
    settings = app_context.settings.chain.model_copy(update=options)
    listener = replace(listener_of(app_context), chain=FinalAt(final), options=settings)
    lease = HeldLease("listener", "tests", 1)
    cursor, tracked = await listener._start(lease)
    while (advanced := await listener._advance(cursor, tracked, lease)) is not None:
        cursor, tracked = advanced
    return cursor, tracked


async def test_catch_up_records_the_same_state_as_following_block_by_block(
    app_context: AppContext, fund: TestFund, owner_url: str
) -> None:
    """The fund's tokens and its OTC manager are discovered on the way, in segments that are fetched ahead."""
    fund.request("ines", 5)
    fund.wait_until_final()
    final = await app_context.chain.final_block(app_context.rpc)
    states = []
    for options in ({}, {"strict_proof_blocks": 0, "catch_up_blocks_max": 7, "batch_logs_max": 9}):
        cursor, tracked = await follow_to(app_context, final, **options)
        assert (await reconcile(app_context.database, app_context.contracts)).discrepancies == ()
        states.append((cursor, tracked, projection_rows(owner_url)))
        with psycopg.connect(libpq(owner_url)) as connection:
            tables = ", ".join(table.fullname for table in metadata.sorted_tables if table.schema == "derived")
            connection.execute(f"TRUNCATE {tables} CASCADE")
    assert states[0] == states[1]
    assert len(states[0][1].contracts) > 4


async def test_old_headers_without_logs_are_pruned_and_a_lost_one_is_noticed(
    node: StubNode,
    database: Database,
    owner_url: str,
    eventually: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(header_pruning, "PRUNING_SPAN_BLOCKS", 10)
    monkeypatch.setattr(header_pruning, "RECENT_BLOCKS", 40)
    async with following(node, database, strict_proof_blocks=10_000, batch_blocks_max=7):
        await eventually(lambda: at(database, HEAD))
    blocks = await kept_headers(database)
    numbers = [number for number, _ in blocks]
    old = [number for number in numbers if number < HEAD - 40]
    assert old == sorted({1, *range(10, 80, 10), *(number for number in WITH_LOGS if number < 80)})
    assert numbers[len(old) :] == list(range(80, HEAD + 1))
    assert [before for _, before in blocks] == [0, *numbers[:-1]]
    assert await replay_differences(owner_url) == []
    with psycopg.connect(libpq(owner_url)) as connection:
        connection.execute("DELETE FROM derived.blocks WHERE number = 40")
    assert [(difference.table, difference.column) for difference in await replay_differences(owner_url)] == [
        ("blocks", "previous_kept_number")
    ]


async def replay_differences(owner_url: str) -> list[RowDifference]:
    owner = create_engine(owner_url, pool_size=1, connect_timeout_seconds=5, application_name="tests")
    try:
        unused = Rpc("http://127.0.0.1:1", timeout_seconds=1, attempts_max=1)
        return list((await check_replay(owner, FundContracts(unused, FUND), examples_max=10)).comparison.examples)
    finally:
        await owner.dispose()
