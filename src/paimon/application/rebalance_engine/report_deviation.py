"""Report a rebalance whose result is not what its plan expected, as a risk event that a person resolves.

It is reported by the worker, when it tells watchers of the result: the planner's role writes no risk events.
"""

from decimal import Decimal

from paimon.application.risk_control.record_findings import record_facts
from paimon.domain.kernel.units import BPS_ONE
from paimon.domain.rebalance.rebalance_record import EXPECTED_WITHIN, RebalanceOutcome, RebalanceRecord
from paimon.domain.risk.risk_event import Finding, RiskKind, Severity
from paimon.infrastructure.database.sessions import WriteSession


async def report_deviation(session: WriteSession, record: RebalanceRecord) -> None:
    """Open a risk event where the fund or the cost is more than 1 % off. Once for each rebalance."""
    outcome = record.outcome
    if outcome is not None and not outcome.is_as_expected:
        await record_facts(session, [_finding(record, outcome)], block=outcome.at.number)


def _finding(record: RebalanceRecord, outcome: RebalanceOutcome) -> Finding:
    off = [
        f"{tier} {_percent(difference)} of the fund off its expected share"
        for tier, difference in outcome.differences.items()
        if abs(difference) > EXPECTED_WITHIN
    ]
    if outcome.excess_cost > EXPECTED_WITHIN:
        off.append(f"cost {_percent(outcome.excess_cost)} of what was traded above the plan's")
    return Finding(
        RiskKind.REBALANCE_DEVIATION,
        f"rebalance {record.id}",
        "; ".join(off),
        f"tiers and cost within {_percent(EXPECTED_WITHIN)} of the plan",
        Severity.WARNING,
    )


def _percent(bps: int) -> str:
    return f"{Decimal(bps * 100) / BPS_ONE:.2f} %"
