"""Rows of `redemption_requests` as domain values. Only the listener writes them."""

from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.domain.redemption.request import Redemption, RedemptionStatus
from paimon.infrastructure.database.models.base import table_of
from paimon.infrastructure.database.models.derived import RedemptionRequestRow
from paimon.infrastructure.database.row_query import RowQuery
from paimon.infrastructure.database.rows.redemption import to_domain

REDEMPTION: Final = RowQuery(
    select(table_of(RedemptionRequestRow)).where(RedemptionRequestRow.request_id == bindparam("request_id")), to_domain
)
"""One request, where nothing else is asked with it."""


async def find_redemption(session: AsyncSession, request_id: int) -> Redemption | None:
    row = await session.get(RedemptionRequestRow, request_id, populate_existing=True)
    return to_domain(row) if row else None


async def list_by_status(session: AsyncSession, *statuses: RedemptionStatus) -> list[Redemption]:
    """All requests in these states, oldest first."""
    query = (
        select(RedemptionRequestRow).where(RedemptionRequestRow.status.in_(statuses)).order_by(RedemptionRequestRow.request_id)
    )
    return [to_domain(row) for row in await session.scalars(query)]
