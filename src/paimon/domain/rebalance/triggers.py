"""What starts a plan, and for each condition why it does not. Source: docs/concepts/rebalancing.md.

A condition fires when its figure passes the threshold, and is then disarmed. It is armed again when the figure is back at the
re-arming edge, so that a figure that trembles at the threshold fires once. While it stays past the threshold, it fires again
after each cool-down: a plan that did not help is followed by another. An event counts since the last firing,
so that its figure is back at once: it has its cool-down even when it is armed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import BPS_ONE, Bps, RawAmount, Rounding, divide
from paimon.domain.rebalance.measured_fund import MeasuredFund
from paimon.domain.rebalance.plan_policy import PlanPolicy


class Trigger(StrEnum):
    """The five causes of a plan, the most urgent first."""

    LIQUIDITY = "liquidity"
    THRESHOLD = "threshold"
    EVENT = "event"
    SCHEDULED = "scheduled"
    MANUAL = "manual"


class ConditionName(StrEnum):
    """The figures that start a plan, the most urgent first."""

    SHORT_OF_CASH = "short_of_cash"
    L1_BELOW = "l1_below"
    L1_ABOVE = "l1_above"
    TIER_DEVIATION = "tier_deviation"
    LARGEST_ASSET = "largest_asset"
    THREE_LARGEST_ASSETS = "three_largest_assets"
    DEPOSIT = "deposit"
    WINDOW_OPENED = "window_opened"
    ASSET_MATURED = "asset_matured"
    PRICE_MOVE = "price_move"
    DAILY_DEVIATION = "daily_deviation"
    MANUAL_REQUEST = "manual_request"


class HoldCode(StrEnum):
    """What holds every plan back, however far a figure is beyond its threshold."""

    AUTOMATIC_OFF = "automatic_off"
    PAUSED = "paused"
    PLAN_UNDER_WAY = "plan_under_way"
    NOT_IN_SNAPSHOT = "not_in_snapshot"


_HOLD_TEXTS: Final[Mapping[HoldCode, str]] = {
    HoldCode.AUTOMATIC_OFF: "automatic plans are off",
    HoldCode.PAUSED: "the AssetController is paused",
    HoldCode.PLAN_UNDER_WAY: "the plan {subject} is under way",
    HoldCode.NOT_IN_SNAPSHOT: "no snapshot shows the fund after the transaction of block {subject} yet",
}


@dataclass(frozen=True, slots=True)
class Hold:
    """Why no plan may be made now; `subject` is the plan's name or the transaction's block."""

    code: HoldCode
    subject: str | None = None

    def __str__(self) -> str:
        return _HOLD_TEXTS[self.code].format(subject=self.subject)


class TriggerAnswer(StrEnum):
    """What a condition does now, by its figure, its quiet time and what holds every plan back."""

    NOT_MET = "not_met"
    QUIET = "quiet"
    HELD_BACK = "held_back"
    NOT_JUDGED = "not_judged"
    PLANS = "plans"


class Beyond(StrEnum):
    """The side of its threshold on which a condition fires."""

    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True)
class Condition:
    """One figure that starts a plan. `threshold` and `rearm` have the figure's unit: basis points, raw units or a count."""

    name: ConditionName
    trigger: Trigger
    side: Beyond
    threshold: int
    rearm: int
    cool_down: timedelta

    def is_met(self, figure: int) -> bool:
        """Report whether the figure is beyond the threshold; at the threshold it is not."""
        return figure > self.threshold if self.side is Beyond.ABOVE else figure < self.threshold

    def is_quiet(self, memory: "ConditionMemory", now: datetime) -> bool:
        """Report whether it may not fire yet, after it fired last. One that is armed may, but for an event."""
        if memory.fired_at is None or (memory.is_armed and self.trigger is not Trigger.EVENT):
            return False
        return now < memory.fired_at + self.cool_down

    def is_settled(self, figure: int) -> bool:
        """Report whether the figure is back at the re-arming edge or better."""
        return figure <= self.rearm if self.side is Beyond.ABOVE else figure >= self.rearm


