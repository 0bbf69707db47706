"""The fund's risk indicators as pure functions of one dated state. Source: docs/concepts/risk.md.

Every function returns a reading for every state, also of an empty fund. A ratio of nothing to nothing is not measured, and a
ratio of something to nothing is infinite. A figure that the recorded data cannot give is not measured, with the reason.

A ratio is rounded to 12 places towards its bad side, so that the recorded value and its status always agree.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Final

from paimon.domain.asset.profile import UNKNOWN_COUNTERPARTY
from paimon.domain.kernel.units import Rounding, divide
from paimon.domain.risk.fund_risk_state import FundRiskState, OutflowEstimate, PriceState, WindowFlows
from paimon.domain.risk.liquidity import default_liquidity_note, held_assets, realisable
from paimon.domain.risk.risk_policy import DEFINITIONS, Bad, IndicatorName, IndicatorStatus, RiskPolicy, plain_text
from paimon.domain.vault.fund_snapshot import FundSnapshot

PLACES: Final = 12
INFINITE: Final = Decimal("Infinity")

_HISTORY_MIN: Final = timedelta(days=14)
_FORECAST_AGE_MAX: Final = timedelta(hours=6)
_EMPTY_FUND: Final = "the fund holds nothing"
_NO_FORECAST: Final = "no forecast was made in the last 6 hours"


@dataclass(frozen=True, slots=True)
class Reading:
    """A value, or None with the reason in `note`; `worst` is the worst status that the value may count as."""

    value: Decimal | None
    note: str | None = None
    worst: IndicatorStatus = IndicatorStatus.CRITICAL


@dataclass(frozen=True, slots=True)
class Measurement:
    """One indicator at one block. A measured indicator's `note` says which defaults it rests on."""

    name: IndicatorName
    value: Decimal | None
    status: IndicatorStatus
    note: str | None = None


def measure(state: FundRiskState, policy: RiskPolicy) -> tuple[Measurement, ...]:
    """Measure every indicator of the state, in the order of their names."""
    return tuple(_measurement(name, _READINGS[name](state, policy), policy) for name in IndicatorName)


def _measurement(name: IndicatorName, reading: Reading, policy: RiskPolicy) -> Measurement:
    return Measurement(name, reading.value, _status(name, reading, policy), reading.note)


def _status(name: IndicatorName, reading: Reading, policy: RiskPolicy) -> IndicatorStatus:
    if reading.value is None:
        return IndicatorStatus.NOT_MEASURED
    threshold = policy.thresholds.get(name)
    status = IndicatorStatus.NORMAL if threshold is None else threshold.status(reading.value, DEFINITIONS[name].bad)
    ranks = tuple(IndicatorStatus)
    return min(status, reading.worst, key=ranks.index)


def ratio(part: int, whole: int, bad: Bad) -> Decimal:
    """Divide and round to 12 places towards the bad side; something of nothing is infinite.

    Raises:
        ValueError: both are zero, or one is negative.
    """
    if whole == 0 and part > 0:
        return INFINITE
    rounding = Rounding.DOWN if bad is Bad.LOW else Rounding.UP
    return Decimal(f"{divide(part * 10**PLACES, whole, rounding=rounding)}E-{PLACES}")


def _reading(part: int, whole: int, bad: Bad, note: str | None = None) -> Reading:
    return Reading(None, _EMPTY_FUND) if part == whole == 0 else Reading(ratio(part, whole, bad), note)


# Liquidity


def l1_ratio(state: FundRiskState, _policy: RiskPolicy) -> Reading:
    vault = state.fund.vault
    return _reading(vault.layer1_value, vault.gross_assets, Bad.LOW)


def l1_l2_ratio(state: FundRiskState, _policy: RiskPolicy) -> Reading:
    vault = state.fund.vault
    return _reading(vault.available_liquidity, vault.gross_assets, Bad.LOW)


def redemption_coverage(state: FundRiskState, _policy: RiskPolicy) -> Reading:
    """Compare liquidity with what is owed at any date; infinite while nothing is owed."""
    return _coverage(state.fund.vault.available_liquidity, state.fund.redemption_liability)


def redemption_coverage_ratio(state: FundRiskState, policy: RiskPolicy, *, days: int) -> Reading:
    """Compare what can be cash within the days with what is confirmed and due within them (RCR).

    A request that awaits approval is not confirmed, and one that is overdue is due.
    """
    return _coverage(realisable(state, policy, days=days), confirmed_due(state, days=days), default_liquidity_note(state))


def stressed_coverage_ratio_7d(state: FundRiskState, policy: RiskPolicy) -> Reading:
    """Compare what can be cash within 7 days with what is due within them and the outflow of one case in a hundred."""
    if (outflow := _outflow(state)) is None:
        return Reading(None, _NO_FORECAST)
    owed = confirmed_due(state, days=7) + outflow.stressed
    return _coverage(realisable(state, policy, days=7), owed, _outflow_note(state, outflow))


