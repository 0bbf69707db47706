"""Many new rows into one table by COPY, the fastest way in; a row that is there already makes the whole fail."""

from collections.abc import Sequence

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.infrastructure.database.models.base import Base, table_of
from paimon.infrastructure.database.types import EnumText


async def driver_connection(session: AsyncSession) -> AsyncConnection[TupleRow]:
    """The session's connection as the driver knows it, for COPY and for reading many rows fast."""
    connection = await (await session.connection()).get_raw_connection()
    driver = connection.driver_connection
    assert isinstance(driver, AsyncConnection)  # noqa: S101 — the engine is psycopg's, see sessions.create_engine
    return driver


async def copy_rows(session: AsyncSession, model: type[Base], columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Add the rows, each with a value for every named column.

    The table is written where the session's own statements would write it, so that a replay's shadow gets its rows.
    """
    if not rows:
        return
    target = table_of(model)
    options = await (await session.connection()).run_sync(lambda connection: connection.get_execution_options())
    schema = options.get("schema_translate_map", {}).get(target.schema, target.schema)
    table = sql.Identifier(schema, target.name)
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(table, names)
    enums = [place for place, name in enumerate(columns) if isinstance(target.c[name].type, EnumText)]
    connection = await driver_connection(session)
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            await copy.write_row(_with_texts(row, enums) if enums else row)


def _with_texts(row: Sequence[object], enums: Sequence[int]) -> list[object]:
    """The row with its enums as the texts they are; the driver would take their names."""
    values = list(row)
    for place in enums:
        value = values[place]
        values[place] = None if value is None else str(value)
    return values
