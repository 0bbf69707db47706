"""One row by one SELECT, for the questions asked at every request: without a session, a transaction or a mapped object.

A session costs six times what the driver does, whatever it is asked; this twice. A look-up is compiled once, when its module is
loaded, and its answer is one row, made a domain value at once. It takes its connection from the engine's own pool, which
replaces what was cut and bounds how many there are, and fails with the errors a session has.

The statement goes out by itself (autocommit, one round trip) and is not prepared on the server, so that a
transaction-pooling PgBouncer may stand in between.
"""

from collections import namedtuple
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, TypeVar

import psycopg
from psycopg.rows import TupleRow
from sqlalchemy import Select, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

Result = TypeVar("Result", covariant=True)

_DIALECT: Final = make_url("postgresql+psycopg_async://").get_dialect()()
_Decoder = Callable[[Any], Any] | None


class InvalidRowQuery(TypeError):
    """The statement is more than one plain SELECT of values given by name."""


class RowQuery(Generic[Result]):
    """`query`, whose `bindparam`s are given by name each time; `convert` makes of a row, with its columns as attributes,
    what was looked for.

    Raises:
        InvalidRowQuery: for anything that is no SELECT, locks rows, or takes a list of values.
    """

    def __init__(self, query: Select[*tuple[Any, ...]], convert: Callable[[Any], Result]) -> None:
        if not isinstance(query, Select) or query._for_update_arg is not None:
            raise InvalidRowQuery(f"{InvalidRowQuery.__doc__} Take Database.read() or .write()")
        compiled = query.compile(dialect=_DIALECT)
        self.statement = str(compiled)
        if "POSTCOMPILE" in self.statement:
            raise InvalidRowQuery(f"{InvalidRowQuery.__doc__} For a list take `in_values`, in a session")
        self._types = [column.type.dialect_impl(_DIALECT) for column in query.selected_columns]
        self._row = namedtuple("_row", query.selected_columns.keys())  # type: ignore[misc]
        self._convert = convert
        self._literals = {name: each.value for name, each in compiled.binds.items() if not each.required}
        self._required = compiled.binds.keys() - self._literals.keys()
        senders = {name: each.type.dialect_impl(_DIALECT).bind_processor(_DIALECT) for name, each in compiled.binds.items()}
        self._encoders = {name: sender for name, sender in senders.items() if sender is not None}
        self._decoders: Sequence[_Decoder] | None = None

    def parameters(self, values: Mapping[str, object]) -> dict[str, Any]:
        """The statement's parameters as the driver takes them.

        Raises:
            InvalidRowQuery: others are given than the statement has.
        """
        if values.keys() != self._required:
            raise InvalidRowQuery(f"the look-up takes {sorted(self._required)}, not {sorted(values)}")
        parameters: dict[str, Any] = {**self._literals, **values}
        for name, sender in self._encoders.items():
            parameters[name] = sender(parameters[name])
        return parameters

    def to_result(self, cursor: psycopg.AsyncCursor[TupleRow], row: TupleRow) -> Result:
        """The driver's row as what was looked for."""
        if self._decoders is None:  # how a value is read may depend on what the server says it is: known with the first
            assert cursor.description is not None  # noqa: S101 — there is a row
            described = zip(self._types, cursor.description, strict=True)
            self._decoders = [kind.result_processor(_DIALECT, column.type_code) for kind, column in described]
        values = [value if read is None else read(value) for read, value in zip(self._decoders, row, strict=True)]
        return self._convert(self._row(*values))


async def find(engine: AsyncEngine, query: RowQuery[Result], values: Mapping[str, object]) -> Result | None:
    """What is there, or None.

    Raises:
        SQLAlchemyError: as a session does.
    """
    parameters = query.parameters(values)
    try:
        async with _autocommit_connection(engine) as connection:
            cursor = await connection.execute(query.statement, parameters)
            row = await cursor.fetchone()
    except psycopg.Error as error:
        raise DBAPIError.instance(query.statement, parameters, error, psycopg.Error, dialect=_DIALECT) from error
    return None if row is None else query.to_result(cursor, row)


@asynccontextmanager
async def _autocommit_connection(engine: AsyncEngine) -> AsyncIterator[psycopg.AsyncConnection[TupleRow]]:
    """A connection of the pool that begins no transaction by itself. One on which something failed is not given back:
    the next may not meet an answer that was for us, or a session without its BEGIN.
    """
    pooled = await engine.raw_connection()
    connection = pooled.driver_connection
    assert isinstance(connection, psycopg.AsyncConnection)  # noqa: S101 — the engine is psycopg's, see create_engine
    try:
        await connection.set_autocommit(True)
        yield connection
        await connection.set_autocommit(False)
    except BaseException:
        await greenlet_spawn(pooled.invalidate)
        raise
    await greenlet_spawn(pooled.close)
