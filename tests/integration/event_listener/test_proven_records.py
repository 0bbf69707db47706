"""A listener with a byzantine node, on a real chain: the records are complete, and the node's faults are counted."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, text
from structlog.testing import capture_logs
from tests.support.chain.fund import TestFund
from tests.support.faults.byzantine_node import ByzantineNode, byzantine_node

from paimon.application.common.topics import RECONCILE
from paimon.application.event_listener.fetch.block_range import EndpointFault
from paimon.application.event_listener.fetch.queries import ProofSummary, read_proof_summary
from paimon.application.event_listener.fetch.store import add_proof, record_endpoint_faults, strengthen_proof
from paimon.application.event_listener.ingest.listener import Listener
from paimon.application.reconciliation.reconcile import reconcile
from paimon.composition import AppContext, open_app_context
from paimon.domain.chain.range_proof import InvalidResponseKind, ProofLevel, RangeProof
from paimon.domain.kernel.chain import ContractName
from paimon.infrastructure.blockchain.rpc.endpoint import endpoint_name
from paimon.infrastructure.database.leases import HeldLease, try_acquire
from paimon.infrastructure.database.models.derived import BlockRow, RangeProofRow, RawLogRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings

pytestmark = pytest.mark.integration

LEASE = HeldLease("listener", "tests", 1)


@pytest.fixture
async def node(fund: TestFund) -> AsyncIterator[ByzantineNode]:
    async with byzantine_node(fund.node.http_url) as opened:
        yield opened


@pytest.fixture
async def byzantine_context(settings: Settings, node: ByzantineNode) -> AsyncIterator[AppContext]:
    """An app context whose only endpoint is the byzantine node."""
    chain = settings.chain.model_copy(update={"rpc_url": SecretStr(node.url)})
    async with open_app_context(settings.model_copy(update={"chain": chain}), process="test") as opened:
        yield opened


def listener_of(app_context: AppContext, **options: Any) -> Listener:
    settings = app_context.settings.chain.model_copy(update=options)
    return Listener(
        app_context.database, app_context.contracts, app_context.chain, settings, app_context.settings.fund.start_block
    )


async def record_all(listener: Listener) -> int:
    """Record until caught up. Return the number of rounds."""
    cursor, tracked = await listener._start(LEASE)
    rounds = 0
    while (advanced := await listener._advance(cursor, tracked, LEASE)) is not None:
        cursor, tracked = advanced
        rounds += 1
    return rounds


async def proof_summary(database: Database) -> ProofSummary:
    async with database.read() as session:
        return await read_proof_summary(session, one_endpoint=False)


async def recorded_counts(database: Database) -> tuple[int, int]:
    """Return the numbers of recorded blocks and logs."""
    async with database.read() as session:
        blocks = await session.scalar(select(func.count()).select_from(BlockRow))
        logs = await session.scalar(select(func.count()).select_from(RawLogRow))
    return blocks or 0, logs or 0


def without_topic(topic: str) -> Callable[[list[Any], Any], Any]:
    return lambda _params, logs: [log for log in logs if log["topics"][0] != topic]


async def test_log_that_the_node_omits_is_recorded_from_receipts(
    app_context: AppContext, byzantine_context: AppContext, node: ByzantineNode, fund: TestFund
) -> None:
    request_id = fund.request("ines", 120_000)
    fund.wait_until_final()
    abi = app_context.contracts.abis[ContractName.REDEMPTION_MANAGER]
    (topic,) = ["0x" + entry.topic.hex() for entry in abi.events_by_topic.values() if entry.name == "RedemptionRequested"]
    node.mutations["eth_getLogs"] = without_topic(topic)
    await record_all(listener_of(byzantine_context))
    result = await reconcile(app_context.database, app_context.contracts)
    assert result.discrepancies == ()
    found = await proof_summary(app_context.database)
    assert [(fault.kind, fault.occurrences, fault.endpoint) for fault in found.faults] == [
        (InvalidResponseKind.OMITTED_LOG, 1, byzantine_context.rpc.endpoint)
    ]
    async with app_context.database.read() as session:
        assert await session.scalar(text("SELECT request_id FROM derived.redemption_requests")) == request_id


async def test_contract_named_by_an_omitted_log_is_tracked_with_its_logs(
    app_context: AppContext, byzantine_context: AppContext, node: ByzantineNode, fund: TestFund
) -> None:
    """The fund's assets are named by `AssetAdded`; their Transfers are fetched only once that event is known."""
    fund.wait_until_final()
    abi = app_context.contracts.abis[ContractName.ASSET_CONTROLLER]
    topic, *_ = ["0x" + entry.topic.hex() for entry in abi.events_by_topic.values() if entry.name == "AssetAdded"]
    node.mutations["eth_getLogs"] = without_topic(topic)
    await record_all(listener_of(byzantine_context))
    assert (await reconcile(app_context.database, app_context.contracts)).discrepancies == ()
    assert {fault.kind for fault in (await proof_summary(app_context.database)).faults} == {InvalidResponseKind.OMITTED_LOG}


