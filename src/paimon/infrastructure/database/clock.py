"""The one clock of deadlines, expiries and next checks: the database's, the same for every process."""

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession


async def database_now(session: AsyncSession) -> datetime:
    """The moment this is asked. (`now()` is the transaction's beginning, which may lie before a lock it waited for.)"""
    moment: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return moment.astimezone(UTC)
