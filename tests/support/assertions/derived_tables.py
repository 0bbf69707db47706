"""The derived tables as comparable values, and the synthetic fund's records in a database of their own."""

from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from tests.support.factories.synthetic_logs import ADDRESSES, TRACKED

from paimon.application.event_listener.fetch.block_range import BlockRange
from paimon.application.event_listener.fetch.decode import DecodedFields, DecodedLog, decode_log
from paimon.application.event_listener.record.record import record
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.models.base import metadata, table_of
from paimon.infrastructure.database.models.derived import PROJECTIONS
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.database.types import EnumText, Uint256Type

PROJECTED: Final = tuple(table_of(model).name for model in PROJECTIONS)
READ_COLUMNS: Final = ("block_number", "log_index", *DecodedFields._fields)

TableRows = dict[str, list[dict[str, Any]]]


def synthetic_contracts() -> FundContracts:
    """Return the contracts of the synthetic logs. Their node is never asked."""
    return FundContracts(Rpc("http://127.0.0.1:1", timeout_seconds=1, attempts_max=1), ADDRESSES)


def libpq(url: str) -> str:
    """Return a SQLAlchemy URL in the form that psycopg accepts."""
    return url.replace("+psycopg", "")


def rows(connection: psycopg.Connection[Any], table: str, *columns: str) -> list[dict[str, Any]]:
    """Return all rows of a table, `schema.table`, in an order that depends only on their values."""
    selected = sql.SQL(", ").join(map(sql.Identifier, columns)) if columns else sql.SQL("*")
    query = sql.SQL("SELECT {} FROM {} AS every").format(selected, sql.Identifier(*table.split(".")))
    with connection.cursor(row_factory=dict_row) as cursor:
        return sorted(cursor.execute(query).fetchall(), key=repr)


def projection_rows(url: str) -> TableRows:
    """Return the rows of every projection, and the decoded columns of the logs."""
    with psycopg.connect(libpq(url)) as connection:
        table_rows = {name: rows(connection, f"derived.{name}") for name in PROJECTED}
        return table_rows | {"raw_logs": rows(connection, "derived.raw_logs", *READ_COLUMNS)}


def with_model_types(name: str, table_rows: TableRows) -> list[dict[str, Any]]:
    """Return a table's rows with the types of its model."""
    types = {column.name: column.type for column in metadata.tables[f"derived.{name}"].columns}

    def read(column: str, value: Any) -> Any:
        match types[column]:
            case EnumText() as text:
                return None if value is None else text.values(value)
            case Uint256Type():
                return None if value is None else int(value)
            case _:
                return value

    return sorted(({column: read(column, value) for column, value in row.items()} for row in table_rows[name]), key=repr)


def outbox_rows(url: str) -> list[dict[str, Any]]:
    with psycopg.connect(libpq(url)) as connection:
        return rows(connection, "ops.outbox")


def execute(url: str, statement: str) -> int:
    """Execute a statement. Return the number of changed rows."""
    with psycopg.connect(libpq(url)) as connection:
        return connection.execute(statement).rowcount


async def record_range(database: Database, contracts: FundContracts, fetched: BlockRange) -> list[DecodedLog]:
    """Record one range under epoch 0. Return its decoded logs."""
    logs = [decode_log(log, TRACKED.names(), contracts.abis) for log in fetched.logs]
    await record(database, fetched, logs, tracked=TRACKED, epoch=0)
    return logs
