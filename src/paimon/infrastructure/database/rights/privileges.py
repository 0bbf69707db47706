"""Privileges of one role on one table, as the rights table writes them: `SELECT, UPDATE (status, closed_at)`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

TABLE_PRIVILEGES: Final[tuple[str, ...]] = ("SELECT", "INSERT", "UPDATE", "DELETE")
"""What the rights table may grant. TRUNCATE, REFERENCES, TRIGGER and MAINTAIN are the owner's alone."""

_PART: Final = re.compile(r"([A-Z]+)(?: \(([a-z_0-9, ]+)\))?(?:, |$)")


@dataclass(frozen=True, slots=True)
class Privileges:
    """Privileges on the whole table, and those on some columns only."""

    on_table: frozenset[str] = frozenset()
    on_columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "Privileges":
        """Parse a cell of the rights table.

        Raises:
            ValueError: it names another privilege than the four, or one of them twice.
        """
        on_table: set[str] = set()
        on_columns: dict[str, tuple[str, ...]] = {}
        position = 0
        while position < len(text):
            found = _PART.match(text, position)
            if found is None or found[1] not in TABLE_PRIVILEGES or found[1] in (*on_table, *on_columns):
                raise ValueError(f"not a list of privileges: {text!r}")
            if found[2] is None:
                on_table.add(found[1])
            else:
                on_columns[found[1]] = tuple(found[2].split(", "))
            position = found.end()
        return cls(frozenset(on_table), on_columns)

    def __str__(self) -> str:
        cells = []
        for privilege in TABLE_PRIVILEGES:
            if privilege in self.on_table:
                cells.append(privilege)
            elif privilege in self.on_columns:
                cells.append(f"{privilege} ({', '.join(self.on_columns[privilege])})")
        return ", ".join(cells)