@dataclass(frozen=True, slots=True)
class TriggerPolicy:
    """Thresholds of the conditions, and how long each is quiet after it fired."""

    tier_deviation: Bps = Bps(500)
    asset_share: Bps = Bps(2_500)
    top3_share: Bps = Bps(6_000)
    refill_below: Bps = Bps(800)
    deploy_above: Bps = Bps(1_500)
    deposit: RawAmount = RawAmount(100_000 * 10**18)
    price_move: Bps = Bps(500)
    rearm_share: Bps = Bps(8_000)
    """A condition is armed again at this share of its threshold (for one that fires below: at the inverse)."""
    cool_downs: Mapping[Trigger, timedelta] = field(
        default_factory=lambda: {
            Trigger.LIQUIDITY: timedelta(hours=1),
            Trigger.THRESHOLD: timedelta(hours=6),
            Trigger.EVENT: timedelta(hours=1),
            Trigger.SCHEDULED: timedelta(hours=23),
            Trigger.MANUAL: timedelta(0),
        }
    )


@dataclass(frozen=True, slots=True)
class FundEvents:
    """What has happened since the last look: the largest deposit, opened windows, maturities, price moves, a request."""

    largest_deposit: RawAmount = RawAmount(0)
    opened: tuple[Address, ...] = ()
    matured: tuple[Address, ...] = ()
    price_moves: Mapping[Address, Bps] = field(default_factory=dict)
    requested_by: str | None = None


@dataclass(frozen=True, slots=True)
class ConditionMemory:
    """When a condition fired last, and whether its figure has been back since."""

    fired_at: datetime | None = None
    is_armed: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """One condition now: its figure, whether it fires, and the reason in words."""

    condition: Condition
    figure: int
    fires: bool
    reason: str
    memory: ConditionMemory


def judge_triggers(
    fund: MeasuredFund,
    policy: PlanPolicy,
    triggers: TriggerPolicy,
    events: FundEvents,
    memory: Mapping[str, ConditionMemory],
    *,
    short_of_cash: RawAmount,
    now: datetime,
) -> tuple[Verdict, ...]:
    """Judge every condition. `short_of_cash` is by how much forecast outflow exceeds what can be paid; `now` is UTC."""
    figures = _figures(fund, policy, events, memory, short_of_cash, now)
    return tuple(
        _judge(condition, figures[condition.name], memory.get(condition.name, ConditionMemory()), now)
        for condition in conditions(triggers)
    )


def hold_back(verdicts: tuple[Verdict, ...], memory: Mapping[str, ConditionMemory], why: Hold | None) -> tuple[Verdict, ...]:
    """Let no condition fire, for this reason; each that would have fired stays as it was, and fires when the reason is gone."""
    if why is None:
        return verdicts

    def held(verdict: Verdict) -> Verdict:
        if not verdict.condition.is_met(verdict.figure):
            return verdict
        known = memory.get(verdict.condition.name, ConditionMemory()) if verdict.fires else verdict.memory
        return replace(verdict, fires=False, reason=f"{verdict.reason}; waits: {why}", memory=known)

    return tuple(held(verdict) for verdict in verdicts)


def answer_of(verdict: Verdict, memory: ConditionMemory | None, why: Hold | None, *, now: datetime) -> TriggerAnswer:
    """Return what a condition does now. `memory` is the planner's; None: it has not judged the condition yet."""
    condition = verdict.condition
    if not condition.is_met(verdict.figure):
        return TriggerAnswer.NOT_MET
    if memory is not None and condition.is_quiet(memory, now):
        return TriggerAnswer.QUIET
    if why is not None:
        return TriggerAnswer.HELD_BACK
    return TriggerAnswer.NOT_JUDGED if memory is None else TriggerAnswer.PLANS


