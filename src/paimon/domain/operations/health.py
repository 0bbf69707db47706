"""How a running house is judged: each part by its own figures, the whole by what it can still do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final


class Condition(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Part:
    """One part's condition, in a sentence and in figures."""

    name: str
    condition: Condition
    summary: str
    details: Mapping[str, Any] = field(default_factory=dict)


_INDISPENSABLE: Final = frozenset({"database"})
"""Without these nothing can be read or decided; without any other part something still can."""


def by_limits(value: float, *, warning: float, critical: float) -> Condition:
    """Ok up to and including `warning`, degraded up to and including `critical`, down above."""
    if value > critical:
        return Condition.DOWN
    return Condition.DEGRADED if value > warning else Condition.OK


def worst(*conditions: Condition) -> Condition:
    """The worst of these; ok of none."""
    ranks = tuple(Condition)
    return max(conditions, key=ranks.index, default=Condition.OK)


def overall(parts: Iterable[Part]) -> Condition:
    """Down when an indispensable part is; degraded when any part is not ok."""
    found = {part.name: part.condition for part in parts}
    if any(found.get(name) is Condition.DOWN for name in _INDISPENSABLE):
        return Condition.DOWN
    return Condition.OK if all(each is Condition.OK for each in found.values()) else Condition.DEGRADED
