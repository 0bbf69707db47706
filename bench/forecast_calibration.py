"""How well the forecast of requests is calibrated, beside plain ways to forecast: `python -m bench.forecast_calibration`.

Windows follow each other without overlap, each forecast from the days before it alone. It prints a table in Markdown. It takes
a minute of CPU for a thousand windows of one market and one length of history. Coverage is that of the 90 % interval, and of
the upper 95 % end; losses are divided by the mean of the outcomes.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from tests.support.factories.flow_markets import MARKETS, draw_history

from paimon.domain.risk.flow_model import Floats, FlowHistory, simulate_flows
from paimon.domain.risk.forecast import calibrate, interval_of, pinball_loss

PATHS: Final = 2_000
SEED: Final = 20_261_130
"""Of the held-out days: no choice of the model was made by them."""
_QUANTILES: Final = (0.05, 0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Interval:
    """A forecast of one window: a sample of the outcome, and both ends of its 90 % interval."""

    sample: Floats
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Record:
    """How one way to forecast did on some windows. `crps` and the pinball losses are parts of the mean outcome."""

    windows: int
    coverage: float
    coverage_upper: float
    crps: float
    pinball: tuple[float, ...]


Forecaster = Callable[[FlowHistory, int, int], Interval]


def model(history: FlowHistory, days: int, seed: int) -> Interval:
    """Forecast as the worker does, with fewer paths."""
    sample = simulate_flows(history, days=days, paths=PATHS, seed=seed).requests.sum(axis=1)
    return Interval(sample, *interval_of(sample, calibrate(history, days=days).levels))


def uncorrected_model(history: FlowHistory, days: int, seed: int) -> Interval:
    return _of_sample(simulate_flows(history, days=days, paths=PATHS, seed=seed).requests.sum(axis=1))


def rolling_quantiles(history: FlowHistory, days: int, _seed: int) -> Interval:
    """Take the sums of all windows in the history as the sample."""
    return _of_sample(np.convolve(history.requests, np.ones(days), mode="valid"))


def historical_maximum(history: FlowHistory, days: int, _seed: int) -> Interval:
    """Take the least and the largest window of the history as the interval."""
    sums = np.convolve(history.requests, np.ones(days), mode="valid")
    return Interval(sums, float(sums.min()), float(sums.max()))


def mean_and_a_fifth(history: FlowHistory, days: int, seed: int) -> Interval:
    """Take the mean with a normal noise of 20 %."""
    mean = history.requests.mean() * days
    return _of_sample(np.random.default_rng(seed).normal(mean, 0.2 * mean, PATHS))


FORECASTERS: Final[dict[str, Forecaster]] = {
    "the model": model,
    "without correction": uncorrected_model,
    "rolling quantiles": rolling_quantiles,
    "historical maximum": historical_maximum,
    "mean ± 20 %": mean_and_a_fifth,
}


def _of_sample(sample: Floats) -> Interval:
    lower, upper = np.quantile(sample, [0.05, 0.95])
    return Interval(sample, float(lower), float(upper))


def evaluate(forecaster: Forecaster, market: str, *, days: int, history_days: int, windows: int, seed: int = SEED) -> Record:
    """Forecast windows that follow each other, and compare with what came."""
    history = draw_history(market, history_days + windows * days, seed=seed)
    outcomes, crps, covered, below_upper = [], [], 0, 0
    pinball = np.zeros(len(_QUANTILES))
    for window in range(windows):
        today = history_days + window * days
        found = forecaster(history.before(today, days_max=history_days), days, today)
        outcome = float(history.requests[today : today + days].sum())
        outcomes.append(outcome)
        covered += found.lower <= outcome <= found.upper
        below_upper += outcome <= found.upper
        ends = (found.lower, *np.quantile(found.sample, (0.5,)), found.upper, *np.quantile(found.sample, (0.99,)))
        pinball += [pinball_loss(outcome, end, level=level) for end, level in zip(ends, _QUANTILES, strict=True)]
        crps.append(_crps(found.sample, outcome))
    mean = float(np.mean(outcomes))
    losses = tuple(float(loss) / windows / mean for loss in pinball)
    return Record(windows, covered / windows, below_upper / windows, float(np.mean(crps)) / mean, losses)


def _crps(sample: Floats, outcome: float) -> float:
    """Return the continuous ranked probability score of a sample: its distance to the outcome, less half of that within."""
    ordered, count = np.sort(sample), len(sample)
    within = 2 * float((ordered * (2 * np.arange(count) - count + 1)).sum()) / count**2
    return float(np.abs(sample - outcome).mean()) - within / 2


def main() -> None:
    """Print the table of the lengths of history, horizons and markets on the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.forecast_calibration", description=__doc__)
    parser.add_argument("--windows", type=int, default=2_000)
    parser.add_argument("--days", type=int, nargs="+", default=[7, 30])
    parser.add_argument("--history", type=int, nargs="+", default=[60, 120, 365])
    parser.add_argument("--market", nargs="+", default=list(MARKETS), choices=MARKETS)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    print("| Market | Days | History | Forecast | Windows | 90 % | 95 % | CRPS | Pinball .05 | .5 | .95 | .99 |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for days in arguments.days:
        for history_days in arguments.history:
            for market in arguments.market:
                for name, forecaster in FORECASTERS.items():
                    record = evaluate(
                        forecaster,
                        market,
                        days=days,
                        history_days=history_days,
                        windows=arguments.windows,
                        seed=arguments.seed,
                    )
                    print(_row(market, days, history_days, name, record), flush=True)


def _row(market: str, days: int, history_days: int, name: str, record: Record) -> str:
    losses = " | ".join(f"{loss:.3f}" for loss in (record.crps, *record.pinball))
    coverage = f"{record.coverage:.1%} | {record.coverage_upper:.1%}"
    return f"| {market} | {days} | {history_days} | {name} | {record.windows} | {coverage} | {losses} |"


if __name__ == "__main__":
    main()
