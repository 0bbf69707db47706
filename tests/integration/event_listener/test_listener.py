"""The listener against a real chain and a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from tests.support.chain.fund import WAD, TestFund

from paimon.application.event_listener.fetch.block_range import BlockRange, fetch_range
from paimon.application.event_listener.fetch.log_filter import LogQuery
from paimon.application.event_listener.ingest.cursor import take_cursor
from paimon.application.event_listener.ingest.halt import find_halt
from paimon.application.event_listener.ingest.listener import Listener
from paimon.application.event_listener.record.record import CursorMoved, record
from paimon.application.reconciliation.reconcile import reconcile
from paimon.application.risk_control.record_findings import RISK_EVENT
from paimon.composition import AppContext
from paimon.domain.chain.tracked_contracts import TrackedContracts
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import BlockStamp, hex0x
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.redemption.request import RedemptionChannel, RedemptionStatus
from paimon.domain.risk.risk_event import RiskKind, Severity
from paimon.infrastructure.database.leadership import run_as_leader
from paimon.infrastructure.database.leases import HeldLease, try_acquire
from paimon.infrastructure.database.models.derived import BlockRow, CursorRow, RawLogRow, RedemptionRequestRow
from paimon.infrastructure.database.models.ops.event_listener import EventProcessingHourRow, EventProcessingLogRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow

pytestmark = pytest.mark.integration


def listener_of(app_context: AppContext) -> Listener:
    return Listener(
        database=app_context.database,
        contracts=app_context.contracts,
        chain=app_context.chain,
        options=app_context.settings.chain,
        start_block=app_context.settings.fund.start_block,
    )


async def take_cursor_with(app_context: AppContext, lease: HeldLease) -> BlockStamp:
    return await take_cursor(
        app_context.database, app_context.contracts, app_context.chain, lease, start_block=app_context.settings.fund.start_block
    )


@asynccontextmanager
async def following(app_context: AppContext) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(
        run_as_leader(app_context.database, "listener", listener_of(app_context).follow, ttl_seconds=3, renew_seconds=0.5)
    )
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def caught_up(app_context: AppContext, fund: TestFund, eventually: Callable[..., Any]) -> None:
    target = fund.node.rpc.head().number
    fund.wait_until_final()

    async def reached() -> bool:
        async with app_context.database.read() as session:
            return bool((await session.execute(select(CursorRow.number >= target))).scalar())

    await eventually(reached)


async def test_listener_records_and_projects_a_request_and_queues_its_message(
    app_context: AppContext, fund: TestFund, eventually: Callable[..., Any]
) -> None:
    request_id = fund.request("ines", 120_000)
    async with following(app_context):
        await caught_up(app_context, fund, eventually)
    async with app_context.database.read() as session:
        row = await session.get_one(RedemptionRequestRow, request_id)
        assert row.status is RedemptionStatus.PENDING_APPROVAL
        assert row.channel is RedemptionChannel.STANDARD
        assert row.shares == 120_000 * WAD
        assert row.settlement_at is None
        due = (await session.scalars(select(OutboxMessageRow).where(OutboxMessageRow.kind == "redemption"))).all()
        assert [message.aggregate_id for message in due] == [str(request_id)]
        assert "RedemptionRequested" in due[0].payload["events"]


async def test_recorded_state_equals_the_chain_after_every_kind_of_redemption(
    app_context: AppContext, fund: TestFund, eventually: Callable[..., Any]
) -> None:
    small, large, rejected = fund.request("ines", 10_000), fund.request("ivan", 120_000), fund.request("isla", 150_000)
    scheduled, cancelled = fund.request("ines", 800_000), fund.request("ilja", 5_000)
    fund.set_emergency_mode(True)
    emergency = fund.request("inga", 40_000, emergency=True)
    fund.approve_on_chain(large)
    fund.approve_on_chain(emergency)
    fund.send("vera", "RedemptionManager", "rejectRedemption", rejected, "source of funds unclear")
    fund.send("ilja", "RedemptionManager", "cancelRedemption", cancelled)
    fund.warp(8 * 86_400)
    for request in (small, large, emergency):
        fund.send("ada", "RedemptionManager", "settleRedemption", request)
    async with following(app_context):
        await caught_up(app_context, fund, eventually)
    result = await reconcile(app_context.database, app_context.contracts)
    assert result.discrepancies == ()
    async with app_context.database.read() as session:
        rows = {row.request_id: row.status for row in await session.scalars(select(RedemptionRequestRow))}
        quarantined = await session.scalar(
            select(func.count()).select_from(RawLogRow).where(RawLogRow.status == LogStatus.QUARANTINED)
        )
    assert quarantined == 0
    assert rows == {
        small: RedemptionStatus.SETTLED,
        large: RedemptionStatus.SETTLED,
        rejected: RedemptionStatus.REJECTED,
        scheduled: RedemptionStatus.PENDING,
        cancelled: RedemptionStatus.CANCELLED,
        emergency: RedemptionStatus.SETTLED,
    }


async def test_reconciliation_names_a_wrong_recorded_figure(
    app_context: AppContext, fund: TestFund, eventually: Callable[..., Any]
) -> None:
    request_id = fund.request("ines", 10_000)
    async with following(app_context):
        await caught_up(app_context, fund, eventually)
    async with app_context.database.write() as session:
        await session.execute(update(RedemptionRequestRow).values(gross_amount=RedemptionRequestRow.gross_amount + 1))
    result = await reconcile(app_context.database, app_context.contracts)
    assert {discrepancy.subject for discrepancy in result.discrepancies} == {
        "redemption liability",
        f"request {request_id} grossAmount",
    }


async def two_blocks(app_context: AppContext, cursor: BlockStamp) -> BlockRange:
    """Fetch the two blocks after the cursor, with the logs of the fund's own contracts."""
    first, last = cursor.number + 1, cursor.number + 2
    return await fetch_range(
        app_context.rpc, first, last, [LogQuery(frozenset(app_context.contracts.addresses.names()), first, last)]
    )


