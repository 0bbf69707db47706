"""Dust on the chain: it waits for cheap gas, goes in batches before its deadline, and keeps no other request waiting."""

from collections.abc import Sequence

import pytest
from sqlalchemy import select, text
from tests.support.chain.fund import DAY, WAD, TestFund
from tests.support.chain.recording import record_all
from tests.support.scenarios.sending import SendingHarness

from paimon.application.redemptions.settlement import settle_due
from paimon.composition import AppContext
from paimon.domain.redemption.request import RedemptionStatus
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.models.derived import RedemptionRequestRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.settings import RedemptionSettings

pytestmark = pytest.mark.integration

DEAR = RedemptionSettings(dust_gas_price_wei=0, dust_batch=4)
CHEAP = RedemptionSettings(dust_gas_price_wei=10**15, dust_batch=4)
HOUR = 3600


def request_many(fund: TestFund, name: str, shares: Sequence[int]) -> None:
    account, manager = fund.accounts.account(name), fund.deployment.redemption_manager
    with fund.chain() as chain:
        for number in shares:
            chain.call(account, "RedemptionManager", manager, "requestRedemption", number * WAD, account.address)
        fund.mine(1)
        chain.confirm()


async def sweep(context: AppContext, fund: TestFund, options: RedemptionSettings) -> list[int]:
    await record_all(context, fund)
    return await settle_due(context.database, context.contracts, keeper=context.settings.sending.keeper, options=options)


async def settled(context: AppContext, fund: TestFund) -> list[int]:
    await record_all(context, fund)
    async with context.database.read() as session:
        query = select(RedemptionRequestRow.request_id).where(RedemptionRequestRow.status == RedemptionStatus.SETTLED)
        return sorted(int(number) for number in await session.scalars(query))


async def test_dust_waits_for_cheap_gas_and_others_do_not(app_context: AppContext, fund: TestFund) -> None:
    request_many(fund, "ivan", [1] * 6 + [499, 600])
    fund.warp(7 * DAY)
    assert await sweep(app_context, fund, DEAR) == [8]
    assert await sweep(app_context, fund, CHEAP) == [8, 1, 2, 3, 4]
    assert await sweep(app_context, fund, CHEAP) == [8]  # the batch moves, and nothing has a place beside it


async def test_batches_are_settled_before_the_deadline_and_behind_others(
    app_context: AppContext, harness: SendingHarness, fund: TestFund
) -> None:
    """Gas stays dear. A request that becomes due in between is settled with the next drive."""
    request_many(fund, "ivan", [1] * 9)
    fund.warp(HOUR)
    late = fund.request("ines", 1_000)
    fund.warp(7 * DAY - HOUR)
    assert await sweep(app_context, fund, DEAR) == []
    fund.warp(22 * HOUR)
    assert await sweep(app_context, fund, DEAR) == [late]
    fund.warp(HOUR)
    assert await sweep(app_context, fund, DEAR) == [late, 1, 2, 3, 4]
    await harness.drive_until_idle(harness.keeper)
    assert await settled(app_context, fund) == [1, 2, 3, 4, late]
    for batch in ([5, 6, 7, 8], [9]):
        assert await sweep(app_context, fund, DEAR) == batch
        await harness.drive_until_idle(harness.keeper)
    assert await settled(app_context, fund) == [*range(1, 10), late]
    settled_at = int(fund.node.rpc.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    first = fund.read("RedemptionManager", "getRedemptionRequest", 1)
    assert settled_at <= first["settlementTime"] + DAY


async def test_dust_that_fails_for_good_holds_no_place(app_context: AppContext, fund: TestFund) -> None:
    request_many(fund, "ivan", [1] * 6)
    fund.warp(7 * DAY)
    assert await sweep(app_context, fund, CHEAP) == [1, 2, 3, 4]
    async with app_context.database.write() as session:
        failed = "UPDATE ops.transaction_intents SET status = 'FAILED', closed_at = now() WHERE subject_id IN ('1', '2')"
        cancelled = (
            "UPDATE ops.transaction_intents SET status = 'CANCELLED', aborting_as = 'CANCELLED', abort_reason = 'otto',"
            " closed_at = now() WHERE subject_id = '3'"
        )
        blocked = "UPDATE ops.transaction_intents SET reason = 'it would revert' WHERE subject_id = '4'"
        for statement in (failed, cancelled, blocked):
            await session.execute(text(statement))
    assert await sweep(app_context, fund, CHEAP) == [1, 2, 5, 6]
    async with app_context.database.read() as session:
        keys = await session.scalars(select(IntentRow.idempotency_key).where(IntentRow.closed_at.is_(None)))
        assert "settle-redemption:1#2" in set(keys)


async def test_node_without_a_gas_price_makes_only_dust_wait(app_context: AppContext, fund: TestFund) -> None:
    request_many(fund, "ivan", [1, 600])
    fund.warp(7 * DAY)
    await record_all(app_context, fund)
    database, keeper = app_context.database, app_context.settings.sending.keeper
    async with Rpc("http://127.0.0.1:1", timeout_seconds=1, attempts_max=1) as away:
        contracts = FundContracts(away, fund.addresses)
        assert await settle_due(database, contracts, keeper=keeper, options=CHEAP) == [2]
        fund.warp(DAY)
        await record_all(app_context, fund)
        assert await settle_due(database, contracts, keeper=keeper, options=CHEAP) == [2, 1]
