"""The one clock of deadlines, expiries and next checks: the database's, the same for every process."""

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession


async def database_now(session: AsyncSession) -> datetime:
    """When this transaction began: the same moment that its rows get as their `created_at`."""
    moment: datetime = (await session.execute(select(func.now()))).scalar_one()
    return moment.astimezone(UTC)
