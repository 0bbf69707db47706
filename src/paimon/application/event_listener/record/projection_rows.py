"""Which table stores which part of a projection, and how a value becomes a row and back: by the names of its fields.

A new state or fact needs one line here, and a table whose columns have the names of its fields.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from paimon.domain.projection import Facts, Projection
from paimon.infrastructure.database.models.base import Base
from paimon.infrastructure.database.models.derived import (
    AssetConfigRow,
    DepositRow,
    FeeAccountRow,
    FeeEntryRow,
    LiquidityAlertRow,
    OtcOrderRow,
    RoleChangeRow,
    TierConfigRow,
    TokenFlowRow,
    TokenTransferRow,
    TradeRow,
)

Value = TypeVar("Value")


def _field_names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(kind.__dataclass_fields__)


def from_row(kind: type[Value], row: Base) -> Value:
    """Build a dataclass from a row whose columns have the names of its fields."""
    return kind(**{name: getattr(row, name) for name in _field_names(kind)})


def to_row(value: Any) -> dict[str, object]:
    return {name: getattr(value, name) for name in _field_names(type(value))}


@dataclass(frozen=True, slots=True)
class StateTable:
    """A table with one row per key, and how to find its values in a projection."""

    model: type[Base]
    values_of: Callable[[Projection], Mapping[Any, Any]]


STATE_TABLES: Final = (
    StateTable(AssetConfigRow, lambda projection: projection.assets),
    StateTable(TierConfigRow, lambda projection: projection.tier_bands),
    StateTable(OtcOrderRow, lambda projection: projection.orders),
    StateTable(FeeAccountRow, lambda projection: projection.fees),
    StateTable(TokenFlowRow, lambda projection: projection.token_flows),
)


@dataclass(frozen=True, slots=True)
class FactTable:
    """A table whose rows are never changed, and how to find its values among a batch's facts."""

    model: type[Base]
    values_of: Callable[[Facts], Iterable[Any]]


FACT_TABLES: Final = (
    FactTable(DepositRow, lambda facts: facts.deposits),
    FactTable(TradeRow, lambda facts: facts.trades),
    FactTable(TokenTransferRow, lambda facts: facts.transfers),
    FactTable(FeeEntryRow, lambda facts: facts.fee_entries),
    FactTable(RoleChangeRow, lambda facts: facts.role_changes),
    FactTable(LiquidityAlertRow, lambda facts: facts.alerts),
)


def fact_columns(fact: Any) -> list[str]:
    """Return the columns of the fact's log position, then those of its other fields."""
    return [*_field_names(type(fact.log_position)), *(name for name in _field_names(type(fact)) if name != "log_position")]


def fact_values(fact: Any) -> list[object]:
    position = [getattr(fact.log_position, name) for name in _field_names(type(fact.log_position))]
    return [*position, *(getattr(fact, name) for name in _field_names(type(fact)) if name != "log_position")]
