"""JSON shapes of stress tests and of the concentration of investors."""

from decimal import Decimal
from typing import Self

from pydantic import Field, model_validator

from paimon.application.common.formatting import display
from paimon.application.common.formatting import ratio as ratio_text
from paimon.application.fund_risk.stress import InvestorReport, StressedScenario, StressReport
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import Bps, ratio_bps
from paimon.domain.risk.risk_policy import plain_text
from paimon.domain.risk.stress import RUN_DAYS_MAX, STANDARD_SCENARIOS, Scenario
from paimon.gateway.rest.envelope import BlockStampView, Dated
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt
from paimon.gateway.rest.views.promises import LadderDayView, PromiseView


class TierFall(ApiModel):
    tier: Tier
    bps: int = Field(ge=0, le=10_000, description="part of the assets' value that is lost, in basis points")


class ScenarioBody(ApiModel):
    """A scenario of one's own."""

    name: str = Field("own scenario", min_length=1, max_length=100)
    run_bps: int = Field(0, ge=0, le=10_000, description="part of net assets that is requested, in basis points")
    run_days: int = Field(1, ge=1, le=RUN_DAYS_MAX, description="days over which it is requested evenly")
    falls: list[TierFall] = Field(default_factory=list, max_length=len(Tier))
    frozen: list[AddressText] = Field(default_factory=list, max_length=100, description="assets that cannot be sold")
    freezes_largest: bool = False
    leaving_holders: int = Field(0, ge=0, le=1_000, description="how many of the largest holders request all they have")

    @model_validator(mode="after")
    def _names_each_tier_once(self) -> Self:
        tiers = [fall.tier for fall in self.falls]
        if len(set(tiers)) < len(tiers):
            raise ValueError("falls names a tier twice")
        return self

    def scenario(self) -> Scenario:
        return Scenario(
            self.name,
            Bps(self.run_bps),
            self.run_days,
            {fall.tier: Bps(fall.bps) for fall in self.falls},
            frozenset(self.frozen),
            self.freezes_largest,
            self.leaving_holders,
        )


class StressBody(ApiModel):
    """Scenarios to run; without any, the standard ones."""

    scenarios: list[ScenarioBody] = Field(default_factory=list, max_length=20)

    def chosen(self) -> tuple[Scenario, ...]:
        return tuple(body.scenario() for body in self.scenarios) or STANDARD_SCENARIOS


class TierLeftView(ApiModel):
    tier: Tier
    left: BigInt = Field(description="after all that could be paid was paid, soonest source first")
    ratio: str = Field(description="of what is left in all tiers")


class ScenarioResultView(ApiModel):
    """What one scenario leads to."""

    name: str
    keeps_every_promise: bool
    net_assets: BigInt = Field(description="after the fall of prices")
    outflow: BigInt = Field(description="what the scenario adds to the open requests")
    outflow_display: str
    shortfall: BigInt = Field(description="the most that is missing on any of the next 90 days")
    shortfall_display: str
    shortage: LadderDayView | None = Field(description="the first day on which promises exceed what can be cash")
    broken: list[PromiseView] = Field(description="requests that are open now and cannot be paid by their dates")
    tiers: list[TierLeftView]
    smallest_run_bps: int | None = Field(
        description="the smallest run that breaks a promise, all else as in the scenario; null where no run does"
    )

    @classmethod
    def of(cls, stressed: StressedScenario, report: StressReport) -> Self:
        result, decimals = stressed.result, report.asset_decimals
        total = sum(result.left.values())
        return cls(
            name=result.scenario.name,
            keeps_every_promise=result.keeps_every_promise,
            net_assets=result.net_assets,
            outflow=result.outflow,
            outflow_display=display(result.outflow, decimals),
            shortfall=result.shortfall,
            shortfall_display=display(result.shortfall, decimals),
            shortage=None if result.shortage is None else LadderDayView.of(result.shortage),
            broken=[PromiseView.of(promise, report.at.timestamp) for promise in result.broken],
            tiers=[
                TierLeftView(tier=tier, left=left, ratio=ratio_text(ratio_bps(left, total)))
                for tier, left in result.left.items()
            ],
            smallest_run_bps=stressed.smallest_run,
        )


class StressReportView(Dated):
    scenarios: list[ScenarioResultView]
    note: str | None = Field(description="which defaults the figures rest on")

    @classmethod
    def of(cls, report: StressReport) -> Self:
        return cls(
            as_of=BlockStampView.of(report.at),
            scenarios=[ScenarioResultView.of(stressed, report) for stressed in report.scenarios],
            note=report.note,
        )


class InvestorsView(Dated):
    """How much of all holdings the largest have, by value. Addresses of one person count as several holders."""

    holders: int = Field(description="with redeemable shares; the 1 000 largest at most")
    top1: str | None = Field(description="part of the largest holder; null in a fund without holders")
    top5: str | None
    top10: str | None
    hhi: str | None = Field(description="sum of the squared parts: 1 for one holder, 1 ÷ n for n equal ones")
    leavers: int | None = Field(
        description="the fewest holders whose leaving takes more than can be cash in 7 days; null where all of them do not"
    )

    @classmethod
    def of(cls, report: InvestorReport) -> Self:
        found = report.concentration
        tops = {} if found is None else found.top
        return cls(
            as_of=BlockStampView.of(report.at),
            holders=0 if found is None else found.holders,
            top1=_text(tops.get(1)),
            top5=_text(tops.get(5)),
            top10=_text(tops.get(10)),
            hhi=None if found is None else _text(found.hhi),
            leavers=None if found is None else found.leavers,
        )


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain_text(value)
