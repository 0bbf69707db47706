"""Row queries: one row by one SELECT, for queries of every request, without session, transaction or mapped object.

A session takes six times as long as the driver alone, a row query twice. It is compiled once, when its module is loaded, and
converts its row to a domain value. It uses the engine's own pool, which replaces broken connections and bounds their number,
and raises the errors that a session raises.

The statement runs in autocommit mode in one round trip. It is not prepared on the server, so a transaction-pooling PgBouncer
may be in between.
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

from paimon.infrastructure.database.availability import is_away, unavailable

Result = TypeVar("Result", covariant=True)

_DIALECT: Final = make_url("postgresql+psycopg_async://").get_dialect()()
_Decoder = Callable[[Any], Any] | None


class InvalidRowQuery(TypeError):
    """A row query must be one plain SELECT with single values as named parameters."""


class RowQuery(Generic[Result]):
    """A compiled SELECT with named `bindparam`s. `convert` makes the result from the row, whose columns are attributes.

    Raises:
        InvalidRowQuery: the query is no SELECT, locks rows, or takes a list of values.
    """

    def __init__(self, query: Select[*tuple[Any, ...]], convert: Callable[[Any], Result]) -> None:
        if not isinstance(query, Select) or query._for_update_arg is not None:
            raise InvalidRowQuery(f"{InvalidRowQuery.__doc__} Use Database.read() or .write()")
        compiled = query.compile(dialect=_DIALECT)
        self.statement = str(compiled)
        if "POSTCOMPILE" in self.statement:
            raise InvalidRowQuery(f"{InvalidRowQuery.__doc__} For a list, use `in_values` in a session")
        self._types = [column.type.dialect_impl(_DIALECT) for column in query.selected_columns]
        self._row = namedtuple("_row", query.selected_columns.keys())  # type: ignore[misc]
        self._convert = convert
        self._literals = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        self._required = compiled.binds.keys() - self._literals.keys()
        encoders = {name: bind.type.dialect_impl(_DIALECT).bind_processor(_DIALECT) for name, bind in compiled.binds.items()}
        self._encoders = {name: encode for name, encode in encoders.items() if encode is not None}
        self._decoders: Sequence[_Decoder] | None = None

    def parameters(self, values: Mapping[str, object]) -> dict[str, Any]:
        """Encode the parameters for the driver.

        Raises:
            InvalidRowQuery: the names are not those of the statement's parameters.
        """
        if values.keys() != self._required:
            raise InvalidRowQuery(f"the row query takes {sorted(self._required)}, not {sorted(values)}")
        parameters: dict[str, Any] = {**self._literals, **values}
        for name, encode in self._encoders.items():
            parameters[name] = encode(parameters[name])
        return parameters

    def to_result(self, cursor: psycopg.AsyncCursor[TupleRow], row: TupleRow) -> Result:
        """Convert the driver's row to the result."""
        if self._decoders is None:  # decoding may depend on the server's type codes, which the first row shows
            assert cursor.description is not None  # noqa: S101 — there is a row
            described = zip(self._types, cursor.description, strict=True)
            self._decoders = [kind.result_processor(_DIALECT, column.type_code) for kind, column in described]
        values = [value if decode is None else decode(value) for decode, value in zip(self._decoders, row, strict=True)]
        return self._convert(self._row(*values))


async def find(engine: AsyncEngine, query: RowQuery[Result], values: Mapping[str, object]) -> Result | None:
    """Run the query, and return its result, or None if there is no row.

    Raises:
        SQLAlchemyError: the errors that a session raises.
    """
    parameters = query.parameters(values)
    try:
        async with _autocommit_connection(engine) as connection:
            cursor = await connection.execute(query.statement, parameters)
            row = await cursor.fetchone()
    except psycopg.Error as error:
        wrapped = DBAPIError.instance(query.statement, parameters, error, psycopg.Error, dialect=_DIALECT)
        assert isinstance(wrapped, DBAPIError)  # noqa: S101 — it wraps an error of the driver
        raise (unavailable(wrapped) if is_away(error, writes=False) else wrapped) from error
    return None if row is None else query.to_result(cursor, row)


@asynccontextmanager
async def _autocommit_connection(engine: AsyncEngine) -> AsyncIterator[psycopg.AsyncConnection[TupleRow]]:
    """Borrow a connection of the pool in autocommit mode.

    After an error the connection is closed, not returned: its next user must not get a result of this query, or a session
    without BEGIN.
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
