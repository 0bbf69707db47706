"""Events of supervised children, and the policy by which they are restarted."""

from dataclasses import dataclass
from enum import StrEnum


class ChildEventKind(StrEnum):
    """What happened to a child."""

    STARTED = "started"
    READY = "ready"
    CRASHED = "crashed"
    FINISHED = "finished"
    STOPPING = "stopping"
    STOPPED = "stopped"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class ChildEvent:
    """One event of one child; `detail` is for the operator."""

    name: str
    kind: ChildEventKind
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.kind}{f' ({self.detail})' if self.detail else ''}"


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """When a crashed child is restarted.

    The n-th restart within the window waits `first_delay_seconds` × 2ⁿ⁻¹, at most `delay_seconds_max`. After more than
    `crashes_max` crashes within `window_seconds` everything is stopped.
    """

    first_delay_seconds: float = 0.2
    delay_seconds_max: float = 5.0
    crashes_max: int = 5
    window_seconds: float = 60.0

    def delay_seconds(self, crashes: int) -> float:
        """Return how long to wait after the n-th crash within the window, n ≥ 1."""
        return float(min(self.first_delay_seconds * 2 ** (crashes - 1), self.delay_seconds_max))
