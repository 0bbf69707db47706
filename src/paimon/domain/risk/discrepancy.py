"""Discrepancies between recorded and expected values.

`Discrepancy` compares a figure derived from events with the same figure read from the chain at the same block.
`RowDifference` compares a derived row with the row that the recorded logs add up to.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from paimon.domain.kernel.chain import checksum, hex0x


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One figure whose recorded value and chain value differ, both as text."""

    subject: str
    recorded_value: str
    chain_value: str

    def __str__(self) -> str:
        return f"{self.subject}: recorded {self.recorded_value}, on chain {self.chain_value}"


def find_discrepancies(recorded: Mapping[str, Hashable], on_chain: Mapping[str, Hashable]) -> list[Discrepancy]:
    """Return every subject on which the two sides differ, in subject order. A subject that only one side has differs too."""

    def format_side(side: Mapping[str, Any], subject: str) -> str:
        return str(side[subject]) if subject in side else "(absent)"

    return [
        Discrepancy(subject, format_side(recorded, subject), format_side(on_chain, subject))
        for subject in sorted(recorded.keys() | on_chain.keys())
        if subject not in recorded or subject not in on_chain or recorded[subject] != on_chain[subject]
    ]


def enum_name_or_number(names: Sequence[Enum], number: int) -> str:
    """Name a number read on chain. An unknown number is shown as it is: it must count as a difference."""
    return names[number].name if number in range(len(names)) else f"{number} (unknown)"


@dataclass(frozen=True, slots=True)
class RowDifference:
    """One column of one derived row whose live value differs from the value rebuilt from the recorded logs, both as text.

    A row that only one side has is one difference, shown with its columns.
    """

    table: str
    key: str
    column: str
    live: str
    rebuilt: str

    def __str__(self) -> str:
        return f"{self.table} {self.key}, {self.column}: live {self.live}, rebuilt {self.rebuilt}"


DerivedRow = Mapping[str, Any]


def compare_rows(table: str, keys: Sequence[str], live: DerivedRow | None, rebuilt: DerivedRow | None) -> list[RowDifference]:
    """Return the differences between a live row and its rebuilt row; None means that this side has no such row."""
    row = live or rebuilt or {}
    key = " ".join(f"{name}={_format_value(row[name])}" for name in keys)
    if live is None or rebuilt is None:
        return [RowDifference(table, key, "row", _describe_row(live, keys), _describe_row(rebuilt, keys))]
    return [
        RowDifference(table, key, column, _format_value(live[column]), _format_value(rebuilt[column]))
        for column in live
        if live[column] != rebuilt[column]
    ]


def _describe_row(row: DerivedRow | None, keys: Sequence[str]) -> str:
    if row is None:
        return "(absent)"
    return "(" + ", ".join(f"{name}={_format_value(value)}" for name, value in row.items() if name not in keys) + ")"


def _format_value(value: object) -> str:
    match value:
        case None:
            return "null"
        case bytes():
            return checksum(value) if len(value) == 20 else hex0x(value)
        case datetime():
            return value.isoformat()
        case _:
            return str(value)
