"""Which action comes next: drawn from a table of weights by one seeded generator, with regard to the world.

A kind that cannot happen now (nothing due, the contract paused) proposes None and another is drawn. Three things bend
the weights: what is urgent (settlements due, a pause to be lifted), the mood (now and then a run on the fund, or a rush
into it), and hunger (what has not happened for long becomes likelier), so that the rare is rare and still comes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

from paimon_devkit.market import actions as act
from paimon_devkit.market import admins, investors, prices, traders
from paimon_devkit.market.config import MarketConfig
from paimon_devkit.market.market_state import CONTROLLER, DAY, World
from paimon_devkit.market.predict import predict

if TYPE_CHECKING:
    from paimon_devkit.market.config import Maker

_HUNGER_ACTIONS: Final = 80
_HUNGER_MAX: Final = 12
_MOOD_CHANCE: Final = 60  # one pause in so many begins a run or a rush
_MOOD_ACTIONS: Final = (15, 50)


def _always(_world: World) -> int:
    return 1


@dataclass(frozen=True, slots=True)
class Habit:
    """How often a kind is drawn, and who proposes it. `urgency` multiplies the weight."""

    weight: int
    propose: "Maker"
    urgency: Callable[[World], int] = _always


def _per_due(world: World) -> int:
    return min(len(world.due()), 8)


def _if_short(world: World) -> int:
    return 12 if traders.missing_cash(world) else 1


def _if_short_and_paused(world: World) -> int:
    return 4 if world.paused == {CONTROLLER} and traders.missing_cash(world) else 1


def _if_above_mark(world: World) -> int:
    return 15 if world.layer_value(2) > world.high_water_mark * 102 // 100 else 1


HABITS: Final[Mapping[type[act.Action], Habit]] = {
    act.Deposit: Habit(150, investors.deposit),
    act.MintShares: Habit(15, investors.mint_shares),
    act.TransferShares: Habit(25, investors.transfer_shares),
    act.RequestStandard: Habit(120, investors.request_standard),
    act.RequestScheduled: Habit(12, investors.request_scheduled),
    act.RequestEmergency: Habit(80, investors.request_emergency),
    act.CancelRequest: Habit(14, investors.cancel_request),
    act.Approve: Habit(70, investors.approve),
    act.Reject: Habit(18, investors.reject),
    act.Settle: Habit(80, investors.settle, _per_due),
    act.SettleScheduled: Habit(80, investors.settle_scheduled, _per_due),
    act.SettleBatch: Habit(6, investors.settle_batch),
    act.MovePrices: Habit(45, prices.move_prices),
    act.ShockPrice: Habit(5, prices.shock_price),
    act.QuoteLate: Habit(5, prices.quote_late),
    act.SetImpact: Habit(6, prices.set_impact),
    act.EarnYield: Habit(20, prices.earn_yield),
    act.CompoundYield: Habit(10, traders.compound_yield),
    act.Buy: Habit(30, traders.buy),
    act.BuyBelowMinimum: Habit(4, traders.buy_below_minimum),
    act.Sell: Habit(18, traders.sell, _if_short),
    act.AllocateToLayer: Habit(24, traders.allocate_to_layer),
    act.RebalanceBuffer: Habit(8, traders.rebalance_buffer),
    act.Waterfall: Habit(6, traders.waterfall),
    act.UpdateAllocation: Habit(5, traders.update_allocation),
    act.CreateOtcOrder: Habit(12, traders.create_otc_order),
    act.PayOtcOrder: Habit(18, traders.pay_otc_order),
    act.DeliverOtcOrder: Habit(25, traders.deliver_otc_order),
    act.CancelOtcOrder: Habit(10, traders.cancel_otc_order),
    act.RefreshCache: Habit(12, admins.refresh_cache),
    act.UpdateNav: Habit(8, admins.update_nav),
    act.AccrueManagementFee: Habit(10, admins.accrue_management_fee),
    act.AccruePerformanceFee: Habit(5, admins.accrue_performance_fee),
    act.SetHighWaterMark: Habit(6, admins.set_high_water_mark, _if_above_mark),
    act.CollectFees: Habit(5, admins.collect_fees),
    act.WithdrawRedemptionFees: Habit(8, admins.withdraw_redemption_fees),
    act.SetFeeRecipient: Habit(3, admins.set_fee_recipient),
    act.SetLayerConfig: Habit(4, admins.set_layer_config),
    act.SetPurchaseTerms: Habit(5, admins.set_purchase_terms),
    act.SwitchRoute: Habit(3, admins.switch_route),
    act.ListAsset: Habit(6, admins.list_asset),
    act.DelistAsset: Habit(3, admins.delist_asset),
    act.GrantRole: Habit(5, admins.grant_role),
    act.RevokeRole: Habit(6, admins.revoke_role),
    act.Pause: Habit(3, admins.pause),
    act.Unpause: Habit(60, admins.unpause, _if_short_and_paused),
    act.EmergencyOn: Habit(3, admins.emergency_on),
    act.EmergencyOff: Habit(20, admins.emergency_off),
    act.MoveWindow: Habit(3, admins.move_window),
    act.EmergencyWithdraw: Habit(4, admins.emergency_withdraw),
}

_CALM: Final[Mapping[type[act.Action], int]] = {}
_RUN: Final = {act.RequestStandard: 5, act.RequestScheduled: 3, act.RequestEmergency: 5, act.EmergencyOn: 8}
_RUSH: Final = {act.Deposit: 6, act.MintShares: 4}


@dataclass(slots=True)
class Market:
    """The same seed, world and config give the same actions. `world` may be replaced by one read from the chain."""

    seed: int
    world: World
    config: MarketConfig = field(default_factory=MarketConfig)
    _rng: Random = field(init=False)
    _drawn: int = field(init=False, default=0)
    _last: dict[type[act.Action], int] = field(init=False, default_factory=dict)
    _mood: Mapping[type[act.Action], int] = field(init=False, default_factory=lambda: _CALM)
    _mood_left: int = field(init=False, default=0)
    _before_pause: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._rng = Random(self.seed)  # noqa: S311 — a simulation, to be repeated
        self._before_pause = self._group()

    def next(self) -> act.Action:
        """The next action; the world is already as it should be after it."""
        if self.config.passes_time and self._before_pause == 0:
            action: act.Action = self._pause()
        else:
            action = self._draw()
            self._before_pause -= 1
        predict(self.world, action)
        return action

    def _group(self) -> int:
        return self._rng.randint(1, 2 * self.config.actions_per_block - 1)

    def _pause(self) -> act.PassTime:
        """In proportion to what comes between it and the next, give or take a half."""
        self._before_pause = self._group()
        usual = self._before_pause * DAY // self.config.actions_per_day
        return act.PassTime(max(usual * self._rng.randint(50, 150) // 100, 1))

    def _draw(self) -> act.Action:
        self._change_mood()
        self._drawn += 1
        weights = {kind: self._weight(kind, habit) for kind, habit in HABITS.items()}
        while True:
            kind = self._pick(weights)
            action = HABITS[kind].propose(self._rng, self.world, self.config)
            if action is not None:
                self._last[kind] = self._drawn
                return action
            del weights[kind]  # some kinds are always possible, so this ends

    def _weight(self, kind: type[act.Action], habit: Habit) -> int:
        hunger = min((self._drawn - self._last.get(kind, 0)) // _HUNGER_ACTIONS, _HUNGER_MAX)
        return habit.weight * habit.urgency(self.world) * self._mood.get(kind, 1) + habit.weight * hunger + 10 * hunger

    def _pick(self, weights: Mapping[type[act.Action], int]) -> type[act.Action]:
        ticket = self._rng.randrange(sum(weights.values()))
        for kind, weight in weights.items():
            ticket -= weight
            if ticket < 0:
                return kind
        raise AssertionError("unreachable: the ticket is below the sum of the weights")

    def _change_mood(self) -> None:
        if self._mood_left:
            self._mood_left -= 1
        elif self._rng.randrange(_MOOD_CHANCE) == 0:
            self._mood, self._mood_left = self._rng.choice((_RUN, _RUSH)), self._rng.randint(*_MOOD_ACTIONS)
        else:
            self._mood = _CALM


def actions(seed: int, config: MarketConfig, world: World) -> Iterator[act.Action]:
    """Without end, each from the world as it is predicted after those before. `world` changes with them."""
    market = Market(seed, world, config)
    while True:
        yield market.next()