async def test_writer_of_an_older_epoch_writes_nothing(app_context: AppContext, fund: TestFund) -> None:
    old = HeldLease("listener", "sleeper", 1)
    await take_cursor_with(app_context, old)
    new = HeldLease("listener", "successor", 2)
    cursor = await take_cursor_with(app_context, new)
    fund.wait_until_final()
    fetched = await two_blocks(app_context, cursor)
    tracked = TrackedContracts({})
    with pytest.raises(CursorMoved):
        await record(app_context.database, fetched, [], tracked=tracked, epoch=old.epoch)
    async with app_context.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(BlockRow)) == 0
    await record(app_context.database, fetched, [], tracked=tracked, epoch=new.epoch)
    async with app_context.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(BlockRow)) == 2


async def test_range_is_recorded_once_when_writers_share_an_epoch(app_context: AppContext, fund: TestFund) -> None:
    cursor = await take_cursor_with(app_context, HeldLease("listener", "both", 1))
    fund.wait_until_final()
    fetched = await two_blocks(app_context, cursor)
    tracked = TrackedContracts({})
    writers = (record(app_context.database, fetched, [], tracked=tracked, epoch=1) for _ in range(4))
    results = await asyncio.gather(*writers, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["CursorMoved"] * 3 + ["list"]


async def test_listener_halts_when_a_final_block_changed(
    app_context: AppContext, fund: TestFund, eventually: Callable[..., Any]
) -> None:
    async with following(app_context):
        await caught_up(app_context, fund, eventually)
    async with app_context.database.write() as session:
        await session.execute(text("UPDATE derived.cursor SET hash = decode(repeat('ab', 32), 'hex')"))
    async with following(app_context) as task:
        await eventually(lambda: halted(app_context))
        assert not task.done(), "a process that exits would only be restarted"
    async with app_context.database.read() as session:
        (event,) = (await session.scalars(select(RiskEventRow))).all()
        (message,) = (await session.scalars(select(OutboxMessageRow).where(OutboxMessageRow.kind == RISK_EVENT))).all()
        cursor = (await session.scalars(select(CursorRow))).one()
        block = await session.get_one(BlockRow, cursor.number)
    assert (event.kind, event.severity) == (RiskKind.FINAL_BLOCK_CHANGED, Severity.CRITICAL)
    assert event.observed == f"block {cursor.number} recorded as 0x{'ab' * 32}"
    assert event.expected == hex0x(block.hash)
    assert (message.aggregate_id, message.priority) == (str(event.id), OutboxPriority.CRITICAL)


async def halted(app_context: AppContext) -> bool:
    async with app_context.database.read() as session:
        return await find_halt(session) is not None


async def test_standby_takes_over_from_a_dead_listener(
    app_context: AppContext, fund: TestFund, eventually: Callable[..., Any]
) -> None:
    assert await try_acquire(app_context.database, "listener", "killed", ttl_seconds=1) is not None  # and never renewed
    async with following(app_context):
        await caught_up(app_context, fund, eventually)
    async with app_context.database.read() as session:
        assert await session.scalar(select(CursorRow.epoch)) == 2


async def test_each_batch_logs_its_durations_and_lag(app_context: AppContext, fund: TestFund) -> None:
    fund.mine(20)
    fund.wait_until_final()
    listener = replace(listener_of(app_context), options=app_context.settings.chain.model_copy(update={"batch_blocks_max": 7}))
    lease = HeldLease("listener", "tests", 1)
    cursor, tracked = await listener._start(lease)
    ends = []
    while (advanced := await listener._advance(cursor, tracked, lease)) is not None:
        cursor, tracked = advanced
        ends.append(cursor.number)
    async with app_context.database.read() as session:
        rows = (await session.scalars(select(EventProcessingLogRow).order_by(EventProcessingLogRow.last_block))).all()
        hours = (await session.scalars(select(EventProcessingHourRow))).all()
        recorded = (await session.execute(select(func.count()).select_from(RawLogRow))).scalar_one()
    assert [row.last_block for row in rows] == ends
    assert [row.first_block for row in rows] == [app_context.settings.fund.start_block, *(end + 1 for end in ends[:-1])]
    assert sum(row.logs for row in rows) == recorded > 0
    assert rows[0].lag_blocks > 0
    assert all(row.last_block - row.first_block + 1 == 7 for row in rows if row.lag_blocks)
    assert rows[-1].lag_blocks == 0
    assert all(row.fetch_us > 0 and row.record_us > 0 for row in rows)
    assert sum(hour.batches for hour in hours) == len(rows)
    assert sum(hour.blocks for hour in hours) == ends[-1] - app_context.settings.fund.start_block + 1
