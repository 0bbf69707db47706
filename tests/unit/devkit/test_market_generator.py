"""The market's generator: the same seed repeats itself, everything happens, and nobody spends what they do not have."""

from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paimon_devkit.market import actions as market_actions
from paimon_devkit.market.config import INVESTORS, MarketConfig, is_left_to_app
from paimon_devkit.market.generator import ACTION_RULES, Market, actions
from paimon_devkit.market.market_state import BPS_ONE, DAY, WAD, Asset, Investor, MarketState, RequestStatus, window_date

pytestmark = pytest.mark.unit

SEEDS = st.integers(0, 2**32 - 1)


def new_world(now: int = 1_790_000_000) -> MarketState:
    """Like the test fund when the market opens: 24 million from elsewhere, on target; 20 investors with money."""
    plans = (
        ("oTBILL", 0, 6, WAD, 720_000, True),
        ("MMFA", 1, 18, 105 * WAD // 100, 7_440_000, False),
        ("RWAC", 2, 18, 125 * WAD // 100, 6_960_000, False),
        ("RWAT", 2, 18, 105 * WAD // 10, 6_960_000, True),
        ("SEAS", 1, 4, 2 * WAD, 0, False),
    )
    assets = {
        symbol: Asset(tier, decimals, price, price, allocation_bps=1_000, minimum=1_000 * WAD, has_adapter=has_adapter)
        for symbol, tier, decimals, price, _, has_adapter in plans
    }
    for symbol, _, _, _, value, has_adapter in plans:
        assets[symbol].tokens = assets[symbol].tokens_for(value * WAD)
        assets[symbol].through_adapter = has_adapter
    assets["SEAS"].listed = False
    investors = {name: Investor(usdt=(5_000_000 if number < 5 else 400_000) * WAD) for number, name in enumerate(INVESTORS)}
    return MarketState(now, investors, assets, cash=1_920_000 * WAD, supply=24_000_000 * WAD, pending_fees=WAD)


def drawn(seed: int, count: int, config: MarketConfig | None = None) -> list[market_actions.Action]:
    return list(islice(actions(seed, config or MarketConfig(), new_world()), count))


@given(SEEDS)
@settings(max_examples=5)
def test_the_same_seed_gives_the_same_actions_and_another_seed_others(seed: int) -> None:
    assert drawn(seed, 150) == drawn(seed, 150)
    assert drawn(seed, 150) != drawn(seed + 1, 150)


@pytest.mark.parametrize("seed", [7, 11, 23, 2**32 - 1])
def test_every_kind_comes_within_a_year(seed: int) -> None:
    """For named seeds: chance may keep any kind away for a while, so it is no property of all of them."""
    counted = Counter(type(each) for each in drawn(seed, 3_000, MarketConfig(actions_per_day=8)))
    assert {kind for kind in ACTION_RULES if not counted[kind]} == set()


@given(SEEDS)
@settings(max_examples=3)
def test_nobody_spends_redeems_or_decides_beyond_their_means(seed: int) -> None:
    market = Market(seed, new_world())
    for _ in range(500):
        investors = {name: (each.usdt, each.redeemable) for name, each in market.state.investors.items()}
        requests, now = {key: (each.status, each.due_at) for key, each in market.state.requests.items()}, market.state.now
        spendable, tokens = market.state.spendable_cash, {key: each.tokens for key, each in market.state.assets.items()}
        match market.next():
            case market_actions.Deposit(investor=name, amount=amount):
                assert 500 * WAD <= amount <= investors[name][0]
            case market_actions.RequestRedemption(investor=name, shares=shares):
                assert 0 < shares <= investors[name][1]
            case market_actions.TransferShares(sender=name, shares=shares):
                assert 0 < shares <= investors[name][1]
            case market_actions.Approve(request_id=request_id) | market_actions.Reject(request_id=request_id):
                assert requests[request_id][0] is RequestStatus.PENDING_APPROVAL
            case market_actions.Settle(request_id=request_id) | market_actions.SettleScheduled(request_id=request_id):
                assert requests[request_id][0] is not RequestStatus.PENDING_APPROVAL
                assert requests[request_id][1] <= now
            case (
                market_actions.Buy(amount=amount)
                | market_actions.AllocateToLayer(amount=amount)
                | market_actions.CreateOtcOrder(amount=amount)
            ):
                assert 0 < amount <= spendable
            case market_actions.Sell(symbol=symbol, tokens=sold):
                assert 0 < sold <= tokens[symbol]
            case market_actions.MovePrices(quotes=quotes):
                assert all(price > 0 for _, price in quotes)


@given(SEEDS)
@settings(max_examples=3)
def test_the_predicted_books_add_up_after_every_action(seed: int) -> None:
    market = Market(seed, new_world())
    others = market.state.supply
    for _ in range(500):
        market.next()
        state = market.state
        assert sum(each.shares + each.locked for each in state.investors.values()) + others == state.supply
        assert sum(each.locked for each in state.investors.values()) == state.locked
        assert sum(each.gross for each in state.requests.values()) == state.liability
        assert min(each.usdt for each in state.investors.values()) >= 0
        assert min(each.tokens for each in state.assets.values()) >= 0


@given(SEEDS, st.integers(1, 100))
@settings(max_examples=5)
def test_time_passes_at_the_pace_that_was_asked_for(seed: int, per_day: int) -> None:
    sequence = drawn(seed, 1_000, MarketConfig(actions_per_day=per_day))
    seconds = sum(each.seconds for each in sequence if isinstance(each, market_actions.PassTime))
    happened = sum(not isinstance(each, market_actions.PassTime) for each in sequence)
    assert 0.8 < seconds * per_day / (happened * DAY) < 1.2


def test_beside_a_running_demo_time_is_not_the_markets_to_pass() -> None:
    sequence = drawn(3, 500, MarketConfig(passes_time=False))
    assert not any(isinstance(each, market_actions.PassTime) for each in sequence)


@given(SEEDS)
@settings(max_examples=3)
def test_what_is_left_to_the_house_is_never_touched(seed: int) -> None:
    config = MarketConfig(approvals_left_bps=4_000, settlements_left_bps=6_000)
    for each in drawn(seed, 600, config):
        match each:
            case market_actions.Approve(request_id=request_id) | market_actions.Reject(request_id=request_id):
                assert not is_left_to_app(request_id, 4_000)
            case market_actions.Settle(request_id=request_id) | market_actions.SettleScheduled(request_id=request_id):
                assert not is_left_to_app(request_id, 6_000)
            case market_actions.SettleBatch():
                raise AssertionError("a batch settles whatever is due, the house's share too")


@given(st.integers(0, BPS_ONE))
def test_the_house_gets_its_share(share_bps: int) -> None:
    left = sum(is_left_to_app(request_id, share_bps) for request_id in range(1, 2_001))
    assert abs(left * BPS_ONE // 2_000 - share_bps) <= 150


@given(st.integers(1_600_000_000, 4_000_000_000))
def test_the_next_window_is_the_next_first_of_a_quarter_month(now: int) -> None:
    window_id, settles_at = new_world().window_after(now)
    assert now <= settles_at == window_date(window_id) < now + 93 * DAY
    assert window_id % 100 in (3, 6, 9, 12)


def test_a_window_moved_to_before_the_notice_is_passed_over() -> None:
    state = new_world()
    window_id, settles_at = state.window_after(state.now)
    state.moved_windows[window_id] = state.now - 1
    later_id, later = state.window_after(state.now)
    assert later_id > window_id
    assert later > settles_at