def liquidity_gap_7d(state: FundRiskState, policy: RiskPolicy) -> Reading:
    """Compare what is due and expected within 7 days, beyond what can be cash by then, with net assets; 0 without a gap."""
    if (outflow := _outflow(state)) is None:
        return Reading(None, _NO_FORECAST)
    gap = max(confirmed_due(state, days=7) + outflow.expected - realisable(state, policy, days=7), 0)
    return _reading(gap, state.fund.net_assets, Bad.HIGH, _outflow_note(state, outflow))


def confirmed_due(state: FundRiskState, *, days: int) -> int:
    """Sum what is confirmed and due within the days."""
    until = state.fund.at.timestamp + timedelta(days=days)
    return sum(
        request.amount
        for request in state.open_requests
        if not request.awaits_approval and request.due_at is not None and request.due_at <= until
    )


def _outflow(state: FundRiskState) -> OutflowEstimate | None:
    """Return the last forecast's outflow, unless it is too old to say anything of the coming 7 days."""
    outflow = state.outflow
    return outflow if outflow is not None and state.fund.at.timestamp - outflow.forecast_at <= _FORECAST_AGE_MAX else None


def _outflow_note(state: FundRiskState, outflow: OutflowEstimate) -> str | None:
    uncalibrated = None if outflow.is_calibrated else "the forecast rests on a prior: less than 120 days are recorded"
    return "; ".join(note for note in (uncalibrated, default_liquidity_note(state)) if note) or None


def _coverage(liquid: int, owed: int, note: str | None = None) -> Reading:
    return Reading(INFINITE, note) if owed == 0 else Reading(ratio(liquid, owed, Bad.LOW), note)


# Price


def nav_volatility_24h(state: FundRiskState, _policy: RiskPolicy) -> Reading:
    """Compare the highest and the lowest official hourly NAV of the last 24 hours with their mean."""
    nav = state.hourly_nav
    if len(nav) < 2 or sum(nav) == 0:
        return Reading(None, f"{len(nav)} official hourly NAV points in 24 hours; two are needed")
    return Reading(ratio((max(nav) - min(nav)) * len(nav), sum(nav), Bad.HIGH))


def asset_price_deviation(state: FundRiskState, _policy: RiskPolicy) -> Reading:
    """Take the held asset whose price by the contracts is farthest from that of the other sources."""
    found = [price.deviation for price in _prices(state) if price.deviation is not None]
    if not found:
        return Reading(None, "no held asset has a source of prices beside the fund's own adapter")
    return Reading(max(found))


def oracle_staleness(state: FundRiskState, _policy: RiskPolicy) -> Reading:
    """Take the held asset whose price misses the most publications of its calendar."""
    found = [price.missed for price in _prices(state)]
    if not found:
        return Reading(None, "no price of a held asset was judged")
    age = state.fund.oldest_price_age
    return Reading(Decimal(max(found)), None if age is None else f"the oldest price in use is {_hours(age)} h old")


def _prices(state: FundRiskState) -> list[PriceState]:
    return [state.prices[position.token] for position in held_assets(state) if position.token in state.prices]


def _hours(age: timedelta) -> str:
    return plain_text((Decimal(int(age.total_seconds())) / 3_600).quantize(Decimal("0.1")))


# Concentration


def single_asset_concentration(state: FundRiskState, _policy: RiskPolicy) -> Reading:
    return _largest(state.fund, 1)


def top3_concentration(state: FundRiskState, _policy: RiskPolicy) -> Reading:
    return _largest(state.fund, 3)


def _largest(fund: FundSnapshot, count: int) -> Reading:
    """Compare the largest assets with gross assets. Cash is no asset here."""
    values = sorted((position.value for position in fund.assets), reverse=True)
    return _reading(sum(values[:count]), fund.vault.gross_assets, Bad.HIGH)


def counterparty_concentration(state: FundRiskState, _policy: RiskPolicy) -> Reading:
    """Compare the largest counterparty with gross assets.

    Assets without a profile count together as one unknown counterparty. Where that one is the largest, the value is a warning
    at most: it measures what is not known.
    """
    exposure: defaultdict[str, int] = defaultdict(int)
    for position in held_assets(state):
        profile = state.profiles.get(position.token)
        exposure[UNKNOWN_COUNTERPARTY if profile is None else profile.counterparty] += position.value
    gross = state.fund.vault.gross_assets
    if not exposure:
        return _reading(0, gross, Bad.HIGH)
    name = max(exposure, key=lambda counterparty: (exposure[counterparty], counterparty))
    worst = IndicatorStatus.WARNING if name == UNKNOWN_COUNTERPARTY else IndicatorStatus.CRITICAL
    note = "assets without a profile count together" if name == UNKNOWN_COUNTERPARTY else f"largest: {name}"
    return Reading(ratio(exposure[name], gross, Bad.HIGH), note, worst)


