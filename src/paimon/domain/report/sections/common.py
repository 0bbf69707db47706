"""What several sections of a report need: sums over channels, and where a value is from."""

from paimon.domain.report.document import Source, SourceKind
from paimon.domain.report.inputs import BoundingSnapshot, RedemptionTotals, ReportInputs


def redemption_totals(inputs: ReportInputs) -> RedemptionTotals:
    """Add the channels up."""
    by_channel = (inputs.redemptions or {}).values()
    fields = RedemptionTotals.__slots__
    return RedemptionTotals(**{name: sum(getattr(totals, name) for totals in by_channel) for name in fields})


def net_flow(inputs: ReportInputs) -> int:
    """Return deposits less what was requested, with what was returned."""
    totals = redemption_totals(inputs)
    return inputs.deposits.assets - totals.requested_amount + totals.returned_amount


def recorded_between(inputs: ReportInputs, kind: SourceKind) -> Source:
    """Return the source of what is recorded in the blocks of the period."""
    opening, closing = inputs.opening, inputs.closing
    return Source(kind, closing.at.number if closing else None, opening.at.number if opening else None)


def recorded_at(kind: SourceKind, bound: BoundingSnapshot) -> Source:
    """Return the source of what is recorded at the block of a snapshot."""
    return Source(kind, bound.at.number)
