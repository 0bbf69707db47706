"""The liquidity forecast: what may flow in and out over 1, 7 and 30 days, and whether the fund can pay it.

    open requests by due date        ─┐
    simulated requests and deposits  ─┼──► balance by path and day ──► chance of a shortage, amounts, a recommendation
    what can be cash by each day     ─┘

A simulated request counts on the day it is made, though the contracts pay it days later: the fund must begin to free the cash
then. Deposits count at half. Without simulated flows the balance is that of the liquidity ladder. The interval of requests is
corrected by how earlier forecasts of this history did (adaptive conformal inference with delayed feedback): each end moves out
after a miss and in after a hit. Those forecasts are of the whole horizon; their levels count for each day of the fan.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import RawAmount
from paimon.domain.risk.flow_model import HISTORY_DAYS_FULL, Floats, FlowHistory, simulate_flows
from paimon.domain.risk.fund_risk_state import FundRiskState
from paimon.domain.risk.liquidity import default_liquidity_note
from paimon.domain.risk.liquidity_forecast import (
    SHORTAGE_CHANCE,
    TAIL_LEVEL,
    Calibration,
    FanDay,
    Horizon,
    Levels,
    LiquidityForecast,
    recommend,
)
from paimon.domain.risk.promises import LadderDay, liquidity_ladder
from paimon.domain.risk.risk_policy import RiskPolicy

PATHS: Final = 10_000
INFLOW_COUNTED: Final = 0.5
STRESS_LEVEL: Final = 0.01
"""The chance that requests exceed the stressed outflow."""

_STEP: Final = 0.02
_LEVEL_MIN: Final = 0.001
_BEYOND: Final = 1.5
"""What the largest simulated outflow is multiplied with, once misses have used up the sample."""
_REPLAY_PATHS: Final = 300
_REPLAY_HISTORY_MIN: Final = 60


def forecast_liquidity(
    state: FundRiskState, policy: RiskPolicy, history: FlowHistory, horizon: Horizon, *, seed: int, paths: int = PATHS
) -> LiquidityForecast:
    """Forecast one horizon. The same state, history and seed give the same forecast."""
    unit = float(10**state.fund.asset_decimals)
    ladder = liquidity_ladder(state, policy, days=horizon.days)
    drawn = simulate_flows(history, days=horizon.days, paths=paths, seed=seed)
    deposits = drawn.deposits.cumsum(axis=1)
    # No more can be requested than the fund has.
    requests = np.minimum(drawn.requests.cumsum(axis=1), history.net_assets + deposits)
    inflow = INFLOW_COUNTED * deposits
    closing = np.array([float(row.closing_if_approved) for row in ladder]) / unit
    balance = closing - requests + inflow
    calibration = calibrate(history, days=horizon.days)
    least, most = bounds_of(requests, calibration.levels)
    most = np.minimum(most, (history.net_assets + deposits).max(axis=0))
    stressed = max(float(np.quantile(requests[:, -1], 1 - STRESS_LEVEL)), float(most[-1]))
    without_requests = closing + inflow.mean(axis=0)
    worst = balance.min(axis=1)
    chances = np.logical_or.accumulate(balance < 0, axis=1).mean(axis=0)
    fan = tuple(
        FanDay(
            day,
            _raw(requests[:, day].mean(), unit),
            _raw(most[day], unit),
            _signed(balance[:, day].mean(), unit),
            _signed(without_requests[day] - most[day], unit),
            _signed(without_requests[day] - least[day], unit),
            float(chances[day]),
        )
        for day in range(horizon.days)
    )
    chance = float(chances[-1])
    return LiquidityForecast(
        horizon=horizon,
        asset_decimals=state.fund.asset_decimals,
        layer1_value=state.fund.tier_value(Tier.L1),
        layer2_value=state.fund.tier_value(Tier.L2),
        available=ladder[-1].realisable,
        expected_inflow=_raw(inflow[:, -1].mean(), unit),
        due_outflow=_due(ladder),
        probable_outflow=_raw(requests[:, -1].mean(), unit),
        stressed_outflow=_raw(stressed, unit),
        projected_balance=fan[-1].balance_mean,
        balance_lower=fan[-1].balance_lower,
        balance_upper=fan[-1].balance_upper,
        shortfall_chance=chance,
        shortfall_amount=_raw(-worst[worst < 0].mean() if chance > 0 else 0.0, unit),
        recommendation=recommend(chance),
        suggested_amount=RawAmount(max(-fan[-1].balance_lower, 0)),
        first_short_day=next((day for day, by_then in enumerate(chances) if by_then >= SHORTAGE_CHANCE), None),
        fan=fan,
        history_days=history.days,
        is_calibrated=history.is_calibrated,
        calibration=calibration,
        note=default_liquidity_note(state),
    )


def calibrate(history: FlowHistory, *, days: int) -> Calibration:
    """Forecast earlier windows of so many days, each with what was known before it, and move the levels by each outcome.

    The windows do not overlap, and the last one ends with the history.
    """
    levels, count, hits, losses = Levels(), 0, 0, 0.0
    first = _REPLAY_HISTORY_MIN + (history.days - _REPLAY_HISTORY_MIN) % days
    for today in range(first, history.days - days + 1, days):
        lower, upper = forecast_interval(history.before(today, days_max=HISTORY_DAYS_FULL), levels, days=days, seed=today)
        outcome = float(history.requests[today : today + days].sum())
        count, hits = count + 1, hits + (lower <= outcome <= upper)
        losses += pinball_loss(outcome, upper, level=1 - TAIL_LEVEL)
        levels = levels.after(below=outcome < lower, above=outcome > upper, step=_STEP)
    return Calibration(levels, count, hits / count if count else None, losses / count if count else None)


def pinball_loss(outcome: float, quantile: float, *, level: float) -> float:
    """Return the loss of a forecast quantile: least on average where outcomes are below it as often as its level says."""
    return max(level * (outcome - quantile), (1 - level) * (quantile - outcome))


def forecast_interval(
    history: FlowHistory, levels: Levels, *, days: int, seed: int, paths: int = _REPLAY_PATHS
) -> tuple[float, float]:
    """Return both ends of the interval of requests, in units of the asset."""
    return interval_of(simulate_flows(history, days=days, paths=paths, seed=seed).requests.sum(axis=1), levels)


def interval_of(outflows: Floats, levels: Levels) -> tuple[float, float]:
    """Return both ends for the outflows of one day or window."""
    lower, upper = bounds_of(outflows, levels)
    return float(lower), float(upper)


def bounds_of(outflows: Floats, levels: Levels) -> tuple[Floats, Floats]:
    """Return the quantiles of both levels, of the paths' outflows by day where there are several days.

    A level of 0 means that misses have used up the sample on its side.
    """
    lower, upper = np.quantile(outflows, [max(levels.lower, _LEVEL_MIN), 1 - max(levels.upper, _LEVEL_MIN)], axis=0)
    if levels.lower <= 0:
        lower = np.zeros_like(lower)
    if levels.upper <= 0:
        upper = outflows.max(axis=0) * _BEYOND
    return lower, upper


def _due(ladder: Sequence[LadderDay]) -> RawAmount:
    return RawAmount(sum(row.due + row.due_if_approved for row in ladder))


def _raw(amount: float, unit: float) -> RawAmount:
    return RawAmount(max(round(float(amount) * unit), 0))


def _signed(amount: float, unit: float) -> int:
    return round(float(amount) * unit)
