"""Redemption requests and their locked NAV in the database. Only the listener writes requests."""

from typing import Final

from sqlalchemy import bindparam, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.redemption.request import Redemption, RedemptionStatus
from paimon.infrastructure.database.models.base import table_of
from paimon.infrastructure.database.models.derived import ObservationRow, RedemptionRequestRow
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
