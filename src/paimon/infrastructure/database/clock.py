"""The one clock of deadlines, expiries and next checks: the database's, the same for every process."""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.infrastructure.database.row_query import RowQuery

DATABASE_NOW: Final = RowQuery(select(func.now().label("now")), lambda row: as_utc(row.now))
"""The same where it is all that is asked."""


def as_utc(instant: datetime) -> datetime:
    """The driver gives an instant in the session's own time zone."""
    return instant.astimezone(UTC)


async def database_now(session: AsyncSession) -> datetime:
    """When this transaction began: the same moment that its rows get as their `created_at`."""
    return as_utc((await session.execute(select(func.now()))).scalar_one())
