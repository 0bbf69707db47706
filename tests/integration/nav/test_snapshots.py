"""Snapshots of a real chain: read at one block, kept when something happened, and shown."""

from dataclasses import replace

import orjson
import pytest
from sqlalchemy import func, select, update
from tests.support.chain.fund import WAD, TestFund
from tests.support.chain.recording import record_all
from tests.support.prices import ANY_PRICE
from tests.support.scenarios.fund_activity import MATERIAL_THRESHOLD, FundActivity, snapshot_now

from paimon.application.common.chain_position import chain_position
from paimon.application.nav.snapshots import take_snapshot
from paimon.application.nav.store import KEPT_KIND, LATEST_KIND
from paimon.application.nav.stored_snapshot import from_stored_json
from paimon.composition import AppContext
from paimon.domain.asset.purchase_method import PurchaseMethod
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import ContractName, OnChainRole, parse_address
from paimon.domain.vault.fund_snapshot import FundSnapshot, RoleAssignment
from paimon.gateway.fund_documents import FundDocuments
from paimon.gateway.tasks.handlers import handlers
from paimon.infrastructure.blockchain.contracts.reads import CallReverted
from paimon.infrastructure.blockchain.contracts.snapshot import read_snapshot
from paimon.infrastructure.database.models.derived import ObservationRow
from paimon.infrastructure.database.models.derived.snapshot import AssetHoldingSnapshotRow, DailySnapshotRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.queue.handler import handle
from paimon_devkit.stack.accounts import ADMIN

pytestmark = pytest.mark.integration


@pytest.fixture
def activity(fund: TestFund) -> FundActivity:
    return FundActivity(fund)


async def stored(app_context: AppContext, kind: str) -> list[FundSnapshot]:
    query = select(ObservationRow.data).where(ObservationRow.kind == kind).order_by(ObservationRow.block_number)
    async with app_context.database.read() as session:
        return [from_stored_json(data) for data in await session.scalars(query)]


