"""Tests of the kinds of database errors: away, busy, or a defect of ours."""

import string
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from paimon.gateway.rest.errors import rule_for
from paimon.infrastructure.database.availability import DatabaseFault, database_fault, is_away, sqlstate_fault

pytestmark = pytest.mark.unit

AWAY = ["25006", "57P01", "57P02", "57P03", "57P05", "08000", "08003", "08006", "08P01", "53100", "53200", "53300", "58030"]
BUSY = ["40001", "40P01", "55P03", "57014"]
DEFECTS = ["22003", "23505", "23514", "25001", "25P02", "42601", "42703", "42P01", "42501", "54000", "54001", "0A000", "XX000"]

_CHARACTERS = string.digits + string.ascii_uppercase
_suffixes = st.text(_CHARACTERS, min_size=3, max_size=3)


def sqlalchemy_error(sqlstate: str) -> DBAPIError:
    """Make the error that SQLAlchemy raises for the server's SQLSTATE."""
    kind: Any
    try:
        kind = psycopg.errors.lookup(sqlstate)
    except KeyError:
        kind = psycopg.errors.OperationalError
    cause = kind("the server's text")
    cause.sqlstate = sqlstate
    error = DBAPIError.instance("SELECT 1", {}, cause, psycopg.Error)
    assert isinstance(error, DBAPIError)
    return error


@pytest.mark.parametrize(
    ("sqlstate", "fault"),
    [
        *((sqlstate, DatabaseFault.AWAY) for sqlstate in AWAY),
        *((sqlstate, DatabaseFault.BUSY) for sqlstate in BUSY),
        *((sqlstate, DatabaseFault.DEFECT) for sqlstate in DEFECTS),
    ],
)
def test_sqlstate_has_its_kind(sqlstate: str, fault: DatabaseFault) -> None:
    assert sqlstate_fault(sqlstate) is fault


@given(st.sampled_from(["08", "28", "53", "58"]), _suffixes)
def test_unseen_sqlstate_of_a_lost_server_is_away(group: str, suffix: str) -> None:
    assert is_away(sqlalchemy_error(group + suffix).orig, writes=False)


@given(st.sampled_from(["0A", "21", "22", "23", "24", "26", "2F", "34", "3D", "42", "44", "54", "F0", "P0", "XX"]), _suffixes)
def test_unseen_sqlstate_of_a_wrong_statement_is_a_defect(group: str, suffix: str) -> None:
    error = sqlalchemy_error(group + suffix)
    assert database_fault(error.orig) is DatabaseFault.DEFECT
    assert rule_for(error) is None, "a defect is a 500 in every class of errors"


@given(st.text(_CHARACTERS, min_size=5, max_size=5).filter(lambda sqlstate: sqlstate != "25006"))  # the next test's
def test_every_sqlstate_is_503_exactly_when_it_may_pass(sqlstate: str) -> None:
    error = sqlalchemy_error(sqlstate)
    rule = rule_for(error)
    assert (rule is not None and rule.status == 503) == (sqlstate_fault(sqlstate) is not DatabaseFault.DEFECT)


def test_refused_write_of_a_reader_is_a_defect() -> None:
    error = psycopg.errors.ReadOnlySqlTransaction()
    assert is_away(error, writes=True)
    assert not is_away(error, writes=False)
    assert rule_for(sqlalchemy_error("25006")) is None, "a write session would have raised DatabaseUnavailable"


def test_error_without_sqlstate_is_away_when_the_connection_broke() -> None:
    assert database_fault(psycopg.OperationalError("the connection is lost")) is DatabaseFault.AWAY
    assert database_fault(psycopg.ProgrammingError("the query has 2 placeholders")) is DatabaseFault.DEFECT
