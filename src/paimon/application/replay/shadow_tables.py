"""Every projection's table once more, empty, in a schema of the session's own: what a replay writes to.

The shadow schema is PostgreSQL's temporary one. It belongs to one connection and goes with it, so a replay that is
killed leaves nothing to clean up, and two at once never meet.

On this connection the models' schema `derived` *is* the shadow (SQLAlchemy's schema translation): the listener's own
`project` writes here without knowing. The real tables are reached by copies of the models in a schema called `live`, so
that a forgotten word shows the shadow, and never changes the books.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Column, MetaData, Table, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from paimon.application.event_listener.fetch.decode import Reading
from paimon.application.replay.recorded_logs import LogPosition
from paimon.errors import StartupError
from paimon.infrastructure.database.models.base import Base, metadata, table_of
from paimon.infrastructure.database.models.derived import PROJECTIONS, RawLogRow
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

_SHADOW: Final = "pg_temp"
_TRANSLATION: Final = {"derived": _SHADOW, "live": "derived"}
_LIVE: Final = MetaData()
_INSUFFICIENT_PRIVILEGE: Final = "42501"


class NoTemporaryTables(StartupError):
    """The role may not make temporary tables; the message has the grant to give."""


_SORT_IN_MEMORY: Final = text("SET work_mem = '64MB'")
"""A page of logs, and most tables where they are compared: otherwise by way of the disk."""

_DROP_INDEXES: Final = text("""
    SELECT format('DROP INDEX pg_temp.%I', relname)
      FROM pg_index JOIN pg_class ON oid = indexrelid
     WHERE relnamespace = pg_my_temp_schema() AND NOT indisunique
""")


@dataclass(frozen=True, slots=True)
class TablePair:
    """One projection's table twice, as it is named on a shadow's connection."""

    live: Table
    rebuilt: Table

    @property
    def name(self) -> str:
        return self.live.name


def live_table(model: type[Base]) -> Table:
    """The model's table as it is named on a shadow's connection, where the model itself means the shadow."""
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
    *(Column(name, LIVE_LOGS.c[name].type, primary_key=True) for name in LogPosition._fields),
    *(Column(name, LIVE_LOGS.c[name].type) for name in Reading._fields),
)
"""The readings of those logs that mean something else now than when they were recorded: as a rule none."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """One connection with the shadow's tables on it."""

    connection: AsyncConnection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[WriteSession]:
        """One transaction; what is written through the models lands in the shadow."""
        async with AsyncSession(self.connection, expire_on_commit=False) as session, session.begin():
            yield WriteSession(session)

    @asynccontextmanager
    async def live_transaction(self) -> AsyncIterator[ReadSession]:
        """One transaction over another connection, which knows only the tables as they are."""
        async with AsyncSession(self.connection.engine) as session, session.begin():
            yield ReadSession(session)


@asynccontextmanager
async def open_shadow(engine: AsyncEngine) -> AsyncIterator[Shadow]:
    """An empty shadow of the tables as they stand in this database, with their keys and checks.

    Not with the indexes that only speed up the questions of others: nobody asks here, and keeping them takes longer than
    all the rest of writing.

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
                f"{role} may not make temporary tables, which a replay rebuilds the books in:"
                f" GRANT TEMPORARY ON DATABASE {database} TO {role}"
            ) from error
        yield Shadow(connection)
    finally:
        await connection.invalidate()  # not back into the pool, where the shadow's tables would live on
        await connection.close()