async def test_nothing_is_recorded_while_headers_or_receipts_are_wrong(
    app_context: AppContext, byzantine_context: AppContext, node: ByzantineNode, fund: TestFund
) -> None:
    fund.request("ines", 10_000)
    fund.wait_until_final()
    listener = listener_of(byzantine_context)
    methods = {"eth_getBlockByNumber", "eth_getBlockReceipts"}

    def without_bloom(_params: list[Any], header: Any) -> Any:
        return header | {"logsBloom": "0x" + "00" * 256}

    def without_logs(_params: list[Any], receipts: Any) -> Any:
        return [receipt | {"logs": []} for receipt in receipts]

    for mutations in ({"eth_getBlockByNumber": without_bloom}, {"eth_getBlockReceipts": without_logs}):
        node.mutations = dict(mutations)
        assert await record_all(listener) == 0
        assert await recorded_counts(app_context.database) == (0, 0)
        assert set(mutations) < methods
    node.mutations = {}
    assert await record_all(listener) > 0
    assert (await reconcile(app_context.database, app_context.contracts)).discrepancies == ()
    found = await proof_summary(app_context.database)
    assert {fault.kind for fault in found.faults} == {InvalidResponseKind.WRONG_HEADER, InvalidResponseKind.WRONG_RECEIPTS}
    assert found.reconciled_block is not None


async def test_live_ranges_merge_into_one_receipt_proof_within_the_receipt_limit(
    app_context: AppContext, fund: TestFund
) -> None:
    fund.request("ines", 10_000)
    fund.wait_until_final()
    rounds = await record_all(listener_of(app_context, receipts_blocks_max=1, batch_blocks_max=20))
    blocks, _ = await recorded_counts(app_context.database)
    found = await proof_summary(app_context.database)
    start = app_context.settings.fund.start_block
    assert rounds > blocks / 20
    assert found.newest == found.weakest == RangeProof(start, start + blocks - 1, ProofLevel.RECEIPTS)
    assert found.unproven is None


FAR_BEHIND: dict[str, Any] = {"strict_proof_blocks": 10, "catch_up_blocks_max": 20}


async def test_segments_of_a_single_endpoint_are_warned_of_once_and_reported_as_weakest(
    app_context: AppContext, fund: TestFund
) -> None:
    listener = listener_of(app_context, **FAR_BEHIND)
    with capture_logs() as logs:
        for _catch_up in range(2):
            fund.mine(30)
            fund.wait_until_final()
            await record_all(listener)
    assert [entry["level"] for entry in logs if entry["event"] == "proof.one_endpoint"] == ["chained"]
    summary = await proof_summary(app_context.database)
    assert summary.weakest is not None
    assert summary.weakest.level is ProofLevel.CHAINED
    assert summary.newest is not None
    assert summary.newest.level is ProofLevel.RECEIPTS


