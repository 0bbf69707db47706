"""JSON shapes of the liquidity forecast."""

from typing import Self

from pydantic import Field

from paimon.application.fund_risk.store import ForecastReport
from paimon.domain.risk.liquidity_forecast import Calibration, FanDay, Horizon, LiquidityForecast, Recommendation
from paimon.gateway.rest.envelope import BlockStampView, Dated
from paimon.gateway.rest.schema import ApiModel, BigInt, Time
from paimon.gateway.rest.views.nav import SignedInt


class ForecastFlowsView(ApiModel):
    """Flows within the horizon, in the asset's smallest unit."""

    expected_inflow: BigInt = Field(description="half of the simulated deposits")
    expected_outflow: BigInt
    confirmed_outflow: BigInt = Field(
        description="open requests due within the horizon; those that await approval at their earliest date"
    )
    probabilistic_outflow: BigInt = Field(description="the mean of simulated requests, each on the day it is made")
    stressed_outflow: BigInt = Field(description="what simulated requests exceed in one case of a hundred")
    net_flow: SignedInt
    projected_balance: SignedInt = Field(description="what can be cash by the last day, less all outflow, plus inflow")


class ForecastIntervalView(ApiModel):
    lower: SignedInt
    upper: SignedInt


class ForecastRiskView(ApiModel):
    shortfall_probability: float = Field(
        description="chance that the balance is below zero at the end of any day of the horizon"
    )
    shortfall_amount: BigInt = Field(description="the mean of the shortfalls, where there is one")
    confidence_interval: ForecastIntervalView = Field(description="90 % interval of the projected balance")
    first_short_day: int | None = Field(description="the first coming day, from 0, by which the chance is 20 % or more")


class ForecastRecommendationView(ApiModel):
    action: Recommendation
    reason: str
    suggested_amount: BigInt = Field(description="what to free so that the interval's lower end is not below zero")


class FanDayView(ApiModel):
    """One coming day: requests so far, and the balance after all that is due."""

    day: int
    requests_mean: BigInt
    requests_upper: BigInt = Field(description="upper end, corrected by how earlier forecasts did")
    balance_mean: SignedInt
    balance_lower: SignedInt
    balance_upper: SignedInt
    shortfall_probability: float = Field(description="chance that the balance was below zero on this day or before")

    @classmethod
    def of(cls, day: FanDay) -> Self:
        return cls(
            day=day.day,
            requests_mean=day.requests_mean,
            requests_upper=day.requests_upper,
            balance_mean=day.balance_mean,
            balance_lower=day.balance_lower,
            balance_upper=day.balance_upper,
            shortfall_probability=day.shortfall_chance,
        )


class CalibrationView(ApiModel):
    """How forecasts of this fund's past days did, each made with the days before it."""

    forecasts: int
    coverage: float | None = Field(description="fraction of them whose 90 % interval of requests held what came")
    pinball: float | None = Field(description="mean pinball loss of the 95 % end, in units of the asset")
    lower_level: float = Field(description="the chance below the interval that is used now; it begins at 0.05")
    upper_level: float

    @classmethod
    def of(cls, calibration: Calibration) -> Self:
        return cls(
            forecasts=calibration.forecasts,
            coverage=calibration.within,
            pinball=calibration.pinball_95,
            lower_level=calibration.levels.lower,
            upper_level=calibration.levels.upper,
        )


class CurrentLiquidityView(ApiModel):
    l1: BigInt = Field(alias="L1")
    l2: BigInt = Field(alias="L2")
    available: BigInt = Field(description="what can be cash by the last day of the horizon, net of cost")


class LiquidityForecastView(Dated):
    """What may flow in and out, and whether the fund can pay it. An estimate: nothing is paid or refused by it."""

    horizon: Horizon
    generated_at: Time
    policy_version: str
    current_liquidity: CurrentLiquidityView
    forecast: ForecastFlowsView
    risk: ForecastRiskView
    recommendation: ForecastRecommendationView
    fan: list[FanDayView]
    history_days: int = Field(description="whole recorded days that it rests on")
    calibrated: bool = Field(description="false below 120 days: the history is completed with a stated prior")
    calibration: CalibrationView
    note: str | None = Field(description="which defaults it rests on")

    @classmethod
    def of(cls, report: ForecastReport) -> Self:
        found = report.forecast
        return cls(
            as_of=BlockStampView.of(report.at),
            horizon=found.horizon,
            generated_at=report.made_at,
            policy_version=report.policy_version,
            current_liquidity=CurrentLiquidityView(l1=found.layer1_value, l2=found.layer2_value, available=found.available),
            forecast=ForecastFlowsView(
                expected_inflow=found.expected_inflow,
                expected_outflow=found.expected_outflow,
                confirmed_outflow=found.due_outflow,
                probabilistic_outflow=found.probable_outflow,
                stressed_outflow=found.stressed_outflow,
                net_flow=found.net_flow,
                projected_balance=found.projected_balance,
            ),
            risk=ForecastRiskView(
                shortfall_probability=found.shortfall_chance,
                shortfall_amount=found.shortfall_amount,
                confidence_interval=ForecastIntervalView(lower=found.balance_lower, upper=found.balance_upper),
                first_short_day=found.first_short_day,
            ),
            recommendation=ForecastRecommendationView(
                action=found.recommendation, reason=_reason(found), suggested_amount=found.suggested_amount
            ),
            fan=[FanDayView.of(day) for day in found.fan],
            history_days=found.history_days,
            calibrated=found.is_calibrated,
            calibration=CalibrationView.of(found.calibration),
            note=found.note,
        )


def _reason(forecast: LiquidityForecast) -> str:
    chance = f"a shortage within {forecast.horizon} has a chance of {forecast.shortfall_chance:.1%}"
    if forecast.is_calibrated:
        return chance
    return f"{chance}, by {forecast.history_days} days of history and a prior"
