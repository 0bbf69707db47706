"""Upsert of many rows in one statement.

The rows are sent as one array per column. One statement per row would take ten times as long.
"""

from collections.abc import Mapping, Sequence
from functools import cache

from sqlalchemy import Insert, Table, column, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.infrastructure.database.arrays import array_literal, array_parameter
from paimon.infrastructure.database.models.base import Base, table_of

Rows = Sequence[Mapping[str, object]]


async def upsert(session: AsyncSession, model: type[Base], rows: Rows) -> None:
    """Insert the rows, and update those whose key exists. All rows have the same columns, and no two have the same key."""
    if rows:
        names = tuple(rows[0])
        await session.execute(
            _statement(table_of(model), names), {name: array_literal([row[name] for row in rows]) for name in names}
        )


@cache
def _statement(table: Table, names: tuple[str, ...]) -> Insert:
    arrays = [array_parameter(name, table.c[name].type) for name in names]
    columns = [column(name, table.c[name].type) for name in names]
    given = func.unnest(*arrays).table_valued(*columns, name="given").render_derived()
    statement = insert(table).from_select(list(names), select(*(given.c[name] for name in names)))
    keys = [key.name for key in table.primary_key]
    values = {name: statement.excluded[name] for name in names if name not in keys}
    if not values:
        return statement.on_conflict_do_nothing(index_elements=keys)
    return statement.on_conflict_do_update(index_elements=keys, set_=values)
