"""How a running house is judged: each part by its own figures, the whole by what it can still do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final


class HealthStatus(StrEnum):
    OK = "OK"
    DEGRADED = "DEGRADED"
    DOWN = "DOWN"


@dataclass(frozen=True, slots=True)
class ComponentHealth:
    """One part's condition, in a sentence and in figures."""

    name: str
    status: HealthStatus
    summary: str
    details: Mapping[str, Any] = field(default_factory=dict)


_REQUIRED_COMPONENTS: Final = frozenset({"database"})
"""Without these nothing can be read or decided; without any other part something still can."""


def status_by_limits(value: float, *, warning: float, critical: float) -> HealthStatus:
    """Ok up to and including `warning`, degraded up to and including `critical`, down above."""
    if value > critical:
        return HealthStatus.DOWN
    return HealthStatus.DEGRADED if value > warning else HealthStatus.OK


def worst_status(*statuses: HealthStatus) -> HealthStatus:
    """The worst of these; ok of none."""
    ranks = tuple(HealthStatus)
    return max(statuses, key=ranks.index, default=HealthStatus.OK)


def overall_status(components: Iterable[ComponentHealth]) -> HealthStatus:
    """Down when an indispensable part is; degraded when any part is not ok."""
    found = {part.name: part.status for part in components}
    if any(found.get(name) is HealthStatus.DOWN for name in _REQUIRED_COMPONENTS):
        return HealthStatus.DOWN
    return HealthStatus.OK if all(each is HealthStatus.OK for each in found.values()) else HealthStatus.DEGRADED
