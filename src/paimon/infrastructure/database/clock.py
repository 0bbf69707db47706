"""The database's clock. All processes use it for deadlines, expiries and next checks."""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.infrastructure.database.row_query import RowQuery

DATABASE_NOW: Final = RowQuery(select(func.now().label("now")), lambda row: as_utc(row.now))
"""The row query for the time alone, without a session."""


def as_utc(instant: datetime) -> datetime:
    """Convert an instant to UTC. The driver returns instants in the session's time zone."""
    return instant.astimezone(UTC)


async def database_now(session: AsyncSession) -> datetime:
    """Return the time at which this transaction began, which is also the `created_at` of its rows."""
    return as_utc((await session.execute(select(func.now()))).scalar_one())
