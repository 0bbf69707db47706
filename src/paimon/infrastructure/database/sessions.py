"""Database sessions. Read and write sessions have different types: a read path cannot write, a write path always commits.

write()          one transaction: it commits when its block ends normally, and rolls back after an error
write_single()   one statement in autocommit mode, which saves the two round trips of BEGIN and COMMIT
read()           a read-only snapshot (REPEATABLE READ), so that several queries agree with each other
find()           one row without a session, at a third of the cost; see `row_query`

An error that says that the database is away becomes a DatabaseUnavailable, and every connection of the pool is replaced: a
demoted primary may keep its connections, and a server whose defaults changed keeps the old ones in each of them.
"""

import asyncio
import select
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, NewType

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import TupleRow
from sqlalchemy import event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import ORMExecuteState, Session

from paimon.infrastructure.database.availability import (
    DatabaseFault,
    DatabaseUnavailable,
    database_fault,
    is_away,
    unavailable,
)
from paimon.infrastructure.database.row_query import Result, RowQuery, find

ReadSession = NewType("ReadSession", AsyncSession)
WriteSession = NewType("WriteSession", AsyncSession)


def create_engine(url: str, *, pool_size: int, connect_timeout_seconds: int, application_name: str) -> AsyncEngine:
    """Create an engine whose connections detect a dead server and work behind a transaction-pooling PgBouncer."""
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
    _replace_when_away(engine)
    return engine


IDLE_SECONDS_MAX: Final = 1.0


def _ping_before_reuse(engine: AsyncEngine) -> None:
    """Ping a connection before reuse in two cases, and replace it if the server does not answer.

    - Its idle socket is readable; that usually means the server closed it.
    - It was idle for a while, so the server may be gone without closing it.

    A ping before every reuse would cost each transaction a round trip.

    A connection that is returned in the middle of a statement is replaced too. A task that is cancelled while it sends several
    rows leaves the connection in pipeline mode: there, a ROLLBACK reports no error, and its next user would get old results.
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


def _replace_when_away(engine: AsyncEngine) -> None:
    """Raise DatabaseUnavailable and replace the pool's connections when an error says that the database is away."""

    @event.listens_for(engine.sync_engine, "handle_error", retval=True)
    def _on_error(context: ExceptionContext) -> DatabaseUnavailable | None:
        options = {} if context.connection is None else context.connection.get_execution_options()
        error = context.sqlalchemy_exception
        if not isinstance(error, DBAPIError) or not is_away(error.orig, writes=not options.get("postgresql_readonly")):
            return None
        context.is_disconnect = True
        return unavailable(error)


def _is_idle(connection: AsyncConnection[TupleRow]) -> bool:
    is_idle = connection.pgconn.transaction_status == TransactionStatus.IDLE
    return is_idle and connection.pgconn.pipeline_status == PipelineStatus.OFF


def _has_pending_input(connection: AsyncConnection[TupleRow]) -> bool:
    if connection.closed:
        return True
    socket = select.poll()
    socket.register(connection.fileno(), select.POLLIN)
    return bool(socket.poll(0))


class SecondStatement(Exception):
    """A session for a single statement got a second one."""


class _SingleStatementSession(Session):
    """A session in autocommit mode: no transaction would join two statements."""


@event.listens_for(_SingleStatementSession, "do_orm_execute")
def _refuse_second_statement(statement: ORMExecuteState) -> None:
    if statement.session.info.setdefault("statement", statement) is not statement:
        raise SecondStatement(f"{SecondStatement.__doc__} Use Database.write()")


_REQUIRE_WRITABLE: Final = text("SELECT 1 FROM ops.outbox WHERE false FOR UPDATE")
"""Locks no row, but the server refuses it wherever it would refuse a write."""


class Database:
    """Opens sessions over one engine, or over two if a replica serves the reads."""

    def __init__(self, engine: AsyncEngine, read_engine: AsyncEngine | None = None) -> None:
        self.engine = engine
        self.read_engine = read_engine or engine
        self._writes = async_sessionmaker(engine, expire_on_commit=False)
        # The isolation level is part of BEGIN, so that a snapshot costs no round trip of its own.
        snapshots = self.read_engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._reads = async_sessionmaker(snapshots, expire_on_commit=False, autoflush=False)
        autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._single_writes = async_sessionmaker(autocommit, sync_session_class=_SingleStatementSession, autoflush=False)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        async with _cancellable(), self._writes() as session, session.begin(), _driver_errors(session, writes=True):
            yield WriteSession(session)

    @asynccontextmanager
    async def write_single(self) -> AsyncIterator[WriteSession]:
        """Open a session for a single statement, which commits by itself in one round trip instead of three.

        Raises:
            SecondStatement: at a second statement.
        """
        async with _cancellable(), self._single_writes() as session, _driver_errors(session, writes=True):
            yield WriteSession(session)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        async with _cancellable(), self._reads() as session, session.begin(), _driver_errors(session, writes=False):
            yield ReadSession(session)

    async def find(self, query: RowQuery[Result], **values: object) -> Result | None:
        """Run a row query, and return its result, or None if there is no row."""
        async with _cancellable():
            return await find(self.read_engine, query, values)

    async def find_newest(self, query: RowQuery[Result], **values: object) -> Result | None:
        """Run a row query on the primary: what was committed a moment ago is there, and on a replica it may not be yet."""
        async with _cancellable():
            return await find(self.engine, query, values)

    async def require_writable(self) -> None:
        """Check that the server takes writes, without any.

        Raises:
            DatabaseUnavailable: it does not answer, or takes no writes.
        """
        async with self.write_single() as session:
            await session.execute(_REQUIRE_WRITABLE)

    async def close(self) -> None:
        await self.engine.dispose()
        if self.read_engine is not self.engine:
            await self.read_engine.dispose()


@asynccontextmanager
async def _driver_errors(session: AsyncSession, *, writes: bool) -> AsyncIterator[None]:
    """Raise the errors that a statement of the session would, for a COPY, which uses the driver's connection."""
    try:
        yield
    except psycopg.Error as error:
        if database_fault(error) is DatabaseFault.DEFECT:
            raise
        wrapped = DBAPIError.instance(None, None, error, psycopg.Error, dialect=session.get_bind().dialect)
        assert isinstance(wrapped, DBAPIError)  # noqa: S101 — it wraps an error of the driver
        if not is_away(error, writes=writes):
            raise wrapped from error
        await session.invalidate()
        raise unavailable(wrapped) from error


@asynccontextmanager
async def _cancellable() -> AsyncIterator[None]:
    """Keep a cancellation a cancellation.

    If a task is cancelled during a COPY, the rollback fails too, and its error would replace the cancellation. If rows are
    being sent, the driver's own error would. A loop that survives database errors would then survive its cancellation.
    """
    try:
        yield
    except Exception as error:
        before: BaseException | None = error
        while before is not None and not isinstance(
            before, TimeoutError
        ):  # a CancelledError before a TimeoutError is the timeout's own
            if isinstance(before, asyncio.CancelledError):
                raise asyncio.CancelledError("while a database statement was running") from error
            before = before.__context__
        raise
