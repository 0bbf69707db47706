"""What the planner is told of a recorded state: cash, reserve, due days, windows, and which assets can be traded."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest
from tests.support.factories.risk_states import holding, open_request, risk_state
from tests.support.factories.snapshots import snapshot

from paimon.application.rebalance_engine.measure import TargetsNotPossible, measured_fund, policy_of_fund
from paimon.domain.asset.profile import AssetProfile, Liquidity
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import WAD, Bps, RawAmount
from paimon.domain.rebalance.decision import PlanInputs, decide
from paimon.domain.rebalance.measured_fund import OutflowDay, TradableAsset
from paimon.domain.rebalance.plan_policy import PlanPolicy
from paimon.domain.rebalance.rebalance_plan import NoPlan, RebalancePlan, Side, TradeReason
from paimon.domain.redemption.request import RedemptionChannel
from paimon.domain.risk.fund_risk_state import FundRiskState, OpenRequest
from paimon.domain.risk.promises import liquidity_ladder
from paimon.domain.risk.risk_policy import RiskPolicy
from paimon.domain.vault.fund_snapshot import AssetPosition, OrderInTransit, TierLimits

RISK_POLICY = RiskPolicy()
L2_ASSET = holding(2, Tier.L2, 310_000 * WAD)


def one_asset(position: AssetPosition, **changes: object) -> FundRiskState:
    return risk_state(snapshot(cash=RawAmount(100 * WAD), assets=(position,)), **changes)


def asset_of(state: FundRiskState) -> TradableAsset:
    (asset,) = measured_fund(state, RISK_POLICY).assets
    return asset


def test_requests_due_within_a_week_are_reserved_and_later_ones_only_planned_for() -> None:
    state = risk_state(
        open_requests=(
            open_request(10 * WAD, due_days=-2, request_id=1),
            open_request(20 * WAD, due_days=7, request_id=2),
            open_request(40 * WAD, due_days=8, request_id=3),
            open_request(80 * WAD, due_days=None, request_id=4),
        )
    )
    fund = measured_fund(state, RISK_POLICY)
    assert fund.reserved == 30 * WAD
    assert [(outflow.day, outflow.due) for outflow in fund.outflows] == [(0, 10 * WAD), (7, 20 * WAD), (8, 40 * WAD)]
    assert fund.total == state.fund.vault.gross_assets - 30 * WAD


@pytest.mark.parametrize(
    ("channel", "day"), [(RedemptionChannel.STANDARD, 7), (RedemptionChannel.EMERGENCY, 1), (RedemptionChannel.SCHEDULED, 0)]
)
def test_request_that_awaits_approval_leaves_in_the_stressed_case_at_its_earliest_date(
    channel: RedemptionChannel, day: int
) -> None:
    state = risk_state(open_requests=(open_request(80 * WAD, due_days=None, channel=channel),))
    forecast = (OutflowDay(day, expected=RawAmount(1), stressed=RawAmount(3)),)
    fund = measured_fund(state, RISK_POLICY, requests=forecast)
    assert fund.outflows == (OutflowDay(day, expected=RawAmount(1), stressed=RawAmount(80 * WAD + 3)),)
    assert fund.reserved == 0


QUICK: Final = AssetProfile("North", Liquidity(1, Bps(10)))


def on_target(*requests: OpenRequest) -> FundRiskState:
    """A fund of a million with every tier on target and no limit broken, whose L2 is cash a day after its sale."""
    held = [holding(number, Tier.L2, 155_000 * WAD) for number in (2, 3)]
    held += [holding(number, Tier.L3, 145_000 * WAD) for number in (4, 5, 6, 7)]
    fund = snapshot(cash=RawAmount(110_000 * WAD), assets=tuple(held))
    profiles = {position.token: QUICK for position in held if position.tier is Tier.L2}
    return risk_state(fund, open_requests=requests, profiles=profiles)


def test_shortage_from_requests_that_await_approval_is_planned_for_on_a_fund_that_is_on_target() -> None:
    waiting = open_request(450_000 * WAD, due_days=None, channel=RedemptionChannel.EMERGENCY)
    state = on_target(waiting)
    assert min(day.closing_if_approved for day in liquidity_ladder(state, RISK_POLICY, days=7)) < 0, "what the forecast sees"
    plan = decide(PlanInputs(measured_fund(state, RISK_POLICY), PlanPolicy(), 18))
    assert isinstance(plan, RebalancePlan), plan
    assert {(each.trade.side, each.trade.tier, each.reason) for each in plan.trades} == {
        (Side.SELL, Tier.L2, TradeReason.PAYOUT)
    }
    calm = decide(PlanInputs(measured_fund(on_target(), RISK_POLICY), PlanPolicy(), 18))
    assert isinstance(calm, NoPlan)
    assert "every tier is on target" in calm.reason


def test_asset_without_a_profile_has_the_terms_of_its_tier_and_one_with_a_profile_its_own() -> None:
    default = asset_of(one_asset(L2_ASSET))
    assert (default.days_to_cash, default.selling.steps[0].cost, default.counterparty) == (5, 10, None)
    profile = AssetProfile("North", Liquidity(2, Bps(33)))
    own = asset_of(one_asset(L2_ASSET, profiles={L2_ASSET.token: profile}))
    assert (own.days_to_cash, own.selling.steps[0].cost, own.counterparty) == (2, 33, "North")


def test_asset_without_a_price_or_under_a_paused_controller_is_not_traded() -> None:
    unpriced = asset_of(one_asset(replace(L2_ASSET, price=None)))
    assert not unpriced.sells_today
    assert not unpriced.buys_today
    state = one_asset(L2_ASSET)
    paused = replace(state, fund=replace(state.fund, flags=replace(state.fund.flags, controller_paused=True)))
    assert not asset_of(paused).sells_today
    assert asset_of(state).sells_today


@pytest.mark.parametrize(
    ("start", "end", "buys", "buys_in"),
    [(None, None, True, 0), (-1, 1, True, 0), (0, 0, True, 0), (1, 2, False, 1), (1.5, 9, False, 2), (-2, -1, False, 0)],
)
def test_window_says_when_an_asset_can_be_bought(start: float | None, end: float | None, buys: bool, buys_in: int) -> None:
    at = one_asset(L2_ASSET).fund.at.timestamp
    opens, closes = (None if day is None else at + timedelta(days=day) for day in (start, end))
    terms = replace(L2_ASSET.terms, subscription_start=opens, subscription_end=closes)
    asset = asset_of(one_asset(replace(L2_ASSET, terms=terms)))
    assert (asset.buys_today, asset.buys_in) == (buys, buys_in)
    assert asset.sells_today


def test_asset_at_an_untrusted_price_counts_and_is_not_traded() -> None:
    (asset,) = measured_fund(one_asset(L2_ASSET), RISK_POLICY, untrusted={L2_ASSET.token}).assets
    assert asset.value == L2_ASSET.value
    assert not asset.sells_today
    assert not asset.buys_today


def test_paid_order_counts_for_its_asset_and_cannot_be_sold() -> None:
    state = one_asset(L2_ASSET)
    order = OrderInTransit(1, L2_ASSET.token, RawAmount(9 * WAD), RawAmount(10 * WAD), L2_ASSET.token)
    asset = asset_of(replace(state, fund=replace(state.fund, in_transit=(order,))))
    assert (asset.value, asset.in_transit) == (310_000 * WAD, 10 * WAD)


def test_asset_that_is_no_longer_listed_is_not_there() -> None:
    assert measured_fund(one_asset(replace(L2_ASSET, is_listed=False)), RISK_POLICY).assets == ()


def test_amounts_of_the_policy_follow_the_decimals_of_the_funds_asset() -> None:
    wide = TierLimits(Bps(1_000), Bps(0), Bps(10_000))
    policy = policy_of_fund(PlanPolicy(), replace(snapshot(), asset_decimals=6, tier_limits=(wide,) * 3))
    assert (policy.smallest_plan, policy.gas_per_trade) == (1_000 * 10**6, 10**6 // 2)


def test_target_outside_of_the_contracts_band_is_refused_with_both() -> None:
    high = TierLimits(Bps(2_000), Bps(1_500), Bps(3_000))
    limits = snapshot().tier_limits
    with pytest.raises(TargetsNotPossible, match="target of L1, 1100 bps, is outside of 1500 to 2000"):
        policy_of_fund(PlanPolicy(), replace(snapshot(), tier_limits=(high, *limits[1:])))
