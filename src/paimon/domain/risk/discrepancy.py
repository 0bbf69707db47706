"""The books against the chain: every figure we derived from events beside the same figure read at the same block.

And the books against themselves: every derived row beside the row that the recorded logs add up to.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from paimon.domain.kernel.chain import checksum, hex0x


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One figure on which the books and the chain disagree, with both values as text."""

    subject: str
    recorded_value: str
    chain_value: str

    def __str__(self) -> str:
        return f"{self.subject}: books {self.recorded_value}, chain {self.chain_value}"


def find_discrepancies(recorded: Mapping[str, Hashable], on_chain: Mapping[str, Hashable]) -> list[Discrepancy]:
    """All subjects on which the two disagree, in subject order; a subject only one side knows is a difference too."""

    def format_side(side: Mapping[str, Any], subject: str) -> str:
        return str(side[subject]) if subject in side else "(absent)"

    return [
        Discrepancy(subject, format_side(recorded, subject), format_side(on_chain, subject))
        for subject in sorted(recorded.keys() | on_chain.keys())
        if subject not in recorded or subject not in on_chain or recorded[subject] != on_chain[subject]
    ]


def enum_name_or_number(names: Sequence[Enum], number: int) -> str:
    """What a number on chain stands for. One that our interface does not know is shown as it is: it must differ from
    whatever the books have, not end the comparison."""
    return names[number].name if number in range(len(names)) else f"{number} (unknown here)"


@dataclass(frozen=True, slots=True)
class RowDifference:
    """One column of one derived row whose live value is not what the recorded logs add up to; values as text.

    A row that only one side has is one difference, with the columns it has there.
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
    """What differs between a live row and its rebuilt one; None where that side has no such row."""
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
