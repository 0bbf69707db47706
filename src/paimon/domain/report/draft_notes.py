"""Why a report or a statement is a draft."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from paimon.domain.report.document import Check, DraftNote, DraftReason
from paimon.domain.report.inputs import BoundingSnapshot
from paimon.domain.report.period import ReportPeriod
from paimon.domain.risk.nav_publication import NavStatus


def bound_notes(
    period: ReportPeriod,
    read_at: datetime,
    recorded_until: datetime | None,
    opening: BoundingSnapshot | None,
    closing: BoundingSnapshot | None,
) -> Iterator[DraftNote]:
    """Yield why the period or its two blocks are not official yet."""
    if read_at < period.end:
        yield DraftNote(DraftReason.PERIOD_NOT_OVER)
    if recorded_until is None or recorded_until < period.end:
        yield DraftNote(DraftReason.PERIOD_NOT_RECORDED)
    if opening is None or closing is None:
        yield DraftNote(DraftReason.NO_SNAPSHOT)
        return
    for bound in dict.fromkeys((opening, closing)):
        if bound.nav_status is None:
            yield DraftNote(DraftReason.NAV_NOT_DECIDED, f"block {bound.at.number}")
        elif bound.nav_status is not NavStatus.PUBLISHED:
            yield DraftNote(DraftReason.NAV_WITHHELD, f"block {bound.at.number}: {bound.withheld_reason}")


def broken_checks(checks: Iterable[Check]) -> Iterator[DraftNote]:
    """Yield each check whose sides differ."""
    for check in checks:
        if not check.holds:
            yield DraftNote(DraftReason.DOES_NOT_ADD_UP, f"{check.key}: {check.left}, {check.right}")
