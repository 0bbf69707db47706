"""Make a holder's statement of a month: read at the month's two blocks in one transaction, and rendered when it is asked for.

Nothing is stored: the same month gives the same bytes, and `checks` show that every balance ties with its events.
"""

from datetime import datetime

from paimon.application.common.chain_position import chain_position
from paimon.application.nav.store import find_asset_decimals
from paimon.application.reports.collect import find_bounds
from paimon.application.reports.queries import list_movements
from paimon.application.vault.queries import list_holders
from paimon.domain.kernel.chain import Address
from paimon.domain.report.inputs import BoundingSnapshot
from paimon.domain.report.period import ReportPeriod
from paimon.domain.report.statement import Movement, StatementInputs
from paimon.domain.vault.holder_register import RegisteredHolder
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession


async def collect_statement(
    session: ReadSession, holder: Address, period: ReportPeriod, *, vault: Address, now: datetime
) -> StatementInputs:
    """Return the inputs of a holder's statement."""
    position = await chain_position(session)
    bounds = await find_bounds(session, period)
    opening, closing = bounds.opening, bounds.closing
    known = closing is not None and opening is not None
    return StatementInputs(
        period=period,
        read_at=now,
        recorded_until=position.timestamp if position else None,
        asset_decimals=await find_asset_decimals(session),
        holder=holder,
        opening=opening,
        closing=closing,
        from_first_snapshot=bounds.from_first_snapshot,
        opening_holding=await _holding(session, holder, opening) if known else None,
        closing_holding=await _holding(session, holder, closing) if known else None,
        movements=await _movements(session, holder, opening, closing, vault=vault),
    )


async def _holding(session: ReadSession, holder: Address, bound: BoundingSnapshot | None) -> RegisteredHolder | None:
    if bound is None:
        return None
    found = await list_holders(session, PageRequest(1, 1), block=bound.at.number, holder=holder)
    return next(iter(found.page.items), None)


async def _movements(
    session: ReadSession, holder: Address, opening: BoundingSnapshot | None, closing: BoundingSnapshot | None, *, vault: Address
) -> tuple[Movement, ...]:
    if opening is None or closing is None:
        return ()
    nav = opening.snapshot.nav_per_share
    return await list_movements(session, holder, vault=vault, after=opening.at.number, until=closing.at.number, nav=nav)
