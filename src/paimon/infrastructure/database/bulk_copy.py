"""Bulk insert by COPY, the fastest way to add many new rows. A row that exists already fails the whole COPY.

Rows are sent as text, many at a time, and the value's type alone decides the encoding. The driver's own `write_row` takes one
call per row and waits for PostgreSQL between two of them.
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
    """Return the session's driver connection, for COPY and for reading many rows fast."""
    connection = await (await session.connection()).get_raw_connection()
    driver = connection.driver_connection
    assert isinstance(driver, AsyncConnection)  # noqa: S101 — the engine is psycopg's, see sessions.create_engine
    return driver


async def copy_rows(session: AsyncSession, model: type[Base], columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Insert the rows, each with a value for every named column."""
    async with copying_rows(session, model, columns, rows):
        pass


@asynccontextmanager
async def copying_rows(
    session: AsyncSession, model: type[Base], columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> AsyncIterator[None]:
    """Send the rows, run the block while PostgreSQL stores them, and wait for PostgreSQL at the end of the block.

    The block must not use the session. The session's schema translation applies, so that a replay fills its shadow tables.
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
        for first in range(0, len(rows), _CHUNK_ROWS):  # PostgreSQL stores one chunk while the next is encoded
            await copy.write(copy_text(rows[first : first + _CHUNK_ROWS]))
        yield


def copy_text(rows: Sequence[Sequence[object]]) -> str:
    """Encode the rows in COPY's text format.

    Raises:
        TypeError: a value has a type that no column has.
    """
    return "".join(["\t".join([_ENCODERS[type(value)](value) for value in row]) + "\n" for row in rows])


_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _escaped(text: str) -> str:
    # Printable text has no character to escape but the backslash, and `translate` takes a hundred times as long.
    return text.replace("\\", "\\\\") if text.isprintable() else text.translate(_ESCAPES)


class _Encoders(dict[type, Callable[[Any], str]]):
    def __missing__(self, kind: type) -> Callable[[Any], str]:
        if not issubclass(kind, StrEnum):
            raise TypeError(f"no column holds {kind.__name__}")
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
