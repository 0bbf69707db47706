"""Tests that a table has a column for every field of the values that are copied into it by name."""

from dataclasses import fields
from typing import Any, get_args, get_type_hints

import pytest

from paimon.application.event_listener.record.projection_rows import FACT_TABLES, STATE_TABLES, FactTable, StateTable
from paimon.domain.kernel.chain import LogPosition
from paimon.domain.projection import Facts, Projection
from paimon.domain.vault.share_balance import ShareBalance
from paimon.infrastructure.database.models.base import Base
from paimon.infrastructure.database.models.derived import ShareBalanceRow

pytestmark = pytest.mark.unit


class AttributeNames:
    """Returns the name of any attribute, so that a getter shows which one it reads."""

    def __getattr__(self, name: str) -> str:
        return name


def stored_type(table: StateTable | FactTable, owner: type[Any]) -> type[Any]:
    """Return the dataclass whose values the table stores."""
    attribute = table.values_of(AttributeNames())  # type: ignore[arg-type]
    hint: type[Any] = get_args(get_type_hints(owner)[str(attribute)])[-1]
    return hint


def columns_of(model: type[Base]) -> set[str]:
    return set(model.__table__.columns.keys())


@pytest.mark.parametrize("table", STATE_TABLES, ids=lambda table: table.model.__tablename__)
def test_state_table_has_a_column_for_every_field(table: StateTable) -> None:
    assert {field.name for field in fields(stored_type(table, Projection))} <= columns_of(table.model)


@pytest.mark.parametrize("table", FACT_TABLES, ids=lambda table: table.model.__tablename__)
def test_fact_table_has_a_column_for_every_field(table: FactTable) -> None:
    names = {field.name for field in fields(stored_type(table, Facts))} - {"log_position"}
    assert names | {field.name for field in fields(LogPosition)} == columns_of(table.model)


def test_share_balance_table_has_a_column_for_every_field() -> None:
    assert {field.name for field in fields(ShareBalance)} == columns_of(ShareBalanceRow)
