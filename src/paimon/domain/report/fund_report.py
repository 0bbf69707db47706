"""Make a report's data from dated inputs: a pure function of `ReportInputs`.

    inputs ──► sections ──► checks ──► draft notes ──► Report

The opening and the closing block are those of the last kept snapshots before the period's start and its end. A report is final
when the period is over and recorded, both blocks have official NAV, and every check holds. A section whose source does not
exist is left out and says why.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from paimon.domain.asset.tier import Tier
from paimon.domain.report.document import Check, DraftNote, Report, Section, Unit
from paimon.domain.report.draft_notes import bound_notes, broken_checks
from paimon.domain.report.inputs import ReportInputs
from paimon.domain.report.period import ReportKind
from paimon.domain.report.sections.common import net_flow, redemption_totals
from paimon.domain.report.sections.fund import (
    change_section,
    flows_section,
    holdings_section,
    liquidity_section,
    summary_section,
)
from paimon.domain.report.sections.performance import performance_section
from paimon.domain.report.sections.running import operations_section, promises_section, quality_section, risk_section
from paimon.domain.vault.nav_components import CAPITAL_FLOW_GROUPS

_SectionMaker = Callable[[ReportInputs], Section]

_OF_ANY_PERIOD: Final[tuple[_SectionMaker, ...]] = (
    summary_section,
    change_section,
    flows_section,
    liquidity_section,
    holdings_section,
    risk_section,
    operations_section,
    promises_section,
    quality_section,
)
_OF_LONGER_PERIODS: Final[tuple[_SectionMaker, ...]] = (
    summary_section,
    performance_section,
    *_OF_ANY_PERIOD[1:],
)
SECTIONS: Final[Mapping[ReportKind, tuple[_SectionMaker, ...]]] = {
    ReportKind.DAILY: _OF_ANY_PERIOD,
    ReportKind.WEEKLY: _OF_LONGER_PERIODS,
    ReportKind.MONTHLY: _OF_LONGER_PERIODS,
}
"""The sections of each kind, in the order of the page."""


def fund_report(inputs: ReportInputs) -> Report:
    """Return the report of the inputs' period."""
    checks = tuple(_checks(inputs))
    return Report(
        period=inputs.period,
        asset_decimals=inputs.asset_decimals,
        opening=inputs.opening.at if inputs.opening else None,
        closing=inputs.closing.at if inputs.closing else None,
        from_first_snapshot=inputs.from_first_snapshot,
        draft_notes=tuple(_draft_notes(inputs, checks)),
        sections=tuple(make(inputs) for make in SECTIONS[inputs.period.kind]),
        checks=checks,
    )


def _draft_notes(inputs: ReportInputs, checks: Iterable[Check]) -> Iterator[DraftNote]:
    yield from bound_notes(inputs.period, inputs.read_at, inputs.recorded_until, inputs.opening, inputs.closing)
    yield from broken_checks(checks)


def _checks(inputs: ReportInputs) -> Iterator[Check]:
    """Yield what must tie: the sections with each other, and each with the snapshots."""
    if inputs.attribution is not None and inputs.opening is not None and inputs.closing is not None:
        attribution = inputs.attribution
        opening, closing = inputs.opening.snapshot, inputs.closing.snapshot
        explained = sum(component.amount for component in attribution.components)
        per_share = sum(component.per_share for component in attribution.components)
        yield Check("aumExplained", Unit.MONEY, opening.net_assets + explained, closing.net_assets)
        yield Check("navExplained", Unit.NAV, opening.nav_per_share + per_share, closing.nav_per_share)
        in_flows = sum(attribution.total(group) for group in CAPITAL_FLOW_GROUPS)
        yield Check("netFlow", Unit.MONEY, net_flow(inputs), in_flows)
        requested = redemption_totals(inputs)
        open_before = opening.redemption_liability
        moved = requested.requested_amount - requested.returned_amount - requested.settled_gross
        yield Check("liability", Unit.MONEY, open_before + moved, closing.redemption_liability)
    if inputs.closing is not None:
        closing = inputs.closing.snapshot
        promised = sum(promise.gross_amount for promise in inputs.promises)
        yield Check("promises", Unit.MONEY, promised, closing.redemption_liability)
        yield Check("tiers", Unit.MONEY, sum(closing.tier_value(tier) for tier in Tier), closing.vault.gross_assets)
