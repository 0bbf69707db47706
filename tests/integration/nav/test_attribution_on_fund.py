"""Attribution of NAV on the real fund: each deployed behaviour has its own component, and a simulated market leaves nothing
unexplained."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, select
from tests.conftest import make_settings
from tests.support.api_client import ApiClient, require_example
from tests.support.chain.fund import ARTIFACTS, DAY, WAD, TestFund, start_fund
from tests.support.chain.recording import record_all
from tests.support.paths import CONTRACTS
from tests.support.scenarios.fund_activity import FundActivity, snapshot_now

from paimon.application.nav.attribution import attribute_range, report_unexplained
from paimon.application.nav.nav_inputs_sql import load_nav_inputs
from paimon.application.nav.ranges import RangeEnd
from paimon.composition import AppContext, open_app_context
from paimon.domain.kernel.chain import BlockStamp, Hash32, checksum, parse_address
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.domain.vault.nav_attribution import attribute_nav_change
from paimon.domain.vault.nav_components import AttributionGroup, ComponentKind, NavAttribution, combine_attributions
from paimon.infrastructure.blockchain.contracts.snapshot import read_snapshot
from paimon.infrastructure.database.models.derived import BlockRow, RawLogRow, TokenTransferRow, TradeRow
from paimon_devkit.market.history import generate_history
from paimon_devkit.stack.accounts import ADMIN
from paimon_devkit.stack.embedded_chain import find_anvil

pytestmark = pytest.mark.integration

ALL = 10_000


@pytest.fixture
def activity(fund: TestFund) -> FundActivity:
    return FundActivity(fund)


async def attribution_between(app_context: AppContext, start: FundSnapshot, end: FundSnapshot) -> NavAttribution:
    return await attribute_range(app_context.database, RangeEnd(start.at.number), RangeEnd(end.at.number), steps_max=ALL)


def totals(attribution: NavAttribution) -> dict[AttributionGroup, int]:
    """Return the total of each group that has a component, without rounding."""
    return {
        group: attribution.total(group)
        for group in AttributionGroup
        if attribution.in_group(group) and group is not AttributionGroup.ROUNDING
    }


async def test_deposit_dilutes_nav_per_share_while_shares_are_locked(
    app_context: AppContext, fund: TestFund, activity: FundActivity
) -> None:
    """Deployed behaviour 1: a deposit mints at net assets ÷ the whole supply."""
    fund.request("ines", 450_000)
    fund.request("ivan", 450_000)
    before = await snapshot_now(app_context, fund)
    activity.deposit("isla", 2_000_000)
    after = await snapshot_now(app_context, fund)
    attribution = await attribution_between(app_context, before, after)
    assert totals(attribution) == {AttributionGroup.DEPOSITS: 2_000_000 * WAD}
    (part,) = attribution.in_group(AttributionGroup.DEPOSITS)
    assert part.per_share == after.nav_per_share - before.nav_per_share < -(10**15)
    assert {position.tx_hash for position in part.log_positions} != set()


async def test_redemptions_are_attributed_at_request_return_and_settlement(app_context: AppContext, fund: TestFund) -> None:
    first = await snapshot_now(app_context, fund)
    paid, cancelled = fund.request("ines", 50_000), fund.request("ilja", 20_000)
    requested = await snapshot_now(app_context, fund)
    fund.send("ilja", "RedemptionManager", "cancelRedemption", cancelled)
    fund.warp(8 * DAY)
    fund.send("ada", "RedemptionManager", "settleRedemption", paid)
    ended = await snapshot_now(app_context, fund)
    opening = await attribution_between(app_context, first, requested)
    assert totals(opening) == {AttributionGroup.REDEMPTIONS: -(requested.redemption_liability)}
    closing = await attribution_between(app_context, requested, ended)
    parts = {part.key.kind: part for part in closing.in_group(AttributionGroup.REDEMPTIONS)}
    assert parts[ComponentKind.SETTLED].amount == 0
    assert len(parts[ComponentKind.SETTLED].log_positions) == 3  # the payment, the fee kept, the settlement
    assert parts[ComponentKind.RETURNED].amount > 0
    assert closing.unexplained == ()


async def test_price_is_attributed_although_the_contract_cached_its_value(
    app_context: AppContext, fund: TestFund, activity: FundActivity
) -> None:
    """Deployed behaviour 3: when the contract's figure catches up after five minutes, our NAV does not change again."""
    before = await snapshot_now(app_context, fund)
    activity.controller(ADMIN, "refreshCache")
    activity.set_price("RWAC", 130 * WAD // 100)
    moved = await snapshot_now(app_context, fund)
    fund.warp(301)
    caught_up = await snapshot_now(app_context, fund)
    assert (moved.has_stale_cache, moved.contract.share_price) == (True, before.nav_per_share)
    assert (caught_up.has_stale_cache, caught_up.contract.share_price) == (False, moved.nav_per_share)
    rise = await attribution_between(app_context, before, moved)
    assert totals(rise) == {AttributionGroup.PRICE: moved.net_assets - before.net_assets}
    assert rise.change_per_share == moved.nav_per_share - before.nav_per_share > 0
    assert (await attribution_between(app_context, moved, caught_up)).components == ()


async def test_call_without_effect_has_no_component(app_context: AppContext, fund: TestFund, activity: FundActivity) -> None:
    """Deployed behaviour 7: a purchase below the minimum, a waterfall of nothing, and a buffer that needs nothing."""
    before = await snapshot_now(app_context, fund)
    below_minimum = activity.buy("RWAC", 100)
    activity.controller("hot", "executeWaterfallLiquidation", 0, 1)
    activity.controller("hot", "allocateToLayer", 1, 0)
    after = await snapshot_now(app_context, fund)
    attribution = await attribution_between(app_context, before, after)
    assert (attribution.change, attribution.change_per_share, totals(attribution), attribution.unexplained) == (0, 0, {}, ())
    async with app_context.database.read() as session:
        trades = [*await session.scalars(select(TradeRow).where(TradeRow.block_number > before.at.number))]
    assert [(trade.block_number, trade.has_effect, trade.usdt_amount) for trade in trades] == [(below_minimum, False, 0)]


async def test_otc_order_in_transit_is_no_loss(app_context: AppContext, fund: TestFund, activity: FundActivity) -> None:
    """Deployed behaviour 5."""
    before = await snapshot_now(app_context, fund)
    order_id = activity.pay_otc_order("RWAP", 100_000, 100 * 10**6)
    paid = await snapshot_now(app_context, fund)
    activity.deliver(order_id, "RWAP", 99 * 10**6)
    delivered = await snapshot_now(app_context, fund)
    assert totals(await attribution_between(app_context, before, paid)) == {AttributionGroup.OTC_IN_TRANSIT: -100_000 * WAD}
    second = await attribution_between(app_context, paid, delivered)
    assert totals(second) == {AttributionGroup.OTC_IN_TRANSIT: 100_000 * WAD, AttributionGroup.TRADING: -1_000 * WAD}
    whole = await attribution_between(app_context, before, delivered)
    assert (whole.total(AttributionGroup.OTC_IN_TRANSIT), whole.total(AttributionGroup.TRADING), whole.interval_count) == (
        0,
        -1_000 * WAD,
        2,
    )
    (trade,) = whole.in_group(AttributionGroup.TRADING)
    assert trade.key.token == parse_address(activity.asset("RWAP").address)


async def test_fee_changes_nav_when_it_is_collected(app_context: AppContext, fund: TestFund, activity: FundActivity) -> None:
    """Deployed behaviour 4: buying L3 with the mark where it was makes a fee pending at once."""
    before = await snapshot_now(app_context, fund)
    activity.buy("RWAT", 300_000)
    bought = await snapshot_now(app_context, fund)
    assert bought.fees.pending_performance - before.fees.pending_performance == pytest.approx(30_000 * WAD, rel=1e-6)
    buying = await attribution_between(app_context, before, bought)
    assert abs(buying.change) < 1_000  # an issuer's adapter trades at the price, but for a unit of rounding
    activity.controller("ada", "accruePerformanceFee")
    accrued = await snapshot_now(app_context, fund)
    assert (await attribution_between(app_context, bought, accrued)).change == 0
    activity.controller("ada", "collectFees")
    collected = await snapshot_now(app_context, fund)
    attribution = await attribution_between(app_context, accrued, collected)
    fees = {part.key.kind: part.amount for part in attribution.in_group(AttributionGroup.FEES)}
    assert fees.keys() == {"management", "performance"}
    assert fees[ComponentKind.PERFORMANCE] == -accrued.fees.accrued_performance
    assert sum(fees.values()) == attribution.change
    assert attribution.unexplained == ()


async def test_each_cause_of_a_change_has_its_own_component(
    app_context: AppContext, fund: TestFund, activity: FundActivity
) -> None:
    before = await snapshot_now(app_context, fund)
    activity.set_price("RWAC", 130 * WAD // 100)
    activity.controller(ADMIN, "refreshCache")  # behaviour 3: the contract's figure stays behind, ours does not
    activity.set_price("MMFA", 106 * WAD // 100)
    activity.earn("oTBILL", 5_000)
    activity.buy("MMFB", 50_000)
    activity.sell("RWAR", 500 * 10**8)
    activity.act(
        ADMIN,
        "Vault",
        fund.deployment.vault,
        "emergencyWithdraw",
        activity.asset("RWAC").address,
        fund.accounts.address(ADMIN),
        WAD,
    )
    after = await snapshot_now(app_context, fund)
    attribution = await attribution_between(app_context, before, after)
    assert attribution.unexplained == ()
    assert abs(attribution.total(AttributionGroup.ROUNDING)) <= attribution.division_count
    rwac, mmfa = (
        before.position(parse_address(activity.asset("RWAC").address)),
        before.position(parse_address(activity.asset("MMFA").address)),
    )
    assert rwac is not None
    assert mmfa is not None
    price = {part.key.token: part.amount for part in attribution.in_group(AttributionGroup.PRICE)}
    assert price[rwac.token] == pytest.approx(rwac.balance * 5 // 100, rel=1e-9)
    assert price[mmfa.token] == pytest.approx(mmfa.balance // 100, rel=1e-9)
    assert attribution.total(AttributionGroup.YIELD) == 5_000 * WAD
    cost = {part.key.token: part.amount for part in attribution.in_group(AttributionGroup.TRADING)}
    assert cost[parse_address(activity.asset("MMFB").address)] == pytest.approx(-50_000 * WAD * 8 / 10_000, rel=1e-3)
    assert cost[parse_address(activity.asset("RWAR").address)] == pytest.approx(-50_000 * WAD * 25 / 10_000, rel=1e-3)
    assert attribution.total(AttributionGroup.EMERGENCY_WITHDRAWALS) == -130 * WAD // 100
    assert after.has_stale_cache


async def test_unknown_tokens_and_missing_transfers_are_unexplained(
    app_context: AppContext, fund: TestFund, activity: FundActivity
) -> None:
    before = await snapshot_now(app_context, fund)
    activity.act(ADMIN, "TestToken", fund.deployment.usdt, "mint", fund.deployment.vault, 7 * WAD)
    after = await snapshot_now(app_context, fund)
    attribution = await attribution_between(app_context, before, after)
    assert [(part.key.kind, part.amount, len(part.log_positions)) for part in attribution.unexplained] == [
        ("transfer", 7 * WAD, 1)
    ]
    async with app_context.database.write() as session:
        await session.execute(delete(TokenTransferRow).where(TokenTransferRow.block_number > before.at.number))
    missed = await report_unexplained(app_context.database, after)
    assert missed is not None
    assert [(part.key.kind, part.amount, len(part.log_positions)) for part in missed.unexplained] == [
        ("no transfer", 7 * WAD, 0)
    ]


async def get_attribution(api_client: ApiClient, query: dict[str, Any]) -> httpx.Response:
    return await api_client.get("/fund/nav/explain", **query)


async def test_attribution_over_rest_sums_to_the_change(
    api_client: ApiClient, app_context: AppContext, fund: TestFund, activity: FundActivity
) -> None:
    before = await snapshot_now(app_context, fund)
    activity.buy("RWAC", 100_000)
    fund.request("ines", 10_000)
    after = await snapshot_now(app_context, fund)
    answer = await get_attribution(api_client, {"from": before.at.number, "to": after.at.number})
    require_example(answer, "nav_attribution")
    data = answer.json()["data"]
    assert sum(int(line["amount"]) for line in data["lines"]) == int(data["change"]) == after.net_assets - before.net_assets
    assert sum(int(line["perShare"]) for line in data["lines"]) == int(data["changePerShare"])
    assert [line["group"] for line in data["lines"]] == ["trading", "redemptions", "rounding"]
    (trade,) = data["lines"][0]["components"]
    assert (trade["token"], trade["eventCount"]) == (activity.asset("RWAC").address, 2)
    assert data["unexplained"] is False
    assert data["fromFirstSnapshot"] is False


async def test_attribution_names_the_error_for_each_invalid_range(
    api_client: ApiClient, app_context: AppContext, fund: TestFund, activity: FundActivity
) -> None:
    first = (await snapshot_now(app_context, fund)).at
    activity.buy("RWAC", 100_000)
    last = (await snapshot_now(app_context, fund)).at
    block, ahead = last.number, str((last.timestamp + timedelta(days=400)).date())
    both = "are both given; give one of them"
    for query, field, message in (
        ({}, "from", "give a block as from, or a day as startDate"),
        ({"from": 1, "startDate": "2026-01-01"}, "from", f"from and startDate {both}"),
        ({"from": 1, "to": 2, "endDate": "2026-01-01"}, "to", f"to and endDate {both}"),
        ({"from": -1}, "from", "greater than or equal to 0"),
        ({"from": 99_999_999}, "from", "block 99999999 is not recorded; blocks"),
        ({"from": block, "to": 99_999_999}, "to", "block 99999999 is not recorded; blocks"),
        ({"startDate": ahead}, "startDate", f"{ahead} has not begun; blocks"),
        ({"from": block, "endDate": ahead}, "endDate", f"{ahead} has not begun; blocks"),
        ({"from": block, "to": first.number}, "to", f"reversed: block {block} is after block {first.number}"),
        ({"from": block, "to": block}, "to", f"both ends are block {block}: give an earlier and a later one"),
        ({"from": block}, "to", f"from block {block} to now no snapshot was kept: both ends are that of block {block}"),
    ):
        answer = await get_attribution(api_client, query)
        assert answer.status_code == 400, query
        (detail,) = answer.json()["error"]["details"]
        assert (detail["field"], message in detail["message"]) == (field, True), detail
    too_early = await get_attribution(api_client, {"from": first.number - 1})
    assert too_early.status_code == 404
    assert f"; the first is of block {first.number}, " in too_early.json()["error"]["message"]


async def test_attribution_from_the_first_day_starts_at_the_first_snapshot(
    api_client: ApiClient, app_context: AppContext, fund: TestFund, activity: FundActivity
) -> None:
    first = (await snapshot_now(app_context, fund)).at
    activity.buy("RWAC", 100_000)
    await snapshot_now(app_context, fund)
    day = first.timestamp.date()
    data = (await get_attribution(api_client, {"startDate": str(day)})).json()["data"]
    assert (data["from"]["blockNumber"], data["fromFirstSnapshot"]) == (first.number, True)
    before = await get_attribution(api_client, {"startDate": str(day - timedelta(days=1))})
    assert before.status_code == 404
    assert f"the first is of block {first.number}, {first.timestamp:%Y-%m-%d %H:%M:%S} UTC" in before.text


# ------------------------------------------------------------------------------------------------ months of market


@pytest.fixture(scope="module", params=[3, 4])
def market_fund(data_folder: Path, request: pytest.FixtureRequest) -> Iterator[TestFund]:
    fund = start_fund(data_folder / f"explained-{request.param}", anvil=find_anvil(CONTRACTS))
    accounts = fund.accounts.fund_accounts()
    generate_history(fund.rpc_url, fund.deployment, accounts, artifacts=ARTIFACTS, seed=request.param, actions=400, days=90)
    yield fund
    fund.node.stop()


@pytest.fixture
async def market_context(market_fund: TestFund, app_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[AppContext]:
    options = make_settings(market_fund, app_url=app_url, redis_url=redis_url, folder=tmp_path)
    async with open_app_context(options, process="test") as opened:
        yield opened


async def test_every_interval_of_a_simulated_market_is_explained_completely(
    market_context: AppContext, market_fund: TestFund
) -> None:
    await record_all(market_context, market_fund)
    stamps = await blocks_with_logs(market_context)
    snapshots = [await read_snapshot(market_context.contracts, at=stamp) for stamp in stamps]
    attributions = []
    async with market_context.database.read() as session:
        for earlier, later in pairwise(snapshots):
            nav_inputs = await load_nav_inputs(session, after=earlier.at.number, until=later.at.number)
            attributions.append(attribute_nav_change(earlier, later, nav_inputs))
    problems = [
        (attribution.start.at.number, attribution.end.at.number, describe_unexplained(attribution))
        for attribution in attributions
        if attribution.unexplained
    ]
    assert problems == []
    whole = combine_attributions(attributions)
    assert whole.change == snapshots[-1].net_assets - snapshots[0].net_assets
    assert {
        AttributionGroup.PRICE,
        AttributionGroup.YIELD,
        AttributionGroup.TRADING,
        AttributionGroup.FEES,
        AttributionGroup.DEPOSITS,
        AttributionGroup.REDEMPTIONS,
    } <= set(totals(whole))
    assert len(attributions) > 50


async def blocks_with_logs(app_context: AppContext) -> list[BlockStamp]:
    """Return every block with a log, from the first asset purchase on."""
    first = select(RawLogRow.block_number).where(RawLogRow.event == "AssetPurchased").order_by(RawLogRow.block_number).limit(1)
    async with app_context.database.read() as session:
        start: Any = (await session.execute(first)).scalar_one()
        query = select(BlockRow).where(BlockRow.number >= start, BlockRow.number.in_(select(RawLogRow.block_number)))
        return [
            BlockStamp(row.number, Hash32(row.hash), row.timestamp)
            for row in await session.scalars(query.order_by(BlockRow.number))
        ]


def describe_unexplained(attribution: NavAttribution) -> list[str]:
    return [
        f"{part.key.kind} {checksum(part.key.token) if part.key.token else ''} {part.amount} {part.per_share}"
        for part in attribution.unexplained
    ]