async def test_segments_are_proven_by_a_second_endpoint(settings: Settings, node: ByzantineNode, fund: TestFund) -> None:
    fund.mine(30)
    fund.wait_until_final()
    node.mutations["eth_getLogs"] = lambda _params, logs: logs[1:]
    urls = {"rpc_url": SecretStr(node.url), "extra_rpc_urls": SecretStr(fund.rpc_url)}
    chain = settings.chain.model_copy(update=urls)
    async with open_app_context(settings.model_copy(update={"chain": chain}), process="test") as app_context:
        await record_all(listener_of(app_context, **FAR_BEHIND))
        found = await proof_summary(app_context.database)
        assert found.weakest is not None
        assert found.weakest.level is ProofLevel.AGREED
        assert {(fault.kind, fault.endpoint) for fault in found.faults} == {
            (InvalidResponseKind.OMITTED_LOG, endpoint_name(node.url))
        }
        assert (await reconcile(app_context.database, app_context.contracts)).discrepancies == ()


async def test_reconciliation_is_queued_after_a_catch_up(
    app_context: AppContext, fund: TestFund, eventually: Callable[..., Any]
) -> None:
    fund.mine(30)
    fund.wait_until_final()

    async def due_blocks() -> list[int]:
        async with app_context.database.read() as session:
            found = await session.scalars(select(OutboxMessageRow).where(OutboxMessageRow.kind == RECONCILE))
            return [row.payload["block"] for row in found]

    lease = await try_acquire(app_context.database, "listener", "tests", ttl_seconds=60)
    assert lease is not None
    task = asyncio.create_task(listener_of(app_context, strict_proof_blocks=10).follow(lease))
    try:
        (block,) = await eventually(due_blocks)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert block >= app_context.settings.fund.start_block + 30


async def proofs(database: Database) -> list[tuple[int, int, ProofLevel]]:
    async with database.read() as session:
        rows = await session.scalars(select(RangeProofRow).order_by(RangeProofRow.first_block))
        return [(row.first_block, row.last_block, row.level) for row in rows]


async def test_proof_rows_merge_by_level_and_a_stronger_proof_splits_them(
    database: Database,
) -> None:
    weak, strong = ProofLevel.CHAINED, ProofLevel.RECEIPTS
    async with database.write() as session:
        for first, last, level in ((1, 10, weak), (11, 20, weak), (21, 21, strong), (22, 30, strong), (31, 40, weak)):
            await add_proof(session, RangeProof(first, last, level))
    assert await proofs(database) == [(1, 20, weak), (21, 30, strong), (31, 40, weak)]
    async with database.write() as session:
        await strengthen_proof(session, RangeProof(5, 8, strong))
    assert await proofs(database) == [(1, 4, weak), (5, 8, strong), (9, 20, weak), (21, 30, strong), (31, 40, weak)]
    async with database.write() as session:
        await strengthen_proof(session, RangeProof(1, 40, strong))
        await add_proof(session, RangeProof(41, 41, strong))
    assert await proofs(database) == [(1, 41, strong)]


async def test_endpoint_faults_are_counted_by_endpoint_and_kind(database: Database) -> None:
    for block in (5, 7):
        async with database.write() as session:
            await record_endpoint_faults(
                session,
                [
                    EndpointFault("a:1", InvalidResponseKind.OMITTED_LOG, block, "was left out"),
                    EndpointFault("b:1", InvalidResponseKind.FORGED_LOG, 1, "x"),
                ],
            )
    found = await proof_summary(database)
    assert {(fault.endpoint, fault.kind, fault.occurrences, fault.last_block) for fault in found.faults} == {
        ("a:1", InvalidResponseKind.OMITTED_LOG, 2, 7),
        ("b:1", InvalidResponseKind.FORGED_LOG, 2, 1),
    }
