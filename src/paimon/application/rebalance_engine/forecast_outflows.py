"""What the liquidity forecast adds to the outflows of a plan, and to the shortage that starts one.

Only a calibrated forecast counts: that of a young fund rests on defaults, and defaults trade nothing. It counts for a day.
"""

from datetime import timedelta
from itertools import pairwise
from typing import Final

from paimon.application.fund_risk.store import find_forecast
from paimon.domain.kernel.units import RawAmount
from paimon.domain.rebalance.measured_fund import OutflowDay
from paimon.domain.redemption.request import RedemptionChannel
from paimon.domain.risk.liquidity_forecast import Horizon, LiquidityForecast
from paimon.domain.risk.promises import DUE_AFTER_APPROVAL
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.infrastructure.database.sessions import ReadSession

FORECAST_AGE_MAX: Final = timedelta(days=1)
PAID_AFTER: Final = DUE_AFTER_APPROVAL[RedemptionChannel.STANDARD]
"""From a request to its payout at the earliest."""


async def find_counted_forecast(session: ReadSession, snapshot: FundSnapshot) -> LiquidityForecast | None:
    """Return the forecast of 30 days that counts at this snapshot; None where there is none, or it is old or not calibrated."""
    report = await find_forecast(session, Horizon.THIRTY_DAYS)
    if report is None or not report.forecast.is_calibrated or snapshot.at.timestamp - report.at.timestamp > FORECAST_AGE_MAX:
        return None
    return report.forecast


def requests_paid(forecast: LiquidityForecast) -> tuple[OutflowDay, ...]:
    """Return what the requests of each forecast day, mean and upper end, take out of the fund on the day of their payout."""
    so_far = [(0, 0), *((day.requests_mean, day.requests_upper) for day in forecast.fan)]
    return tuple(
        OutflowDay(
            day.day + PAID_AFTER.days,
            expected=RawAmount(max(mean - mean_before, 0)),
            stressed=RawAmount(max(upper - upper_before, 0)),
        )
        for day, ((mean_before, upper_before), (mean, upper)) in zip(forecast.fan, pairwise(so_far), strict=True)
    )


def forecast_shortage(forecast: LiquidityForecast, *, days: int) -> RawAmount:
    """Return by how much the lower end of the balance falls below zero on any of the coming days, at most."""
    return RawAmount(max((-day.balance_lower for day in forecast.fan[:days] if day.balance_lower < 0), default=0))