def conditions(policy: TriggerPolicy) -> tuple[Condition, ...]:
    """Return every condition, the most urgent trigger first."""

    def above(name: ConditionName, trigger: Trigger, threshold: int) -> Condition:
        rearm = threshold * policy.rearm_share // BPS_ONE
        return Condition(name, trigger, Beyond.ABOVE, threshold, rearm, policy.cool_downs[trigger])

    def below(name: ConditionName, trigger: Trigger, threshold: int) -> Condition:
        rearm = threshold * BPS_ONE // policy.rearm_share
        return Condition(name, trigger, Beyond.BELOW, threshold, rearm, policy.cool_downs[trigger])

    return (
        above(ConditionName.SHORT_OF_CASH, Trigger.LIQUIDITY, 0),
        below(ConditionName.L1_BELOW, Trigger.LIQUIDITY, policy.refill_below),
        above(ConditionName.L1_ABOVE, Trigger.LIQUIDITY, policy.deploy_above),
        above(ConditionName.TIER_DEVIATION, Trigger.THRESHOLD, policy.tier_deviation),
        above(ConditionName.LARGEST_ASSET, Trigger.THRESHOLD, policy.asset_share),
        above(ConditionName.THREE_LARGEST_ASSETS, Trigger.THRESHOLD, policy.top3_share),
        above(ConditionName.DEPOSIT, Trigger.EVENT, policy.deposit),
        above(ConditionName.WINDOW_OPENED, Trigger.EVENT, 0),
        above(ConditionName.ASSET_MATURED, Trigger.EVENT, 0),
        above(ConditionName.PRICE_MOVE, Trigger.EVENT, policy.price_move),
        above(ConditionName.DAILY_DEVIATION, Trigger.SCHEDULED, 0),
        above(ConditionName.MANUAL_REQUEST, Trigger.MANUAL, 0),
    )


def _judge(condition: Condition, figure: int, memory: ConditionMemory, now: datetime) -> Verdict:
    beyond = f"{condition.side} {condition.threshold}"
    if not condition.is_met(figure):
        armed = memory.is_armed or condition.is_settled(figure)
        return Verdict(condition, figure, False, f"{figure} is not {beyond}", ConditionMemory(memory.fired_at, armed))
    if memory.fired_at is not None and condition.is_quiet(memory, now):
        fired, quiet_until = memory.fired_at, memory.fired_at + condition.cool_down
        reason = f"{figure} is {beyond}; it fired at {fired:%Y-%m-%d %H:%M} UTC and is quiet until {quiet_until:%H:%M}"
        return Verdict(condition, figure, False, reason, memory)
    is_new = memory.fired_at is None or memory.is_armed
    reason = f"{figure} is {beyond}" if is_new else f"{figure} is {beyond}, still after its cool-down"
    return Verdict(condition, figure, True, reason, ConditionMemory(now, is_armed=False))


def _figures(
    fund: MeasuredFund,
    policy: PlanPolicy,
    events: FundEvents,
    memory: Mapping[str, ConditionMemory],
    short_of_cash: RawAmount,
    now: datetime,
) -> dict[ConditionName, int]:
    """Return the figure of each condition. An empty fund is on target and holds no asset."""
    total = fund.total
    shares = sorted((_share(asset.exposure, total) for asset in fund.assets), reverse=True)
    deviation = max((abs(_share(fund.tier_values[tier], total) - policy.targets[tier]) for tier in Tier), default=0)
    layer1 = _share(fund.tier_values[Tier.L1], total)
    last = memory.get(ConditionName.DAILY_DEVIATION, ConditionMemory()).fired_at
    is_first_today = last is None or last.date() < now.date()
    return {
        ConditionName.SHORT_OF_CASH: short_of_cash,
        ConditionName.L1_BELOW: layer1 if total else policy.targets[Tier.L1],
        ConditionName.L1_ABOVE: layer1,
        ConditionName.TIER_DEVIATION: deviation if total else 0,
        ConditionName.LARGEST_ASSET: shares[0] if shares else 0,
        ConditionName.THREE_LARGEST_ASSETS: sum(shares[:3]),
        ConditionName.DEPOSIT: events.largest_deposit,
        ConditionName.WINDOW_OPENED: len(events.opened),
        ConditionName.ASSET_MATURED: len(events.matured),
        ConditionName.PRICE_MOVE: max((abs(move) for move in events.price_moves.values()), default=0),
        ConditionName.DAILY_DEVIATION: max(deviation - policy.landing, 0) if total and is_first_today else 0,
        ConditionName.MANUAL_REQUEST: int(events.requested_by is not None),
    }


def _share(value: int, total: int) -> int:
    """Return a share in basis points, rounded away from zero: a limit that is passed by one unit is passed."""
    if not total:
        return 0
    size = divide(abs(value) * BPS_ONE, total, rounding=Rounding.UP)
    return size if value >= 0 else -size
