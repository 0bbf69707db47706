"""One assessment of the fund's risk: measurements, score and level of a state, and the findings they make."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.risk.fund_risk_state import FundRiskState
from paimon.domain.risk.indicators import INFINITE, Measurement, measure
from paimon.domain.risk.levels import HeldCondition, LevelState, first_state, held_conditions, indicated_level, next_state
from paimon.domain.risk.risk_event import Finding, RiskKind, Severity
from paimon.domain.risk.risk_policy import (
    DEFINITIONS,
    Bad,
    IndicatorName,
    IndicatorStatus,
    RiskLevel,
    RiskPolicy,
    Threshold,
    plain_text,
)
from paimon.domain.risk.score import Score, score

SEVERITY_OF_STATUS: Final[Mapping[IndicatorStatus, Severity]] = {
    IndicatorStatus.WARNING: Severity.WARNING,
    IndicatorStatus.CRITICAL: Severity.CRITICAL,
}
SEVERITY_OF_LEVEL: Final[Mapping[RiskLevel, Severity]] = {
    RiskLevel.ELEVATED: Severity.WARNING,
    RiskLevel.HIGH: Severity.CRITICAL,
    RiskLevel.CRITICAL: Severity.CRITICAL,
}


@dataclass(frozen=True, slots=True)
class Assessment:
    """The fund's risk at one block, by one version of the policy."""

    at: BlockStamp
    level: LevelState
    held: tuple[HeldCondition, ...]
    score: Score
    measurements: tuple[Measurement, ...]
    policy_version: str


def assess(state: FundRiskState, policy: RiskPolicy, previous: LevelState | None) -> Assessment:
    """Assess a state; `previous` is the level's state after the last assessment."""
    measurements = measure(state, policy)
    held = held_conditions(measurements, policy)
    indicated, at = indicated_level(held), state.fund.at.timestamp
    level = (
        first_state(indicated, at=at) if previous is None else next_state(previous, indicated, at=at, settling=policy.settling)
    )
    return Assessment(state.fund.at, level, held, score(measurements, policy), measurements, policy.version)


def breach_findings(assessment: Assessment, policy: RiskPolicy) -> dict[IndicatorName, Finding | None]:
    """Return the finding of each measured indicator that has a threshold; None while it is normal.

    An indicator that is not measured is not in the result: that no figure is known does not end a breach.
    """
    return {
        measured.name: _breach(measured, threshold, assessment.policy_version)
        for measured in assessment.measurements
        if measured.value is not None and (threshold := policy.thresholds.get(measured.name)) is not None
    }


def _breach(measured: Measurement, threshold: Threshold, version: str) -> Finding | None:
    severity = SEVERITY_OF_STATUS.get(measured.status)
    if severity is None or measured.value is None:
        return None
    observed = value_text(measured.value) + (f" ({measured.note})" if measured.note else "")
    expected = f"{describe_threshold(threshold, DEFINITIONS[measured.name].bad)} (policy {version})"
    return Finding(RiskKind.INDICATOR_BREACH, measured.name, observed, expected, severity)


def level_findings(assessment: Assessment) -> list[Finding]:
    """Return the finding that the level is above NORMAL, with the conditions that hold; none at NORMAL."""
    level = assessment.level.level
    severity = SEVERITY_OF_LEVEL.get(level)
    if severity is None:
        return []
    held = ", ".join(f"{found.condition.indicator} {_value(found)}" for found in assessment.held)
    limits = ", ".join(_limit(found) for found in assessment.held)
    observed = held or "no condition holds any more; the level is settling"
    expected = f"{limits or RiskLevel.NORMAL} (policy {assessment.policy_version})"
    return [Finding(RiskKind.RISK_LEVEL, level_subject(level), observed, expected, severity)]


def level_subject(level: RiskLevel) -> str:
    return f"level {level}"


def _value(found: HeldCondition) -> str:
    return value_text(found.measurement.value or Decimal(0))


def _limit(found: HeldCondition) -> str:
    row = found.condition
    word = "at least" if DEFINITIONS[row.indicator].bad is Bad.LOW else "at most"
    return f"{row.indicator} {word} {plain_text(row.limit)}"


def describe_threshold(threshold: Threshold, bad: Bad) -> str:
    """Describe a threshold in words: where normal begins and where critical does."""
    normal, critical = plain_text(threshold.normal), plain_text(threshold.critical)
    if bad is Bad.LOW:
        return f"at least {normal}; critical below {critical}"
    return f"below {normal}; critical above {critical}"


def value_text(value: Decimal) -> str:
    """Format an indicator's value."""
    return "infinite" if value == INFINITE else plain_text(value)
