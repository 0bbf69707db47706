"""Failure of a valuation: the read of the contracts without which no snapshot is taken, and how long that may last."""

from datetime import datetime, timedelta
from typing import Final

from paimon.domain.risk.risk_event import Finding, RiskKind, Severity

VALUATION_SUBJECT: Final = "valuation of the fund"
"""Subject of the finding; there is one fund."""

CRITICAL_AFTER: Final = timedelta(minutes=5)
"""A price that is missing for a moment is back within this time; a snapshot is due each minute."""


def valuation_finding(reason: str, *, failing_since: datetime | None, now: datetime) -> Finding:
    """Report a read that failed; critical once valuations have failed for `CRITICAL_AFTER`."""
    lasts = failing_since is not None and now - failing_since >= CRITICAL_AFTER
    severity = Severity.CRITICAL if lasts else Severity.WARNING
    return Finding(RiskKind.VALUATION_FAILED, VALUATION_SUBJECT, reason, "every read that NAV needs has a result", severity)
