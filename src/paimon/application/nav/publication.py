"""Publication of official NAV: one point per kept snapshot, published by a clean reconciliation at or after its block.

    kept snapshot ──► (next reconciliation) no material break ──► PUBLISHED
                                            a material break  ──► WITHHELD, with the reason ──► PUBLISHED by the next
                                                                                                clean reconciliation

A price that is not trusted withholds the points of the blocks from its first judgement on, until the first one that trusts it
again. Those points stay withheld: what was provisional at its time does not become official later.

A snapshot is read from the contracts and needs no reconciliation to be true. A material break puts in doubt whether this
system understands the fund, so no figure is official until the break is resolved. Open breaks are risk events, and the critical
ones among them are the material ones: there is no second list. A snapshot on which our valuation of a tier differs from the
contract's is not released automatically: an operator must investigate. Nor is one that lacks the value of delayed settlements,
which this system does not count: it never becomes official.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from paimon.application.nav.overview import FundPublisher
from paimon.application.nav.store import add_nav_points, find_newest_reconciliation, release_nav_points
from paimon.application.risk_control.store import list_critical_breaks
from paimon.domain.risk.discrepancy import Discrepancy
from paimon.domain.risk.nav_publication import NavStatus, withholding_reason
from paimon.domain.risk.risk_event import RiskEvent
from paimon.infrastructure.database.sessions import Database, WriteSession

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PublicationResult:
    """Result of one run: published points (released ones among them), withheld points, and the reason."""

    published: int
    withheld: int
    reason: str | None


async def publish_nav(database: Database, publisher: FundPublisher) -> PublicationResult:
    """Decide every snapshot up to the last reconciliation's block.

    There is nothing to decide before the first snapshot or the first reconciliation.
    """
    async with database.write() as session:
        decided = await _decide_points(session)
    if decided.reason is not None:
        log.error("nav.withheld", points=decided.withheld, reason=decided.reason)
    if decided.published:
        log.info("nav.published", points=decided.published)
    if decided.published or decided.withheld:
        await publisher.publish_nav()
    return decided


async def _decide_points(session: WriteSession) -> PublicationResult:
    reconciliation = await find_newest_reconciliation(session)
    if reconciliation is None:
        return PublicationResult(0, 0, None)
    withheld_reason = _withheld_reason(await list_critical_breaks(session))
    added = await add_nav_points(session, reconciliation, withheld_reason=withheld_reason)
    released = await release_nav_points(session, reconciliation) if withheld_reason is None else 0
    return PublicationResult(released + added.count(NavStatus.PUBLISHED), added.count(NavStatus.WITHHELD), withheld_reason)


def _withheld_reason(breaks: Sequence[RiskEvent]) -> str | None:
    findings = [event.finding for event in breaks]
    return (
        withholding_reason([Discrepancy(finding.subject, finding.observed, finding.expected) for finding in findings])
        if findings
        else None
    )
