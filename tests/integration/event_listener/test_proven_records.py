"""A listener behind a node that lies, on a real chain: the books are complete all the same, and the lie is kept."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, text
from tests.support.chain.fund import TestFund
from tests.support.faults.byzantine_node import LyingNode, lying_node

from paimon.application.common.topics import RECONCILE
from paimon.application.event_listener.fetch.block_range import Caught
from paimon.application.event_listener.fetch.range_proofs import (
    ProofStanding,
    add_proof,
    count_lies,
    proof_standing,
    raise_proof,
)
from paimon.application.event_listener.ingest.listener import Listener
from paimon.application.reconciliation.reconcile import reconcile
from paimon.composition import House, open_house
from paimon.domain.chain.range_proof import Lie, ProofLevel, RangeProof
from paimon.infrastructure.blockchain.endpoint import endpoint_name
from paimon.infrastructure.database.leases import HeldLease, try_take
from paimon.infrastructure.database.models.derived import BlockRow, RangeProofRow, RawLogRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings

pytestmark = pytest.mark.integration

LEASE = HeldLease("listener", "tests", 1)


@pytest.fixture
async def node(fund: TestFund) -> AsyncIterator[LyingNode]:
    async with lying_node(fund.node.http_url) as opened:
        yield opened


@pytest.fixture
async def behind(settings: Settings, node: LyingNode) -> AsyncIterator[House]:
    """A house whose only endpoint is the lying one."""
    chain = settings.chain.model_copy(update={"rpc_url": SecretStr(node.url)})
    async with open_house(settings.model_copy(update={"chain": chain}), process="test") as opened:
        yield opened


def listener_of(house: House, **options: Any) -> Listener:
    settings = house.settings.chain.model_copy(update=options)
    return Listener(house.database, house.contracts, house.chain, settings, house.settings.fund.start_block)


async def record_all(listener: Listener) -> int:
    """Record as long as there is something; the rounds it took."""
    cursor, followed = await listener._start(LEASE)
    rounds = 0
    while (advanced := await listener._advance(cursor, followed, LEASE)) is not None:
        cursor, followed = advanced
        rounds += 1
    return rounds


async def standing(database: Database) -> ProofStanding:
    async with database.read() as session:
        return await proof_standing(session)


async def counted(database: Database) -> tuple[int, int]:
    """Blocks and logs recorded."""
    async with database.read() as session:
        blocks = await session.scalar(select(func.count()).select_from(BlockRow))
        logs = await session.scalar(select(func.count()).select_from(RawLogRow))
    return blocks or 0, logs or 0


def leaving_out(topic: str) -> Callable[[list[Any], Any], Any]:
    return lambda _params, logs: [each for each in logs if each["topics"][0] != topic]


async def test_a_log_that_the_node_leaves_out_is_in_the_books_all_the_same(
    house: House, behind: House, node: LyingNode, fund: TestFund
) -> None:
    request_id = fund.request("ines", 120_000)
    fund.wait_final()
    abi = house.contracts.abis["RedemptionManager"]  # type: ignore[index]
    (topic,) = ["0x" + each.topic.hex() for each in abi.events_by_topic.values() if each.name == "RedemptionRequested"]
    node.lies["eth_getLogs"] = leaving_out(topic)
    await record_all(listener_of(behind))
    result = await reconcile(house.database, house.contracts)
    assert result.differences == ()
    found = await standing(house.database)
    assert [(each.lie, each.times, each.endpoint) for each in found.lies] == [(Lie.OMITTED_LOG, 1, behind.rpc.endpoint)]
    async with house.database.read() as session:
        assert await session.scalar(text("SELECT request_id FROM derived.redemption_requests")) == request_id


async def test_what_an_omitted_log_announces_is_followed_and_its_own_logs_are_there(
    house: House, behind: House, node: LyingNode, fund: TestFund
) -> None:
    """The assets of the fund came by `AssetAdded`; their Transfers are asked for only once that is known."""
    fund.wait_final()
    abi = house.contracts.abis["AssetController"]  # type: ignore[index]
    (topic,) = ["0x" + each.topic.hex() for each in abi.events_by_topic.values() if each.name == "AssetAdded"]
    node.lies["eth_getLogs"] = leaving_out(topic)
    await record_all(listener_of(behind))
    assert (await reconcile(house.database, house.contracts)).differences == ()
    assert {each.lie for each in (await standing(house.database)).lies} == {Lie.OMITTED_LOG}


async def test_nothing_is_recorded_while_header_or_receipts_are_not_the_chains(
    house: House, behind: House, node: LyingNode, fund: TestFund
) -> None:
    fund.request("ines", 10_000)
    fund.wait_final()
    listener = listener_of(behind)
    honest = {"eth_getBlockByNumber", "eth_getBlockReceipts"}

    def without_bloom(_params: list[Any], header: Any) -> Any:
        return header | {"logsBloom": "0x" + "00" * 256}

    def without_logs(_params: list[Any], receipts: Any) -> Any:
        return [each | {"logs": []} for each in receipts]

    for lie in ({"eth_getBlockByNumber": without_bloom}, {"eth_getBlockReceipts": without_logs}):
        node.lies = dict(lie)
        assert await record_all(listener) == 0
        assert await counted(house.database) == (0, 0)
        assert set(lie) < honest
    node.lies = {}
    assert await record_all(listener) > 0
    assert (await reconcile(house.database, house.contracts)).differences == ()
    found = await standing(house.database)
    assert {each.lie for each in found.lies} == {Lie.WRONG_HEADER, Lie.WRONG_RECEIPTS}
    assert found.compared_block is not None


async def test_all_live_ranges_are_one_proof_by_receipts_and_no_range_asks_for_more_than_allowed(
    house: House, fund: TestFund
) -> None:
    fund.request("ines", 10_000)
    fund.wait_final()
    rounds = await record_all(listener_of(house, receipts_blocks_max=1, batch_blocks_max=20))
    blocks, _ = await counted(house.database)
    found = await standing(house.database)
    start = house.settings.fund.start_block
    assert rounds > blocks / 20
    assert found.newest == found.weakest == RangeProof(start, start + blocks - 1, ProofLevel.RECEIPTS)
    assert found.unproven is None


FAR_BEHIND: dict[str, Any] = {"live_blocks": 10, "catch_up_blocks_max": 20}


async def test_stretches_of_one_endpoint_are_told_as_the_weakest(house: House, fund: TestFund) -> None:
    fund.mine(30)
    fund.wait_final()
    await record_all(listener_of(house, **FAR_BEHIND))
    weak = await standing(house.database)
    assert weak.weakest is not None
    assert weak.weakest.level is ProofLevel.CHAINED
    assert weak.newest is not None
    assert weak.newest.level is ProofLevel.RECEIPTS


async def test_stretches_are_proven_by_a_second_endpoint_where_there_is_one(
    settings: Settings, node: LyingNode, fund: TestFund
) -> None:
    fund.mine(30)
    fund.wait_final()
    node.lies["eth_getLogs"] = lambda _params, logs: logs[1:]
    urls = {"rpc_url": SecretStr(node.url), "more_rpc_urls": SecretStr(fund.rpc_url)}
    chain = settings.chain.model_copy(update=urls)
    async with open_house(settings.model_copy(update={"chain": chain}), process="test") as house:
        await record_all(listener_of(house, **FAR_BEHIND))
        found = await standing(house.database)
        assert found.weakest is not None
        assert found.weakest.level is ProofLevel.AGREED
        assert {(each.lie, each.endpoint) for each in found.lies} == {(Lie.OMITTED_LOG, endpoint_name(node.url))}
        assert (await reconcile(house.database, house.contracts)).differences == ()


async def test_after_a_long_way_the_books_are_compared_with_the_state_at_its_end(
    house: House, fund: TestFund, eventually: Callable[..., Any]
) -> None:
    fund.mine(30)
    fund.wait_final()

    async def due() -> list[int]:
        async with house.database.read() as session:
            found = await session.scalars(select(OutboxMessageRow).where(OutboxMessageRow.kind == RECONCILE))
            return [each.payload["block"] for each in found]

    lease = await try_take(house.database, "listener", "tests", ttl_seconds=60)
    assert lease is not None
    task = asyncio.create_task(listener_of(house, live_blocks=10).follow(lease))
    try:
        (block,) = await eventually(due)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert block >= house.settings.fund.start_block + 30


async def proofs(database: Database) -> list[tuple[int, int, ProofLevel]]:
    async with database.read() as session:
        rows = await session.scalars(select(RangeProofRow).order_by(RangeProofRow.first_block))
        return [(each.first_block, each.last_block, each.level) for each in rows]


async def test_neighbours_of_one_level_are_one_row_and_a_stronger_proof_later_splits_and_merges_them(
    database: Database,
) -> None:
    weak, strong = ProofLevel.CHAINED, ProofLevel.RECEIPTS
    async with database.write() as session:
        for first, last, level in ((1, 10, weak), (11, 20, weak), (21, 21, strong), (22, 30, strong), (31, 40, weak)):
            await add_proof(session, RangeProof(first, last, level))
    assert await proofs(database) == [(1, 20, weak), (21, 30, strong), (31, 40, weak)]
    async with database.write() as session:
        await raise_proof(session, RangeProof(5, 8, strong))
    assert await proofs(database) == [(1, 4, weak), (5, 8, strong), (9, 20, weak), (21, 30, strong), (31, 40, weak)]
    async with database.write() as session:
        await raise_proof(session, RangeProof(1, 40, strong))
        await add_proof(session, RangeProof(41, 41, strong))
    assert await proofs(database) == [(1, 41, strong)]


async def test_lies_are_counted_by_endpoint_and_kind(database: Database) -> None:
    for block in (5, 7):
        async with database.write() as session:
            await count_lies(
                session, [Caught("a:1", Lie.OMITTED_LOG, block, "left out"), Caught("b:1", Lie.FORGED_LOG, 1, "x")]
            )
    found = await standing(database)
    assert {(each.endpoint, each.lie, each.times, each.last_block) for each in found.lies} == {
        ("a:1", Lie.OMITTED_LOG, 2, 7),
        ("b:1", Lie.FORGED_LOG, 2, 1),
    }
