"""Redemption requests and their locked NAV in the database. Only the listener writes requests."""

from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, exists, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.domain.events import RedemptionRequested
from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, BlockStamp, parse_address
from paimon.domain.redemption.request import Redemption, RedemptionStatus
from paimon.domain.risk.split_redemptions import RecordedRequest
from paimon.infrastructure.database.models.base import table_of
from paimon.infrastructure.database.models.derived import ObservationRow, RawLogRow, RedemptionRequestRow
from paimon.infrastructure.database.row_query import RowQuery
from paimon.infrastructure.database.rows.redemption import to_domain
from paimon.infrastructure.database.sessions import WriteSession

LOCKED_NAV: Final = "locked_nav"
"""The kind of the observation that holds a request's locked NAV."""

REDEMPTION: Final = RowQuery(
    select(table_of(RedemptionRequestRow)).where(RedemptionRequestRow.request_id == bindparam("request_id")), to_domain
)
"""One request as a query without a session, for a caller that reads nothing else."""


async def find_redemption(session: AsyncSession, request_id: int) -> Redemption | None:
    row = await session.get(RedemptionRequestRow, request_id, populate_existing=True)
    return to_domain(row) if row else None


async def list_by_status(session: AsyncSession, *statuses: RedemptionStatus) -> list[Redemption]:
    """List all requests with one of these statuses, oldest first."""
    query = (
        select(RedemptionRequestRow).where(RedemptionRequestRow.status.in_(statuses)).order_by(RedemptionRequestRow.request_id)
    )
    return [to_domain(row) for row in await session.scalars(query)]


async def list_requests_since(session: AsyncSession, since: datetime) -> list[RecordedRequest]:
    """List the requests from this time on that pay or have paid, each with the block of its event."""
    request, log = RedemptionRequestRow, RawLogRow
    query = (
        select(request, log.block_number)
        .join(log, (log.request_id == request.request_id) & (log.event == RedemptionRequested.__name__))
        .where(
            request.requested_at >= since,
            request.status.not_in((RedemptionStatus.CANCELLED, RedemptionStatus.REJECTED)),
        )
    )
    return [RecordedRequest(to_domain(row), block) for row, block in await session.execute(query)]


# Minted shares come from the zero address: a holder that deposited more than it was sent has no source. A transfer of nothing
# needs no permission of its sender, so it says nothing.
_SHARE_SOURCES: Final = text("""
    SELECT DISTINCT ON (args ->> 'to') args ->> 'to' AS holder, args ->> 'from' AS source
      FROM derived.raw_logs
     WHERE contract = 'Vault' AND event = 'Transfer' AND status = 'APPLIED'
       AND block_number >= (SELECT min(block_number) FROM derived.transactions WHERE at >= :since)
       AND decode(substr(args ->> 'to', 3), 'hex') IN (SELECT holder FROM derived.share_balances WHERE since >= :since)
     GROUP BY args ->> 'to', args ->> 'from'
    HAVING sum(CAST(args ->> 'value' AS numeric)) > 0
     ORDER BY args ->> 'to', sum(CAST(args ->> 'value' AS numeric)) DESC, args ->> 'from'
""")


async def list_share_sources(session: AsyncSession, since: datetime) -> dict[Address, Address]:
    """Return the holders that got their first shares since this time, each with the holder that sent it most of them."""
    rows = [
        (parse_address(row.holder), parse_address(row.source))
        for row in await session.execute(_SHARE_SOURCES, {"since": since})
    ]
    return {holder: source for holder, source in rows if source != ZERO_ADDRESS}


async def has_locked_nav(session: AsyncSession, request_id: int) -> bool:
    """Return whether the request's locked NAV is recorded."""
    query = select(exists().where(ObservationRow.kind == LOCKED_NAV, ObservationRow.subject == str(request_id)))
    return bool((await session.execute(query)).scalar())


async def find_locked_nav(session: AsyncSession, request_id: int) -> int | None:
    """Return the latest recorded locked NAV of the request; None before it is recorded."""
    query = (
        select(ObservationRow.data)
        .where(ObservationRow.kind == LOCKED_NAV, ObservationRow.subject == str(request_id))
        .order_by(ObservationRow.block_number.desc())
        .limit(1)
    )
    data = (await session.execute(query)).scalar_one_or_none()
    return None if data is None else int(data["lockedNav"])


async def insert_locked_nav(session: WriteSession, request_id: int, locked_nav: int, *, at: BlockStamp) -> None:
    """Record the locked NAV as read at this block; a second reading at the block changes nothing."""
    await session.execute(
        insert(ObservationRow)
        .values(
            kind=LOCKED_NAV,
            subject=str(request_id),
            block_number=at.number,
            block_hash=at.hash,
            block_timestamp=at.timestamp,
            data={"lockedNav": str(locked_nav)},
        )
        .on_conflict_do_nothing()
    )
