"""Read and write sessions as different types, so that a read path cannot write and a write path cannot forget to commit.

A write session is one transaction: it commits when its block ends well and rolls back when it does not. A read session
is a read-only snapshot (REPEATABLE READ), so that several queries of one answer agree with each other.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NewType

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

ReadSession = NewType("ReadSession", AsyncSession)
WriteSession = NewType("WriteSession", AsyncSession)


def create_engine(url: str, *, pool_size: int, connect_timeout_seconds: int, application_name: str) -> AsyncEngine:
    """An engine whose connections notice a dead server and work behind a transaction-pooling PgBouncer."""
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        pool_timeout=connect_timeout_seconds,
        connect_args={
            "connect_timeout": connect_timeout_seconds,
            "application_name": application_name,
            "prepare_threshold": None,  # server-side prepared statements do not survive transaction pooling
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
    )


class Database:
    """Hands out sessions over one engine, or over two where a replica serves the reads."""

    def __init__(self, engine: AsyncEngine, read_engine: AsyncEngine | None = None) -> None:
        self.engine = engine
        self.read_engine = read_engine or engine
        self._writes = async_sessionmaker(engine, expire_on_commit=False)
        # Said with BEGIN itself, so that a snapshot costs no round trip of its own.
        snapshots = self.read_engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._reads = async_sessionmaker(snapshots, expire_on_commit=False, autoflush=False)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        async with _cancellable(), self._writes() as session, session.begin():
            yield WriteSession(session)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        async with _cancellable(), self._reads() as session, session.begin():
            yield ReadSession(session)

    async def close(self) -> None:
        await self.engine.dispose()
        if self.read_engine is not self.engine:
            await self.read_engine.dispose()


@asynccontextmanager
async def _cancellable() -> AsyncIterator[None]:
    """A cancellation stays one: where it breaks off a COPY, the rollback fails too, and its error would take the place.

    A loop that outlives errors of the database would then outlive being told to stop.
    """
    try:
        yield
    except SQLAlchemyError as error:
        before: BaseException | None = error
        while before is not None:
            if isinstance(before, asyncio.CancelledError):
                raise asyncio.CancelledError("while the database was at work") from error
            before = before.__context__
        raise
