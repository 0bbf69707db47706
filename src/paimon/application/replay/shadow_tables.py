"""Shadow tables: every projection's table once more, empty, in a temporary schema that a replay writes to.

The shadow schema is PostgreSQL's temporary one. It belongs to one connection and ends with it. So a replay that is killed
leaves nothing to clean up, and two replays never meet.

On this connection the models' schema `derived` *is* the shadow (SQLAlchemy's schema translation): the listener's own `project`
writes to it unchanged. The real tables are reached by copies of the models in a schema called `live`. A statement that forgets
to say `live` reads the shadow, and never changes the live tables.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Column, MetaData, Table, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from paimon.application.common.log_id import LogId
from paimon.application.event_listener.fetch.decode import DecodedFields
from paimon.errors import StartupError
from paimon.infrastructure.database.models.base import Base, metadata, table_of
from paimon.infrastructure.database.models.derived import PROJECTIONS, RawLogRow
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

_SHADOW: Final = "pg_temp"
_TRANSLATION: Final = {"derived": _SHADOW, "live": "derived"}
_LIVE: Final = MetaData()
_INSUFFICIENT_PRIVILEGE: Final = "42501"


Engine = AsyncEngine
"""The engine of a role that may create temporary tables."""


class NoTemporaryTables(StartupError):
    """The role may not create temporary tables; the message has the grant to give."""


_SORT_IN_MEMORY: Final = text("SET work_mem = '64MB'")
"""Keeps the sort of a page of logs, and of most tables when they are compared, off the disk."""

_DROP_INDEXES: Final = text("""
    SELECT format('DROP INDEX pg_temp.%I', relname)
      FROM pg_index JOIN pg_class ON oid = indexrelid
     WHERE relnamespace = pg_my_temp_schema() AND NOT indisunique
""")


@dataclass(frozen=True, slots=True)
class TablePair:
    """The live and the rebuilt table of one projection, as they are named on a shadow's connection."""

    live: Table
    rebuilt: Table

    @property
    def name(self) -> str:
        return self.live.name


def live_table(model: type[Base]) -> Table:
    """Return a model's live table, as it is named on a shadow's connection; the model itself means the shadow there."""
    return table_of(model).to_metadata(_LIVE, schema="live")


_PROJECTED: Final = {table_of(model): model for model in PROJECTIONS}
TABLE_PAIRS: Final = tuple(
    TablePair(live_table(_PROJECTED[table]), table) for table in metadata.sorted_tables if table in _PROJECTED
)
"""Every projection, parents before children."""

LIVE_LOGS: Final = live_table(RawLogRow)

REDECODED_LOGS: Final = Table(
    "redecoded_logs",
    MetaData(schema=_SHADOW),
    *(Column(name, LIVE_LOGS.c[name].type, primary_key=True) for name in LogId._fields),
    *(Column(name, LIVE_LOGS.c[name].type) for name in DecodedFields._fields),
)
"""The logs that decode differently now than when they were recorded: usually none."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """One connection that has the shadow tables."""

    connection: AsyncConnection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[WriteSession]:
        """Begin a transaction in which the models mean the shadow tables."""
        async with AsyncSession(self.connection, expire_on_commit=False) as session, session.begin():
            yield WriteSession(session)

    @asynccontextmanager
    async def live_transaction(self) -> AsyncIterator[ReadSession]:
        """Begin a transaction over another connection, which knows the live tables only."""
        async with AsyncSession(self.connection.engine) as session, session.begin():
            yield ReadSession(session)


@asynccontextmanager
async def open_shadow(engine: Engine) -> AsyncIterator[Shadow]:
    """Create an empty shadow of the tables as they are in this database, with their keys and checks.

    Indexes that only speed up queries are left out: nothing is queried here, and keeping them takes longer than all the rest
    of writing.

    Raises:
        NoTemporaryTables: the role lacks the right.
    """
    connection = await engine.connect()
    try:
        await connection.execution_options(schema_translate_map=_TRANSLATION)
        try:
            async with connection.begin():
                await connection.execute(_SORT_IN_MEMORY)
                for pair in TABLE_PAIRS:
                    like = f"CREATE TEMPORARY TABLE {pair.name} (LIKE derived.{pair.name} INCLUDING ALL)"
                    await connection.execute(text(like))
                await connection.run_sync(REDECODED_LOGS.create)
                for statement in (await connection.execute(_DROP_INDEXES)).scalars().all():
                    await connection.execute(text(statement))
        except ProgrammingError as error:
            if getattr(error.orig, "sqlstate", None) != _INSUFFICIENT_PRIVILEGE:
                raise
            role, database = engine.url.username, engine.url.database
            raise NoTemporaryTables(
                f"{role} may not create temporary tables, in which a replay rebuilds the derived tables:"
                f" GRANT TEMPORARY ON DATABASE {database} TO {role}"
            ) from error
        yield Shadow(connection)
    finally:
        await connection.invalidate()  # a pooled connection would keep the shadow tables
        await connection.close()
