"""Collect the inputs of a report in one read transaction, at the blocks of two kept snapshots.

opening     the last kept snapshot before the period; where there is none, the fund's first one, if it is in the period
closing     the last kept snapshot of the period
"""

from dataclasses import dataclass, replace
from datetime import datetime

from paimon.application.common.chain_position import chain_position
from paimon.application.nav.attribution import attribute_blocks
from paimon.application.nav.queries import find_first_kept_block
from paimon.application.nav.store import find_asset_decimals, load_kept_snapshots
from paimon.application.oracle.queries import load_untrusted
from paimon.application.reports.queries import (
    count_plans,
    find_kept_before,
    find_nav_status,
    find_risk_reading,
    list_events,
    list_nav_history,
    list_open_promises,
    load_quality,
    sum_deposits,
    sum_redemptions,
    sum_sending,
    sum_tickets,
    sum_trades,
)
from paimon.domain.report.inputs import BoundingSnapshot, ReportInputs
from paimon.domain.report.period import ReportPeriod
from paimon.infrastructure.database.sessions import ReadSession


async def collect_inputs(session: ReadSession, period: ReportPeriod, *, now: datetime, steps_max: int) -> ReportInputs:
    """Return the inputs of a period. `steps_max` bounds the snapshots between which the change of NAV is attributed."""
    cursor = await chain_position(session)
    inputs = ReportInputs(
        period=period,
        read_at=now,
        recorded_until=cursor.timestamp if cursor else None,
        asset_decimals=await find_asset_decimals(session),
        tickets=await sum_tickets(session, period),
        sending=await sum_sending(session, period),
        plans=await count_plans(session, period),
    )
    bounds = await find_bounds(session, period)
    if bounds.closing is None:
        return replace(inputs, opening=bounds.opening)
    return await _between(session, replace(inputs, from_first_snapshot=bounds.from_first_snapshot), bounds, steps_max)


@dataclass(frozen=True, slots=True)
class PeriodBounds:
    """The snapshots that bound a period; `closing` is None where none was kept in the period."""

    opening: BoundingSnapshot | None = None
    closing: BoundingSnapshot | None = None
    from_first_snapshot: bool = False


async def find_bounds(session: ReadSession, period: ReportPeriod) -> PeriodBounds:
    before = await find_kept_before(session, period.start)
    last = await find_kept_before(session, period.end)
    if last is None or last == before:
        return PeriodBounds() if before is None else PeriodBounds(await _bounding(session, before))
    first_kept = await find_first_kept_block(session)
    first = first_kept.number if before is None and first_kept is not None else before
    if first is None:
        return PeriodBounds()
    return PeriodBounds(await _bounding(session, first), await _bounding(session, last), from_first_snapshot=before is None)


async def _between(session: ReadSession, inputs: ReportInputs, bounds: PeriodBounds, steps_max: int) -> ReportInputs:
    """Add what is between the blocks of two kept snapshots."""
    opening, closing = bounds.opening, bounds.closing
    if opening is None or closing is None:
        return inputs
    first, last = opening.at.number, closing.at.number
    return replace(
        inputs,
        opening=opening,
        closing=closing,
        attribution=await attribute_blocks(session, first, last, steps_max=steps_max) if first < last else None,
        nav_history=await list_nav_history(session, after=first, until=last),
        deposits=await sum_deposits(session, after=first, until=last),
        redemptions=await sum_redemptions(session, after=first, until=last),
        promises=await list_open_promises(session, until=last),
        trades=await sum_trades(session, after=first, until=last),
        risk=await find_risk_reading(session, opening=opening.at.timestamp, closing=closing.at.timestamp),
        events=await list_events(session, inputs.period, after=first, until=last),
        quality=await load_quality(session, after=first, until=last, untrusted=dict(await load_untrusted(session, block=last))),
    )


async def _bounding(session: ReadSession, block: int) -> BoundingSnapshot:
    (snapshot,) = await load_kept_snapshots(session, [block])
    return BoundingSnapshot(snapshot, *await find_nav_status(session, block, snapshot.at.hash))