# Redemption


def daily_redemption_rate(state: FundRiskState, _policy: RiskPolicy) -> Reading:
    """Take the larger rate of the UTC day and of the last 24 hours, so that a run around midnight is not split."""
    rates = [(_rate(flows), flows) for flows in (state.utc_day, state.last_24_hours)]
    measured = [(rate, flows) for rate, flows in rates if rate is not None]
    if not measured:
        return Reading(None, _EMPTY_FUND)
    rate, flows = max(measured, key=lambda one: one[0])
    return Reading(rate, _net_flow_note(flows))


def _rate(flows: WindowFlows) -> Decimal | None:
    opening = flows.opening_net_assets or 0
    return None if flows.requested == opening == 0 else ratio(flows.requested, opening, Bad.HIGH)


def _net_flow_note(flows: WindowFlows) -> str | None:
    if not flows.deposited or not flows.opening_net_assets:
        return None
    net = max(flows.requested - flows.deposited, 0)
    return f"net of deposits: {plain_text(ratio(net, flows.opening_net_assets, Bad.HIGH))}"


def pending_approval_ratio(state: FundRiskState, _policy: RiskPolicy) -> Reading:
    awaiting = sum(request.amount for request in state.open_requests if request.awaits_approval)
    return _reading(awaiting, state.fund.vault.available_liquidity, Bad.HIGH)


def redemption_velocity(state: FundRiskState, _policy: RiskPolicy) -> Reading:
    """Compare the amounts requested in 7 days with those of the 7 days before: 1 when there were none in either."""
    now, before = state.requested_7_days, state.requested_7_days_before
    value = Decimal(1) if now == before == 0 else ratio(now, before, Bad.HIGH)
    if state.fund.at.timestamp - state.recorded_since >= _HISTORY_MIN:
        return Reading(value)
    return Reading(value, "less than 14 days are recorded: a warning at most", IndicatorStatus.WARNING)


# Operations


def tx_failure_rate(state: FundRiskState, _policy: RiskPolicy) -> Reading:
    sending = state.sending
    if sending.final_sends == 0:
        return Reading(None, "no transaction ended in the last 24 hours")
    return Reading(ratio(sending.final_failures, sending.final_sends, Bad.HIGH))


def failed_in_a_row(state: FundRiskState, _policy: RiskPolicy) -> Reading:
    return Reading(Decimal(state.sending.failed_in_a_row))


def system_health(state: FundRiskState, _policy: RiskPolicy) -> Reading:
    if state.system_health is None:
        return Reading(None, "the checks were not made")
    return Reading(Decimal(state.system_health))


def _not_measured(reason: str) -> Callable[[FundRiskState, RiskPolicy], Reading]:
    return lambda _state, _policy: Reading(None, reason)


_READINGS: Final[Mapping[IndicatorName, Callable[[FundRiskState, RiskPolicy], Reading]]] = {
    IndicatorName.L1_RATIO: l1_ratio,
    IndicatorName.L1_L2_RATIO: l1_l2_ratio,
    IndicatorName.REDEMPTION_COVERAGE: redemption_coverage,
    IndicatorName.RCR_1D: partial(redemption_coverage_ratio, days=1),
    IndicatorName.RCR_7D: partial(redemption_coverage_ratio, days=7),
    IndicatorName.RCR_30D: partial(redemption_coverage_ratio, days=30),
    IndicatorName.RCR_90D: partial(redemption_coverage_ratio, days=90),
    IndicatorName.RCR_7D_STRESSED: stressed_coverage_ratio_7d,
    IndicatorName.LIQUIDITY_GAP_7D: liquidity_gap_7d,
    IndicatorName.NAV_VOLATILITY_24H: nav_volatility_24h,
    IndicatorName.ASSET_PRICE_DEVIATION: asset_price_deviation,
    IndicatorName.ORACLE_STALENESS: oracle_staleness,
    IndicatorName.SINGLE_ASSET_CONCENTRATION: single_asset_concentration,
    IndicatorName.TOP3_CONCENTRATION: top3_concentration,
    IndicatorName.COUNTERPARTY_CONCENTRATION: counterparty_concentration,
    IndicatorName.DAILY_REDEMPTION_RATE: daily_redemption_rate,
    IndicatorName.PENDING_APPROVAL_RATIO: pending_approval_ratio,
    IndicatorName.REDEMPTION_VELOCITY: redemption_velocity,
    IndicatorName.TX_FAILURE_RATE: tx_failure_rate,
    IndicatorName.FAILED_IN_A_ROW: failed_in_a_row,
    IndicatorName.REBALANCE_DELAY: _not_measured("no rebalance trigger is recorded"),
    IndicatorName.SYSTEM_HEALTH: system_health,
}
