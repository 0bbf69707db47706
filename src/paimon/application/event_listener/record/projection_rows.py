"""Which table keeps which part of a projection, and how a value becomes a row and back: by the names of its fields.

A new state or fact needs a line here, and a table whose columns are named as its fields are.
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


def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(kind.__dataclass_fields__)


def from_row(kind: type[Value], row: Base) -> Value:
    """The dataclass of a row whose columns are named as its fields are."""
    return kind(**{name: getattr(row, name) for name in _names(kind)})


def to_row(value: Any) -> dict[str, object]:
    return {name: getattr(value, name) for name in _names(type(value))}


@dataclass(frozen=True, slots=True)
class StateTable:
    """A table of states, one row a key; `part` is where the projection has them."""

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
    """A table of facts, one row each for good."""

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
    """The fact's place spread over its columns, then its own fields."""
    return [*_names(type(fact.log_position)), *(name for name in _names(type(fact)) if name != "log_position")]


def fact_values(fact: Any) -> list[object]:
    place = [getattr(fact.log_position, name) for name in _names(type(fact.log_position))]
    return [*place, *(getattr(fact, name) for name in _names(type(fact)) if name != "log_position")]
