"""Read and write sessions as different types, so that a read path cannot write and a write path cannot forget to commit.

A write session is one transaction: it commits when its block ends well and rolls back when it does not. A read session
is a read-only snapshot (REPEATABLE READ), so that several queries of one answer agree with each other. Where one row is
the whole answer, `find` gets it without a session, at a third of the cost (see `look_ups`); where one statement is the whole
transaction, `write_single` spares the two round trips of beginning and ending it.
"""

import asyncio
import select
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, NewType

from psycopg import AsyncConnection
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import TupleRow
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import ORMExecuteState, Session

from paimon.infrastructure.database.row_query import Result, RowQuery, find

ReadSession = NewType("ReadSession", AsyncSession)
WriteSession = NewType("WriteSession", AsyncSession)


def create_engine(url: str, *, pool_size: int, connect_timeout_seconds: int, application_name: str) -> AsyncEngine:
    """An engine whose connections notice a dead server and work behind a transaction-pooling PgBouncer."""
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
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
    _ping_before_reuse(engine)
    return engine


IDLE_SECONDS_MAX: Final = 1.0


def _ping_before_reuse(engine: AsyncEngine) -> None:
    """A connection is asked whether its server still answers before it is given out, and replaced if not, in two cases.

    Its socket has something to read, though nothing was asked: as a rule that the server has gone. Or it lay idle, so
    that its server may have gone without a word. To ask each time would cost every transaction a round trip.

    One that comes back in the middle of something is replaced too: whoever was told to stop while several rows were under
    way leaves it in pipeline mode, where a ROLLBACK fails no more than anything else and the next answers are those.
    """
    pool, dialect = engine.sync_engine.pool, engine.dialect

    @event.listens_for(pool, "checkin")
    def _on_checkin(connection: Any, record: Any) -> None:
        record.info["idle_since"] = time.monotonic()
        if connection is not None and not _is_idle(connection.driver_connection):
            record.invalidate()

    @event.listens_for(pool, "checkout")
    def _on_checkout(connection: Any, record: Any, _: Any) -> None:
        idle_seconds = time.monotonic() - record.info.get("idle_since", time.monotonic())
        if idle_seconds < IDLE_SECONDS_MAX and not _has_pending_input(connection.driver_connection):
            return
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            if dialect.is_disconnect(error, connection, None):
                raise DisconnectionError from error
            raise


def _is_idle(connection: AsyncConnection[TupleRow]) -> bool:
    at_rest = connection.pgconn.transaction_status == TransactionStatus.IDLE
    return at_rest and connection.pgconn.pipeline_status == PipelineStatus.OFF


def _has_pending_input(connection: AsyncConnection[TupleRow]) -> bool:
    if connection.closed:
        return True
    socket = select.poll()
    socket.register(connection.fileno(), select.POLLIN)
    return bool(socket.poll(0))


class SecondStatement(Exception):
    """A session for one statement was asked for more."""


class _SingleStatementSession(Session):
    """No transaction is there to hold two together."""


@event.listens_for(_SingleStatementSession, "do_orm_execute")
def _refuse_second_statement(statement: ORMExecuteState) -> None:
    if statement.session.info.setdefault("statement", statement) is not statement:
        raise SecondStatement(f"{SecondStatement.__doc__} Take Database.write()")


class Database:
    """Hands out sessions over one engine, or over two where a replica serves the reads."""

    def __init__(self, engine: AsyncEngine, read_engine: AsyncEngine | None = None) -> None:
        self.engine = engine
        self.read_engine = read_engine or engine
        self._writes = async_sessionmaker(engine, expire_on_commit=False)
        # Said with BEGIN itself, so that a snapshot costs no round trip of its own.
        snapshots = self.read_engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._reads = async_sessionmaker(snapshots, expire_on_commit=False, autoflush=False)
        autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._single_writes = async_sessionmaker(autocommit, sync_session_class=_SingleStatementSession, autoflush=False)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        async with _cancellable(), self._writes() as session, session.begin():
            yield WriteSession(session)

    @asynccontextmanager
    async def write_single(self) -> AsyncIterator[WriteSession]:
        """For one statement that is the whole transaction: it is committed when it was executed, in one round trip, not three.

        Raises:
            SecondStatement: on a second one.
        """
        async with _cancellable(), self._single_writes() as session:
            yield WriteSession(session)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        async with _cancellable(), self._reads() as session, session.begin():
            yield ReadSession(session)

    async def find(self, query: RowQuery[Result], **values: object) -> Result | None:
        """The one row of a look-up; None where there is none."""
        async with _cancellable():
            return await find(self.read_engine, query, values)

    async def close(self) -> None:
        await self.engine.dispose()
        if self.read_engine is not self.engine:
            await self.read_engine.dispose()


@asynccontextmanager
async def _cancellable() -> AsyncIterator[None]:
    """A cancellation stays one: where it breaks off a COPY, the rollback fails too, and its error would take the place;
    where it breaks off rows under way, the driver's own.

    A loop that outlives errors of the database would then outlive being told to stop.
    """
    try:
        yield
    except Exception as error:
        before: BaseException | None = error
        while before is not None and not isinstance(before, TimeoutError):  # what lies before it was a timeout's own
            if isinstance(before, asyncio.CancelledError):
                raise asyncio.CancelledError("while the database was at work") from error
            before = before.__context__
        raise
