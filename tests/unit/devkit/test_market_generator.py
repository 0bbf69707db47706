"""The market's generator repeats with its seed, draws every kind of action, and keeps every account within its means."""

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


def new_state(now: int = 1_790_000_000) -> MarketState:
    """Return a state like the test fund's at the start: 24 million of other holders, on target; 20 investors with money."""
    assets_listed = (
        ("oTBILL", 0, 6, WAD, 720_000, True),
        ("MMFA", 1, 18, 105 * WAD // 100, 7_440_000, False),
        ("RWAC", 2, 18, 125 * WAD // 100, 6_960_000, False),
        ("RWAT", 2, 18, 105 * WAD // 10, 6_960_000, True),
        ("SEAS", 1, 4, 2 * WAD, 0, False),
    )
    assets = {
        symbol: Asset(tier, decimals, price, price, allocation_bps=1_000, minimum=1_000 * WAD, has_adapter=has_adapter)
        for symbol, tier, decimals, price, _, has_adapter in assets_listed
    }
    for symbol, _, _, _, value, has_adapter in assets_listed:
        assets[symbol].tokens = assets[symbol].tokens_for(value * WAD)
        assets[symbol].through_adapter = has_adapter
    assets["SEAS"].listed = False
    investors = {name: Investor(usdt=(5_000_000 if number < 5 else 400_000) * WAD) for number, name in enumerate(INVESTORS)}
    return MarketState(now, investors, assets, cash=1_920_000 * WAD, supply=24_000_000 * WAD, pending_fees=WAD)


def draw_actions(seed: int, count: int, config: MarketConfig | None = None) -> list[market_actions.Action]:
    return list(islice(actions(seed, config or MarketConfig(), new_state()), count))


@given(SEEDS)
@settings(max_examples=5)
def test_seed_determines_the_actions(seed: int) -> None:
    assert draw_actions(seed, 150) == draw_actions(seed, 150)
    assert draw_actions(seed, 150) != draw_actions(seed + 1, 150)


@pytest.mark.parametrize("seed", [7, 11, 23, 2**32 - 1])
def test_every_kind_of_action_is_drawn_within_a_year(seed: int) -> None:
    """For fixed seeds only: chance may delay any kind, so this is not a property of every seed."""
    counted = Counter(type(action) for action in draw_actions(seed, 3_000, MarketConfig(actions_per_day=8)))
    assert {kind for kind in ACTION_RULES if not counted[kind]} == set()


@given(SEEDS)
@settings(max_examples=3)
def test_actions_stay_within_the_means_of_their_account(seed: int) -> None:
    market = Market(seed, new_state())
    for _ in range(500):
        investors = {name: (investor.usdt, investor.redeemable) for name, investor in market.state.investors.items()}
        requests = {number: (request.status, request.due_at) for number, request in market.state.requests.items()}
        now = market.state.now
        spendable = market.state.spendable_cash
        tokens = {symbol: asset.tokens for symbol, asset in market.state.assets.items()}
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
def test_predicted_sums_hold_after_every_action(seed: int) -> None:
    market = Market(seed, new_state())
    other_holders = market.state.supply
    for _ in range(500):
        market.next()
        state = market.state
        assert sum(investor.shares + investor.locked for investor in state.investors.values()) + other_holders == state.supply
        assert sum(investor.locked for investor in state.investors.values()) == state.locked
        assert sum(request.gross for request in state.requests.values()) == state.liability
        assert min(investor.usdt for investor in state.investors.values()) >= 0
        assert min(asset.tokens for asset in state.assets.values()) >= 0


@given(SEEDS, st.integers(1, 100))
@settings(max_examples=5)
def test_time_passes_at_the_configured_pace(seed: int, per_day: int) -> None:
    sequence = draw_actions(seed, 1_000, MarketConfig(actions_per_day=per_day))
    pauses = [action for action in sequence if isinstance(action, market_actions.PassTime)]
    seconds, performed = sum(pause.seconds for pause in pauses), len(sequence) - len(pauses)
    assert 0.8 < seconds * per_day / (performed * DAY) < 1.2


def test_market_passes_no_time_beside_a_running_demo() -> None:
    sequence = draw_actions(3, 500, MarketConfig(passes_time=False))
    assert not any(isinstance(action, market_actions.PassTime) for action in sequence)


@given(SEEDS)
@settings(max_examples=3)
def test_requests_left_to_the_application_are_never_touched(seed: int) -> None:
    config = MarketConfig(approvals_left_bps=4_000, settlements_left_bps=6_000)
    for action in draw_actions(seed, 600, config):
        match action:
            case market_actions.Approve(request_id=request_id) | market_actions.Reject(request_id=request_id):
                assert not is_left_to_app(request_id, 4_000)
            case market_actions.Settle(request_id=request_id) | market_actions.SettleScheduled(request_id=request_id):
                assert not is_left_to_app(request_id, 6_000)
            case market_actions.SettleBatch():
                raise AssertionError("a batch settles everything that is due, the application's share too")


@given(st.integers(0, BPS_ONE))
def test_application_gets_its_share(share_bps: int) -> None:
    left = sum(is_left_to_app(request_id, share_bps) for request_id in range(1, 2_001))
    assert abs(left * BPS_ONE // 2_000 - share_bps) <= 150


@given(st.integers(1_600_000_000, 4_000_000_000))
def test_next_window_settles_on_the_first_of_a_quarter_month(now: int) -> None:
    window_id, settles_at = new_state().window_after(now)
    assert now <= settles_at == window_date(window_id) < now + 93 * DAY
    assert window_id % 100 in (3, 6, 9, 12)


def test_window_moved_before_the_notice_is_skipped() -> None:
    state = new_state()
    window_id, settles_at = state.window_after(state.now)
    state.moved_windows[window_id] = state.now - 1
    later_id, later = state.window_after(state.now)
    assert later_id > window_id
    assert later > settles_at
