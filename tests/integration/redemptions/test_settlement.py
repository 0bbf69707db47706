"""Settlements: due by recorded chain time only, one intent for repeated requests, and a bounded number of tries."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from tests.support.chain.fund import DAY, TestFund
from tests.support.chain.recording import record_all
from tests.support.factories.encoded_logs import FUND
from tests.support.factories.rows import insert_row
from tests.support.factories.strategies import EPOCH, address

from paimon.application.redemptions.settlement import (
    NotDue,
    NotSettleable,
    request_settlement,
    settle_due,
    window_date,
)
from paimon.application.redemptions.store import find_redemption
from paimon.application.transactions.retries import FAILED_INTENTS_MAX, RetriesExhausted
from paimon.composition import AppContext
from paimon.domain.redemption.request import RedemptionChannel
from paimon.domain.transaction.intent import Intent
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.models.derived import CursorRow, RedemptionRequestRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.sessions import Database
from paimon.settings import RedemptionSettings

pytestmark = pytest.mark.integration

KEEPER = address(0xEE)
NOW = EPOCH + timedelta(days=1)
NO_DUST = RedemptionSettings(dust_amount=0)


@pytest.fixture
def contracts() -> FundContracts:
    """Contracts without a node: only a scheduled request's date is read from the chain."""
    return FundContracts(Rpc("http://127.0.0.1:1", timeout_seconds=1, attempts_max=1), FUND)


async def record_at_now(database: Database, **columns: Any) -> None:
    """Record the chain at NOW, with one request."""
    async with database.write() as session:
        await insert_row(session, CursorRow, timestamp=NOW)
        await insert_row(session, RedemptionRequestRow, **columns)


async def intents(database: Database) -> list[IntentRow]:
    async with database.read() as session:
        return [*await session.scalars(select(IntentRow).order_by(IntentRow.created_at))]


async def end_without_effect(database: Database, status: str = "FAILED") -> None:
    async with database.write() as session:
        changed = "UPDATE ops.transaction_intents SET status = :status, closed_at = now() WHERE closed_at IS NULL"
        await session.execute(text(changed), {"status": status})


async def request(database: Database, contracts: FundContracts) -> Intent:
    async with database.write() as session:
        redemption = await find_redemption(session, 1)
        assert redemption is not None
        return await request_settlement(
            session, redemption, chain_time=NOW, window_date=None, contracts=contracts, keeper=KEEPER
        )


@pytest.mark.parametrize(
    ("settles_at", "queued"),
    [(NOW - timedelta(days=1), [1]), (NOW, [1]), (NOW + timedelta(seconds=1), []), (None, [])],
)
async def test_request_is_due_by_the_time_of_the_last_recorded_block(
    database: Database, contracts: FundContracts, settles_at: Any, queued: list[int]
) -> None:
    """The recorded block is far in the past of the database's clock, and that clock must not matter."""
    await record_at_now(database, settlement_at=settles_at)
    assert await settle_due(database, contracts, keeper=KEEPER, options=NO_DUST) == queued
    assert len(await intents(database)) == len(queued)


async def test_nothing_is_due_before_the_first_block(database: Database, contracts: FundContracts) -> None:
    assert await settle_due(database, contracts, keeper=KEEPER, options=NO_DUST) == []


async def test_concurrent_sweeps_queue_one_intent(database: Database, contracts: FundContracts) -> None:
    await record_at_now(database)
    for _ in range(2):
        await asyncio.gather(*(settle_due(database, contracts, keeper=KEEPER, options=NO_DUST) for _ in range(4)))
    (intent,) = await intents(database)
    assert (intent.idempotency_key, intent.wallet, intent.subject_id) == ("settle-redemption:1", KEEPER, "1")
    assert (await request(database, contracts)).id == intent.id
    async with database.read() as session:
        (message,) = await session.scalars(select(OutboxMessageRow))
    assert message.kind == "drive_wallet"


async def test_settlement_is_retried_under_a_new_key_a_bounded_number_of_times(
    database: Database, contracts: FundContracts
) -> None:
    await record_at_now(database)
    for status in ("REVERTED", "FAILED", "EXPIRED"):
        await settle_due(database, contracts, keeper=KEEPER, options=NO_DUST)
        await settle_due(database, contracts, keeper=KEEPER, options=NO_DUST)
        await end_without_effect(database, status)
    keys = [intent.idempotency_key for intent in await intents(database)]
    assert keys == ["settle-redemption:1", "settle-redemption:1#2", "settle-redemption:1#3"]
    assert len(keys) == FAILED_INTENTS_MAX
    assert await settle_due(database, contracts, keeper=KEEPER, options=NO_DUST) == []
    with pytest.raises(RetriesExhausted, match="3 tries to settle redemption 1 ended without effect"):
        await request(database, contracts)
    assert len(await intents(database)) == FAILED_INTENTS_MAX


