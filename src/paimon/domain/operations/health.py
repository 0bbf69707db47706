"""Health of the system: each component by its own figures, the whole by what it can still do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final


class HealthStatus(StrEnum):
    """Health of a component or of the whole system, best first."""

    OK = "OK"
    DEGRADED = "DEGRADED"
    DOWN = "DOWN"


@dataclass(frozen=True, slots=True)
class ComponentHealth:
    """Health of one component, with a sentence and figures."""

    name: str
    status: HealthStatus
    summary: str
    details: Mapping[str, Any] = field(default_factory=dict)


_REQUIRED_COMPONENTS: Final = frozenset({"database"})
"""Without these, nothing can be read or decided. Without any other component, something still works."""


def status_by_limits(value: float, *, warning: float, critical: float) -> HealthStatus:
    """Judge a value: OK up to `warning`, DEGRADED up to `critical` (both included), DOWN above."""
    if value > critical:
        return HealthStatus.DOWN
    return HealthStatus.DEGRADED if value > warning else HealthStatus.OK


def worst_status(*statuses: HealthStatus) -> HealthStatus:
    """Return the worst of the statuses; OK for none."""
    ranks = tuple(HealthStatus)
    return max(statuses, key=ranks.index, default=HealthStatus.OK)


def overall_status(components: Iterable[ComponentHealth]) -> HealthStatus:
    """Judge the whole system: DOWN when a required component is down, DEGRADED when any component is not OK."""
    statuses = {component.name: component.status for component in components}
    if any(statuses.get(name) is HealthStatus.DOWN for name in _REQUIRED_COMPONENTS):
        return HealthStatus.DOWN
    return HealthStatus.OK if all(status is HealthStatus.OK for status in statuses.values()) else HealthStatus.DEGRADED
