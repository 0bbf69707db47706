"""Many new rows into one table by COPY, the fastest way in; a row that is there already makes the whole fail.

The rows travel as text, many at a time, in which a value's type alone says how it is written. The driver writes a row as
fast, but takes each as a call of its own, and waits for PostgreSQL between two of them.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.infrastructure.database.models.base import Base, table_of

_CHUNK_ROWS: Final = 500


async def driver_connection(session: AsyncSession) -> AsyncConnection[TupleRow]:
    """The session's connection as the driver knows it, for COPY and for reading many rows fast."""
    connection = await (await session.connection()).get_raw_connection()
    driver = connection.driver_connection
    assert isinstance(driver, AsyncConnection)  # noqa: S101 — the engine is psycopg's, see sessions.create_engine
    return driver


async def copy_rows(session: AsyncSession, model: type[Base], columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Add the rows, each with a value for every named column."""
    async with copying_rows(session, model, columns, rows):
        pass


@asynccontextmanager
async def copying_rows(
    session: AsyncSession, model: type[Base], columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> AsyncIterator[None]:
    """Send the rows, and wait for them at the end of the block: PostgreSQL stores them while it goes on. The session has
    nothing else to do in it.

    The table is written where the session's own statements would write it, so that a replay's shadow gets its rows.
    """
    if not rows:
        yield
        return
    target = table_of(model)
    options = await (await session.connection()).run_sync(lambda connection: connection.get_execution_options())
    schema = options.get("schema_translate_map", {}).get(target.schema, target.schema)
    table = sql.Identifier(schema, target.name)
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(table, names)
    connection = await driver_connection(session)
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for first in range(0, len(rows), _CHUNK_ROWS):  # one is stored while the next is written
            await copy.write(copy_text(rows[first : first + _CHUNK_ROWS]))
        yield


def copy_text(rows: Sequence[Sequence[object]]) -> str:
    """The rows as COPY reads them.

    Raises:
        TypeError: a value is of a type that no column here has.
    """
    return "".join(["\t".join([_ENCODERS[type(value)](value) for value in row]) + "\n" for row in rows])


_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _escaped(text: str) -> str:
    # What is printable has none of the other marks, and looking each character up takes a hundred times as long.
    return text.replace("\\", "\\\\") if text.isprintable() else text.translate(_ESCAPES)


class _Encoders(dict[type, Callable[[Any], str]]):
    def __missing__(self, kind: type) -> Callable[[Any], str]:
        if not issubclass(kind, StrEnum):
            raise TypeError(f"no column takes {kind.__name__}")
        return _escaped


_ENCODERS: Final = _Encoders(
    {
        type(None): lambda _: "\\N",
        bool: str,
        int: str,
        str: _escaped,
        bytes: lambda value: "\\\\x" + value.hex(),
        datetime: datetime.isoformat,
    }
)