async def test_exhausted_request_does_not_block_another_settlement(database: Database, contracts: FundContracts) -> None:
    await record_at_now(database)
    for _ in range(FAILED_INTENTS_MAX):
        await request(database, contracts)
        await end_without_effect(database)
    async with database.write() as session:
        await insert_row(session, RedemptionRequestRow, request_id=2)
    assert await settle_due(database, contracts, keeper=KEEPER, options=NO_DUST) == [2]


@pytest.mark.parametrize("status", ["FINAL", "SATISFIED_EXTERNALLY"])
async def test_settlement_is_not_retried_when_it_is_done_without_its_event(
    database: Database, contracts: FundContracts, status: str
) -> None:
    await record_at_now(database)
    await request(database, contracts)
    await end_without_effect(database, status)
    await settle_due(database, contracts, keeper=KEEPER, options=NO_DUST)
    assert len(await intents(database)) == 1


async def test_settlement_is_refused_with_a_reason_too_early_or_too_late(database: Database, contracts: FundContracts) -> None:
    await record_at_now(database, settlement_at=NOW + timedelta(days=6))
    with pytest.raises(NotDue, match=r"settles from 2026-01-08 00:00:00 UTC on; the chain's time is 2026-01-02 00:00:00 UTC"):
        await request(database, contracts)
    async with database.write() as session:
        await session.execute(text("UPDATE derived.redemption_requests SET status = 'CANCELLED', closed_at = now()"))
    with pytest.raises(NotSettleable, match="request 1 is CANCELLED"):
        await request(database, contracts)
    assert await intents(database) == []


async def scheduled(app_context: AppContext, fund: TestFund) -> tuple[int, int]:
    """Record a request for a quarterly window, and return its id and the window's."""
    request_id = fund.request("ines", 800_000)
    await record_all(app_context, fund)
    async with app_context.database.read() as session:
        redemption = await find_redemption(session, request_id)
    assert redemption is not None
    assert redemption.channel is RedemptionChannel.SCHEDULED
    return request_id, redemption.window_id


def chain_now(fund: TestFund) -> int:
    return int(fund.node.rpc.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)


async def sweep(app_context: AppContext, fund: TestFund) -> list[int]:
    await record_all(app_context, fund)
    keeper, options = app_context.settings.sending.keeper, app_context.settings.redemption
    return await settle_due(app_context.database, app_context.contracts, keeper=keeper, options=options)


async def test_moved_window_settles_on_its_present_date(app_context: AppContext, fund: TestFund) -> None:
    request_id, window_id = await scheduled(app_context, fund)
    planned = fund.read("RedemptionManager", "getRedemptionRequest", request_id)["settlementTime"]
    fund.send("ada", "AssetScheduler", "moveWindow", window_id, planned + 30 * DAY)
    fund.warp(planned - chain_now(fund) + DAY)
    assert await sweep(app_context, fund) == []
    fund.send("ada", "AssetScheduler", "moveWindow", window_id, chain_now(fund) + 2 * DAY)
    fund.warp(2 * DAY + 60)
    assert await sweep(app_context, fund) == [request_id]
    (intent,) = await intents(app_context.database)
    assert intent.data[:4] == load_abi("RedemptionManager").functions["settleScheduledRedemption"].selector


@pytest.mark.parametrize("window", ["postponed forever", "unknown to the scheduler"])
async def test_window_without_a_date_does_not_block_other_settlements(
    app_context: AppContext, fund: TestFund, window: str
) -> None:
    request_id, window_id = await scheduled(app_context, fund)
    other = fund.request("ivan", 10_000)
    fund.warp(8 * DAY)
    if window == "postponed forever":
        fund.send("ada", "AssetScheduler", "moveWindow", window_id, 2**256 - 1)
    else:
        await record_all(app_context, fund)
        async with app_context.database.write() as session:
            await session.execute(text("UPDATE derived.redemption_requests SET window_id = 7 WHERE channel = 'SCHEDULED'"))
    assert await sweep(app_context, fund) == [other]
    async with app_context.database.read() as session:
        redemption = await find_redemption(session, request_id)
    assert redemption is not None
    assert await window_date(app_context.contracts, redemption, at=await app_context.chain.final_block(app_context.rpc)) is None
