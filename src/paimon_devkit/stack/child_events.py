"""What a supervisor tells of its children, and how patient it is with those that die."""

from dataclasses import dataclass
from enum import StrEnum


class ChildEventKind(StrEnum):
    """What happened to a child."""

    STARTED = "started"
    READY = "ready"
    CRASHED = "died"
    FINISHED = "finished"
    STOPPED = "stopped"
    ABANDONED = "gave up"


@dataclass(frozen=True, slots=True)
class ChildEvent:
    """One fact about one child; `detail` is a sentence part for people."""

    name: str
    kind: ChildEventKind
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.kind}{f' ({self.detail})' if self.detail else ''}"


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """The n-th restart within the window waits `first_delay_seconds` × 2ⁿ⁻¹, at most `delay_seconds_max`.

    More than `crashes_max` deaths within `window_seconds` and everything is taken down.
    """

    first_delay_seconds: float = 0.2
    delay_seconds_max: float = 5.0
    crashes_max: int = 5
    window_seconds: float = 60.0

    def delay_seconds(self, crashes: int) -> float:
        """How long to wait after the n-th death within the window, n ≥ 1."""
        return float(min(self.first_delay_seconds * 2 ** (crashes - 1), self.delay_seconds_max))
