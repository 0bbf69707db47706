"""JSON shapes of the gate what-if."""

from typing import Self

from pydantic import Field

from paimon.application.fund_risk.stress import GateReport
from paimon.domain.kernel.units import Bps
from paimon.domain.risk.gate import Gate, GatedInvestor, GateWindow
from paimon.gateway.rest.envelope import BlockStampView, Dated
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt
from paimon.gateway.rest.views.stress import ScenarioBody


class GateBody(ApiModel):
    """A gate, and a scenario whose requests meet it beside those that are open."""

    limit_bps: int = Field(ge=0, le=10_000, description="part of the fund that a window may pay, in basis points")
    window_days: int = Field(ge=1, le=90)
    scenario: ScenarioBody = Field(default_factory=lambda: ScenarioBody(name="open requests"))

    def gate(self) -> Gate:
        return Gate(Bps(self.limit_bps), self.window_days)


class GateWindowView(ApiModel):
    """Amounts are in the asset's smallest unit; days count from the block."""

    first_day: int
    end_day: int = Field(description="the day before which the window ends")
    allowed: BigInt = Field(description="the part of what the fund holds when the window begins")
    cash: BigInt = Field(description="what can be cash by its end, less what was paid before")
    asked: BigInt
    paid: BigInt = Field(description="in proportion to what each asks")
    waiting: BigInt

    @classmethod
    def of(cls, window: GateWindow) -> Self:
        return cls(
            first_day=window.first_day,
            end_day=window.end_day,
            allowed=window.allowed,
            cash=window.cash,
            asked=window.asked,
            paid=window.paid,
            waiting=window.waiting,
        )


class GatedInvestorView(ApiModel):
    owner: AddressText = Field(description="the zero address for the requests of a scenario")
    asked: BigInt
    paid_in_first_window: BigInt
    paid_by_day: int | None = Field(description="the end of the window that pays the last of it; null if none does in 365 days")

    @classmethod
    def of(cls, investor: GatedInvestor) -> Self:
        return cls(
            owner=investor.owner,
            asked=investor.asked,
            paid_in_first_window=investor.paid_in_first_window,
            paid_by_day=investor.paid_by_day,
        )


class GateReportView(Dated):
    """What a gate would do. It changes nothing."""

    contract_can: bool = Field(False, description="false: the contracts pay a request whole or not at all")
    days_to_clear: int | None = Field(description="null where a part is not paid in 365 days")
    windows: list[GateWindowView] = Field(description="those in which something is asked")
    investors: list[GatedInvestorView] = Field(description="largest first")
    note: str | None = Field(description="which defaults it rests on")

    @classmethod
    def of(cls, report: GateReport) -> Self:
        return cls(
            as_of=BlockStampView.of(report.at),
            days_to_clear=report.result.days_to_clear,
            windows=[GateWindowView.of(window) for window in report.result.windows],
            investors=[GatedInvestorView.of(investor) for investor in report.result.investors],
            note=report.note,
        )
