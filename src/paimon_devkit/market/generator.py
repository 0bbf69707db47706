"""Choose the next action: draw a kind from a table of weights by one seeded generator, and let its rule propose an action.

A rule whose action is impossible now (nothing due, the contract paused) proposes None, and another kind is drawn. Three things
change the weights:

    urgency   settlements are due, a pause should end
    regime    at times a run of redemptions, or a rush of deposits
    rarity    a kind that was not drawn for long becomes likelier, so that rare kinds stay rare and still come
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

from paimon_devkit.market import actions as market_actions
from paimon_devkit.market import admins, investors, prices, traders
from paimon_devkit.market.config import MarketConfig
from paimon_devkit.market.market_state import CONTROLLER, DAY, MarketState
from paimon_devkit.market.predict import predict

if TYPE_CHECKING:
    from paimon_devkit.market.config import ActionProposer

_RARITY_BOOST_ACTIONS: Final = 80
_RARITY_BOOST_MAX: Final = 12
_REGIME_CHANCE: Final = 60  # a new regime begins with one in so many actions
_REGIME_ACTIONS: Final = (15, 50)


def _no_urgency(_state: MarketState) -> int:
    return 1


@dataclass(frozen=True, slots=True)
class ActionRule:
    """How often a kind is drawn, and the function that proposes an action of it. `urgency` multiplies the weight."""

    weight: int
    propose: "ActionProposer"
    urgency: Callable[[MarketState], int] = _no_urgency


def _due_urgency(state: MarketState) -> int:
    return min(len(state.due()), 8)


def _cash_short_urgency(state: MarketState) -> int:
    return 12 if traders.missing_cash(state) else 1


def _paused_cash_short_urgency(state: MarketState) -> int:
    return 4 if state.paused == {CONTROLLER} and traders.missing_cash(state) else 1


def _above_mark_urgency(state: MarketState) -> int:
    return 15 if state.layer_value(2) > state.high_water_mark * 102 // 100 else 1


ACTION_RULES: Final[Mapping[type[market_actions.Action], ActionRule]] = {
    market_actions.Deposit: ActionRule(150, investors.deposit),
    market_actions.MintShares: ActionRule(15, investors.mint_shares),
    market_actions.TransferShares: ActionRule(25, investors.transfer_shares),
    market_actions.RequestStandard: ActionRule(120, investors.request_standard),
    market_actions.RequestScheduled: ActionRule(12, investors.request_scheduled),
    market_actions.RequestEmergency: ActionRule(80, investors.request_emergency),
    market_actions.CancelRequest: ActionRule(14, investors.cancel_request),
    market_actions.Approve: ActionRule(70, investors.approve),
    market_actions.Reject: ActionRule(18, investors.reject),
    market_actions.Settle: ActionRule(80, investors.settle, _due_urgency),
    market_actions.SettleScheduled: ActionRule(80, investors.settle_scheduled, _due_urgency),
    market_actions.SettleBatch: ActionRule(6, investors.settle_batch),
    market_actions.MovePrices: ActionRule(45, prices.move_prices),
    market_actions.ShockPrice: ActionRule(5, prices.shock_price),
    market_actions.PublishStalePrice: ActionRule(5, prices.publish_stale_price),
    market_actions.SetImpact: ActionRule(6, prices.set_impact),
    market_actions.EarnYield: ActionRule(20, prices.earn_yield),
    market_actions.CompoundYield: ActionRule(10, traders.compound_yield),
    market_actions.Buy: ActionRule(30, traders.buy),
    market_actions.BuyBelowMinimum: ActionRule(4, traders.buy_below_minimum),
    market_actions.Sell: ActionRule(18, traders.sell, _cash_short_urgency),
    market_actions.AllocateToLayer: ActionRule(24, traders.allocate_to_layer),
    market_actions.RebalanceBuffer: ActionRule(8, traders.rebalance_buffer),
    market_actions.Waterfall: ActionRule(6, traders.waterfall),
    market_actions.UpdateAllocation: ActionRule(5, traders.update_allocation),
    market_actions.CreateOtcOrder: ActionRule(12, traders.create_otc_order),
    market_actions.PayOtcOrder: ActionRule(18, traders.pay_otc_order),
    market_actions.DeliverOtcOrder: ActionRule(25, traders.deliver_otc_order),
    market_actions.CancelOtcOrder: ActionRule(10, traders.cancel_otc_order),
    market_actions.RefreshCache: ActionRule(12, admins.refresh_cache),
    market_actions.UpdateNav: ActionRule(8, admins.update_nav),
    market_actions.AccrueManagementFee: ActionRule(10, admins.accrue_management_fee),
    market_actions.AccruePerformanceFee: ActionRule(5, admins.accrue_performance_fee),
    market_actions.SetHighWaterMark: ActionRule(6, admins.set_high_water_mark, _above_mark_urgency),
    market_actions.CollectFees: ActionRule(5, admins.collect_fees),
    market_actions.WithdrawRedemptionFees: ActionRule(8, admins.withdraw_redemption_fees),
    market_actions.SetFeeRecipient: ActionRule(3, admins.set_fee_recipient),
    market_actions.SetLayerConfig: ActionRule(4, admins.set_layer_config),
    market_actions.SetPurchaseTerms: ActionRule(5, admins.set_purchase_terms),
    market_actions.SwitchRoute: ActionRule(3, admins.switch_route),
    market_actions.ListAsset: ActionRule(6, admins.list_asset),
    market_actions.DelistAsset: ActionRule(3, admins.delist_asset),
    market_actions.GrantRole: ActionRule(5, admins.grant_role),
    market_actions.RevokeRole: ActionRule(6, admins.revoke_role),
    market_actions.Pause: ActionRule(3, admins.pause),
    market_actions.Unpause: ActionRule(60, admins.unpause, _paused_cash_short_urgency),
    market_actions.EmergencyOn: ActionRule(3, admins.emergency_on),
    market_actions.EmergencyOff: ActionRule(20, admins.emergency_off),
    market_actions.MoveWindow: ActionRule(3, admins.move_window),
    market_actions.EmergencyWithdraw: ActionRule(4, admins.emergency_withdraw),
}

_NORMAL: Final[Mapping[type[market_actions.Action], int]] = {}
_REDEMPTION_RUN: Final = {
    market_actions.RequestStandard: 5,
    market_actions.RequestScheduled: 3,
    market_actions.RequestEmergency: 5,
    market_actions.EmergencyOn: 8,
}
_DEPOSIT_RUSH: Final = {market_actions.Deposit: 6, market_actions.MintShares: 4}


@dataclass(slots=True)
class Market:
    """A sequence of actions, determined by seed, state and config. `state` may be replaced by one read from the chain."""

    seed: int
    state: MarketState
    config: MarketConfig = field(default_factory=MarketConfig)
    _rng: Random = field(init=False)
    _drawn: int = field(init=False, default=0)
    _last_drawn: dict[type[market_actions.Action], int] = field(init=False, default_factory=dict)
    _regime: Mapping[type[market_actions.Action], int] = field(init=False, default_factory=lambda: _NORMAL)
    _regime_actions_left: int = field(init=False, default=0)
    _actions_before_pause: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._rng = Random(self.seed)  # noqa: S311 — a simulation that must repeat
        self._actions_before_pause = self._group_size()

    def next(self) -> market_actions.Action:
        """Return the next action, and apply its predicted effect to the state."""
        if self.config.passes_time and self._actions_before_pause == 0:
            action: market_actions.Action = self._pass_time()
        else:
            action = self._draw()
            self._actions_before_pause -= 1
        predict(self.state, action)
        return action

    def _group_size(self) -> int:
        return self._rng.randint(1, 2 * self.config.actions_per_block - 1)

    def _pass_time(self) -> market_actions.PassTime:
        """Return a pause in proportion to the actions before the next one, varied by up to a half."""
        self._actions_before_pause = self._group_size()
        mean = self._actions_before_pause * DAY // self.config.actions_per_day
        return market_actions.PassTime(max(mean * self._rng.randint(50, 150) // 100, 1))

    def _draw(self) -> market_actions.Action:
        self._change_regime()
        self._drawn += 1
        weights = {kind: self._weight(kind, rule) for kind, rule in ACTION_RULES.items()}
        while True:
            kind = self._pick(weights)
            action = ACTION_RULES[kind].propose(self._rng, self.state, self.config)
            if action is not None:
                self._last_drawn[kind] = self._drawn
                return action
            del weights[kind]  # some kinds are always possible, so the loop ends

    def _weight(self, kind: type[market_actions.Action], rule: ActionRule) -> int:
        rarity_boost = min((self._drawn - self._last_drawn.get(kind, 0)) // _RARITY_BOOST_ACTIONS, _RARITY_BOOST_MAX)
        return (
            rule.weight * rule.urgency(self.state) * self._regime.get(kind, 1) + rule.weight * rarity_boost + 10 * rarity_boost
        )

    def _pick(self, weights: Mapping[type[market_actions.Action], int]) -> type[market_actions.Action]:
        drawn_weight = self._rng.randrange(sum(weights.values()))
        for kind, weight in weights.items():
            drawn_weight -= weight
            if drawn_weight < 0:
                return kind
        raise AssertionError("unreachable: the drawn weight is below the sum of the weights")

    def _change_regime(self) -> None:
        if self._regime_actions_left:
            self._regime_actions_left -= 1
        elif self._rng.randrange(_REGIME_CHANCE) == 0:
            self._regime, self._regime_actions_left = (
                self._rng.choice((_REDEMPTION_RUN, _DEPOSIT_RUSH)),
                self._rng.randint(*_REGIME_ACTIONS),
            )
        else:
            self._regime = _NORMAL


def actions(seed: int, config: MarketConfig, state: MarketState) -> Iterator[market_actions.Action]:
    """Yield actions without end, each chosen from the state that is predicted after the earlier ones. Changes `state`."""
    market = Market(seed, state, config)
    while True:
        yield market.next()