async def test_snapshot_equals_the_contracts_at_its_block(
    app_context: AppContext, fund: TestFund, activity: FundActivity
) -> None:
    activity.set_price("RWAC", 13 * WAD // 10)
    taken = await snapshot_now(app_context, fund)
    vault = app_context.contracts.vault
    gross, total_assets, price = await app_context.contracts.read(
        [vault.gross_assets(), vault.total_assets(), vault.share_price()], at=taken.at
    )
    assert (taken.vault.gross_assets, taken.net_assets, taken.nav_per_share) == (gross, total_assets, price)
    assert taken.tier_values_match
    assert not taken.has_stale_cache
    assert {position.decimals for position in taken.assets} == {6, 8, 18}
    assert [sum(position.tier is tier for position in taken.assets) for tier in Tier] == [2, 2, 4]
    private = taken.position(parse_address(activity.asset("RWAP").address))
    assert private is not None
    assert (private.terms.method, private.terms.minimum) == (PurchaseMethod.OTC, 25_000 * WAD)
    assert private.priced_at is not None
    assert private.priced_at < taken.at.timestamp
    assert taken.fees.high_water_mark > 0
    assert [limits.target for limits in taken.tier_limits] == [1_000, 3_000, 6_000]
    assert taken.buffer is not None
    assert taken.cash == taken.buffer.cash
    assert taken.assets[0].terms.adapter != bytes(20)


async def test_snapshot_is_stored_as_observation_and_in_columns(app_context: AppContext, fund: TestFund) -> None:
    taken = await snapshot_now(app_context, fund)
    assert await stored(app_context, KEPT_KIND) == [taken]
    async with app_context.database.read() as session:
        row = (await session.scalars(select(DailySnapshotRow))).one()
        assets = (await session.scalars(select(AssetHoldingSnapshotRow))).all()
    assert (row.time, row.block_number, row.net_assets) == (taken.at.timestamp, taken.at.number, taken.net_assets)
    assert {position.token: position.value for position in assets} == {
        position.token: position.value for position in taken.assets
    }


async def test_overview_shows_the_stale_contract_value_beside_ours(
    app_context: AppContext, fund: TestFund, activity: FundActivity
) -> None:
    """Deployed behaviour 3: after `refreshCache` the contract's own figures miss a price move for five minutes."""
    before = await snapshot_now(app_context, fund)
    activity.controller(ADMIN, "refreshCache")
    activity.set_price("MMFA", 2 * 105 * WAD // 100)
    after = await snapshot_now(app_context, fund)
    assert after.has_stale_cache
    assert after.contract.total_assets == before.net_assets
    assert after.net_assets > before.net_assets
    overview = orjson.loads(await FundDocuments(app_context.database, app_context.redis).read_overview() or b"")
    assert overview["contract"]["staleCache"] is True
    assert int(overview["totalAssets"]) - int(overview["contract"]["totalAssets"]) == after.net_assets - before.net_assets


async def test_otc_order_is_in_transit_from_payment_to_delivery(
    app_context: AppContext, fund: TestFund, activity: FundActivity
) -> None:
    before = await snapshot_now(app_context, fund)
    tokens = 100 * 10**6
    order_id = activity.pay_otc_order("RWAP", 100_000, tokens)
    paid = await snapshot_now(app_context, fund)
    assert [(order.order_id, order.paid, order.expected_tokens) for order in paid.in_transit] == [
        (order_id, 100_000 * WAD, tokens)
    ]
    assert before.net_assets - paid.net_assets == paid.in_transit_total == 100_000 * WAD
    activity.deliver(order_id, "RWAP", tokens)
    delivered = await snapshot_now(app_context, fund)
    assert delivered.in_transit == ()
    assert delivered.net_assets == before.net_assets


async def test_unlisted_or_unpriced_asset_counts_zero(app_context: AppContext, fund: TestFund, activity: FundActivity) -> None:
    before = await snapshot_now(app_context, fund)
    activity.controller(ADMIN, "removeAsset", activity.asset("RWAT").address)
    with fund.chain() as chain:  # a token without an oracle, and without a balance
        unknown = chain.deploy(fund.accounts.account(ADMIN), "TestToken", "Unknown", "UNK", 12)
        fund.mine(1)
        chain.confirm()
    activity.controller(ADMIN, "addAssetSimple", unknown, 2, 0)
    after = await snapshot_now(app_context, fund)
    unlisted = after.position(parse_address(activity.asset("RWAT").address))
    assert unlisted is not None
    assert (unlisted.is_listed, unlisted.value, unlisted.balance > 0) == (False, 0, True)
    held = before.position(unlisted.token)
    assert held is not None
    assert before.net_assets - after.net_assets == held.value
    assert after.tier_values_match
    unpriced = after.position(parse_address(unknown))
    assert unpriced is not None
    assert (unpriced.price, unpriced.priced_at, unpriced.value) == (None, None, 0)


async def test_snapshot_fails_when_the_fund_cannot_be_valued(
    app_context: AppContext, fund: TestFund, activity: FundActivity
) -> None:
    activity.controller(ADMIN, "addAssetSimple", fund.deployment.usdt, 2, 0)  # no oracle prices it, and the vault holds some
    fund.wait_until_final()
    with pytest.raises(CallReverted):
        await read_snapshot(app_context.contracts, at=await app_context.chain.final_block(app_context.rpc))


async def test_snapshot_has_the_roles_held_at_its_block(
    app_context: AppContext, fund: TestFund, activity: FundActivity
) -> None:
    vip = OnChainRole.VIP_APPROVER_ROLE.id
    willa = RoleAssignment(ContractName.REDEMPTION_MANAGER, vip, parse_address(fund.accounts.address("willa")))
    fund.send(ADMIN, "RedemptionManager", "grantRole", vip, fund.accounts.address("willa"))
    granted = await snapshot_now(app_context, fund)
    fund.send(ADMIN, "RedemptionManager", "revokeRole", vip, fund.accounts.address("willa"))
    revoked = await snapshot_now(app_context, fund)
    assert set(granted.roles) - set(revoked.roles) == {willa}
    rebalancer = OnChainRole.REBALANCER_ROLE.id
    hot = RoleAssignment(ContractName.ASSET_CONTROLLER, rebalancer, parse_address(fund.accounts.address("hot")))
    assert hot in revoked.roles
    assert (
        RoleAssignment(ContractName.ASSET_CONTROLLER, rebalancer, parse_address(fund.accounts.address(ADMIN)))
        not in revoked.roles
    )


async def test_scheduled_snapshot_is_kept_only_when_something_changed(
    app_context: AppContext, fund: TestFund, activity: FundActivity
) -> None:
    async def take_scheduled() -> None:
        fund.wait_until_final()
        await record_all(app_context, fund)
        await take_snapshot(
            app_context.database,
            app_context.contracts,
            FundDocuments(app_context.database, app_context.redis),
            material_threshold=MATERIAL_THRESHOLD,
            prices=ANY_PRICE,
        )

    await take_scheduled()
    for _ in range(3):
        await take_scheduled()
    assert (len(await stored(app_context, KEPT_KIND)), len(await stored(app_context, LATEST_KIND))) == (1, 1)
    activity.set_price("RWAC", 126 * WAD // 100)  # 0.8 % of 14.5 % of the fund
    await take_scheduled()
    assert len(await stored(app_context, KEPT_KIND)) == 2
    fund.warp(3_600)
    await take_scheduled()
    assert len(await stored(app_context, KEPT_KIND)) == 3
    latest = orjson.loads(await FundDocuments(app_context.database, app_context.redis).read_overview() or b"")
    assert latest["block"]["number"] == (await stored(app_context, KEPT_KIND))[-1].at.number


async def test_burst_of_events_gives_one_snapshot_after_the_pause(
    app_context: AppContext, worker_database: Database, fund: TestFund, activity: FundActivity
) -> None:
    slow = app_context.settings.nav.model_copy(update={"snapshot_pause_seconds": 60})
    settings = app_context.settings.model_copy(update={"nav": slow})
    slow_handlers = handlers(replace(app_context, settings=settings, database=worker_database))
    fund_messages = (OutboxMessageRow.kind == "fund", OutboxMessageRow.done_at.is_(None))

    async def handle_due() -> int:
        """Handle every fund message that is due; return how many are deferred."""
        async with app_context.database.read() as session:
            due = (
                await session.scalars(
                    select(OutboxMessageRow.id).where(*fund_messages, OutboxMessageRow.available_at <= func.now())
                )
            ).all()
        for message_id in due:
            await handle(worker_database, slow_handlers, message_id, attempts_max=1, backoff_seconds_max=1)
        async with app_context.database.read() as session:
            return len((await session.scalars(select(OutboxMessageRow.id).where(*fund_messages))).all())

    await record_all(app_context, fund)
    assert await handle_due() == 0
    assert len(await stored(app_context, KEPT_KIND)) == 1
    for _ in range(3):  # in the pause after the first
        activity.buy("oTBILL", 1_000)
        await record_all(app_context, fund)
        assert await handle_due() == 1
    assert len(await stored(app_context, KEPT_KIND)) == 1
    await app_context.redis.client.flushall()  # the pause is over
    async with app_context.database.write() as session:
        await session.execute(update(OutboxMessageRow).where(*fund_messages).values(available_at=func.now()))
    assert await handle_due() == 0
    kept = await stored(app_context, KEPT_KIND)
    async with app_context.database.read() as reading:
        assert (len(kept), kept[-1].at) == (2, await chain_position(reading))
