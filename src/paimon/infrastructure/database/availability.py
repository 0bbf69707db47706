"""Availability of the database: which errors say that it is away, and which are defects.

SQLSTATEs come in classes of two characters. An error belongs to one of three kinds:

AWAY    the server is gone, starts, stops, is full or takes no writes. The connection is replaced: the next may reach another
        server, or the same one with other settings.
BUSY    the server works, and this transaction may succeed when it is tried again. The connection is kept.
DEFECT  the statement can never succeed: a defect of ours.
"""

from enum import StrEnum
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError, OperationalError

READ_ONLY: Final = "25006"
"""A write in a read-only transaction: AWAY if we began it to write, a defect of ours in a read session."""

_AWAY_CLASSES: Final = frozenset({
    "08",  # connection exception; PgBouncer's own errors too
    "28",  # our role may not sign in (any more)
    "53",  # insufficient resources: disk full, out of memory, too many connections
    "58",  # system error, outside of PostgreSQL
})  # fmt: skip
_AWAY_STATES: Final = frozenset({
    READ_ONLY,
    "25P03", "25P04",  # the server ended an idle or a long transaction, with its connection
    "57000", "57P01", "57P02", "57P03", "57P04", "57P05",  # shutdown, crash, start, end of the session
})  # fmt: skip
_BUSY_CLASSES: Final = frozenset({"40"})  # rolled back: serialization failure, deadlock
_BUSY_STATES: Final = frozenset({"55006", "55P03", "57014"})  # in use, locked, ended for its time


class DatabaseFault(StrEnum):
    """Kind of a database error; see the module."""

    AWAY = "AWAY"
    BUSY = "BUSY"
    DEFECT = "DEFECT"


class DatabaseUnavailable(OperationalError):
    """The database is away: it does not answer, or it takes no writes."""


def sqlstate_fault(sqlstate: str) -> DatabaseFault:
    """Classify an SQLSTATE. One that no table knows is a defect: nothing says that it would pass by itself."""
    if sqlstate in _BUSY_STATES or sqlstate[:2] in _BUSY_CLASSES:
        return DatabaseFault.BUSY
    if sqlstate in _AWAY_STATES or sqlstate[:2] in _AWAY_CLASSES:
        return DatabaseFault.AWAY
    return DatabaseFault.DEFECT


def database_fault(error: BaseException | None) -> DatabaseFault:
    """Classify an error of the driver. Without an SQLSTATE it is the driver's own, as a rule a connection that broke."""
    if not isinstance(error, psycopg.Error):
        return DatabaseFault.DEFECT
    if error.sqlstate is not None:
        return sqlstate_fault(error.sqlstate)
    is_connection_error = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return DatabaseFault.AWAY if is_connection_error else DatabaseFault.DEFECT


def is_away(error: BaseException | None, *, writes: bool) -> bool:
    """Return whether the driver's error says that the database is away, for a session that may write or may not."""
    if isinstance(error, psycopg.Error) and error.sqlstate == READ_ONLY and not writes:
        return False
    return database_fault(error) is DatabaseFault.AWAY


def unavailable(error: DBAPIError) -> DatabaseUnavailable:
    """Make a DatabaseUnavailable of SQLAlchemy's error."""
    cause = error.orig
    assert cause is not None  # noqa: S101 — it wraps an error of the driver
    return DatabaseUnavailable(
        error.statement, error.params, cause, hide_parameters=error.hide_parameters, connection_invalidated=True
    )


def describe_failure(error: BaseException) -> str:
    """Name a database error for a report that is open to anyone: the driver's kind of error, without addresses or values."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    return type(cause or error).__name__
