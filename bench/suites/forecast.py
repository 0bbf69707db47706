"""The forecast of liquidity: CPU times, and how many outcomes its interval holds on markets that it has not seen.

The long form, with every length of history and all baselines, is `python -m bench.forecast_calibration`.
"""

import time
from collections.abc import Callable
from typing import Final

from tests.support.factories.flow_markets import MARKETS, NET_ASSETS, draw_history
from tests.support.factories.risk_states import fund_of, risk_state

from bench.figures import Figure
from bench.forecast_calibration import evaluate, model, rolling_quantiles
from paimon.domain.kernel.units import WAD
from paimon.domain.risk.flow_model import simulate_flows
from paimon.domain.risk.forecast import PATHS, calibrate, forecast_liquidity
from paimon.domain.risk.liquidity_forecast import Horizon
from paimon.domain.risk.risk_policy import RiskPolicy

ROUNDS: Final = 7
WINDOWS: Final = 200
SEED: Final = 1


async def measure() -> list[Figure]:
    """Measure paths, calibration and a whole forecast of 30 days, then the coverage of weeks."""
    history = draw_history("heavy-tailed", 365, seed=SEED)
    state = risk_state(fund_of(*(round(part * NET_ASSETS) * WAD for part in (0.11, 0.31, 0.58))))

    def forecast() -> None:
        forecast_liquidity(state, RiskPolicy(), history, Horizon.THIRTY_DAYS, seed=SEED)

    def simulate() -> None:
        simulate_flows(history, days=30, paths=PATHS, seed=SEED)

    return [
        Figure("forecast.paths_10k_30d_cpu_ms", _cpu_ms(simulate), "ms CPU", None, "< 50"),
        Figure("forecast.whole_30d_cpu_ms", _cpu_ms(forecast), "ms CPU"),
        Figure("forecast.calibration_7d_cpu_ms", _cpu_ms(lambda: calibrate(history, days=7)), "ms CPU"),
        _coverage(),
    ]


def _cpu_ms(work: Callable[[], object]) -> float:
    """Return the least CPU time of a few runs."""
    times = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return min(times) * 1e3


def _coverage() -> Figure:
    """Return the part of outcomes within the 90 % interval, of all markets together."""
    held = [
        sum(evaluate(forecaster, market, days=7, history_days=365, windows=WINDOWS).coverage for market in MARKETS)
        for forecaster in (model, rolling_quantiles)
    ]
    found, plain = (100 * covered / len(MARKETS) for covered in held)
    return Figure("forecast.coverage_90", found, "%", plain, "88 to 92")
