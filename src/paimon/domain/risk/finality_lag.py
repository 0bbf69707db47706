"""Finality lag: the distance of the final block from the head, and when it becomes a risk event."""

from dataclasses import dataclass
from typing import Final

from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.risk.risk_event import Finding, RiskKind, Severity


@dataclass(frozen=True, slots=True)
class FinalityLag:
    """The distance of the final block from the head, in blocks and in chain time."""

    blocks: int
    seconds: float

    @classmethod
    def between(cls, final: BlockStamp, head: BlockStamp) -> "FinalityLag":
        return cls(max(head.number - final.number, 0), max((head.timestamp - final.timestamp).total_seconds(), 0))

    def exceeds(self, limit: "FinalityLag", *, factor: int = 1) -> bool:
        return self.blocks > limit.blocks * factor or self.seconds > limit.seconds * factor

    def __str__(self) -> str:
        return f"{self.blocks} blocks, {self.seconds:g} s"


FINALITY_SUBJECT: Final = "finality"
"""Subject of the finding; there is one chain."""

_CRITICAL_MULTIPLE: Final = 5


def finality_lag_finding(lag: FinalityLag, limit: FinalityLag) -> Finding | None:
    """Report a lag beyond either limit; critical beyond five times a limit."""
    if not lag.exceeds(limit):
        return None
    severity = Severity.CRITICAL if lag.exceeds(limit, factor=_CRITICAL_MULTIPLE) else Severity.WARNING
    return Finding(RiskKind.FINALITY_LAG, FINALITY_SUBJECT, f"{lag} behind the head", f"at most {limit}", severity)


@dataclass(frozen=True, slots=True)
class FindingWatch:
    """The time since when the lag exceeds its limits, by the watcher's monotonic clock; None while it does not."""

    since_seconds: float | None = None

    def after(self, finding: Finding | None, *, at_seconds: float) -> "FindingWatch":
        """Start the watch at the first finding and clear it without one."""
        if finding is None:
            return FindingWatch()
        return self if self.since_seconds is not None else FindingWatch(at_seconds)

    def has_lasted(self, *, at_seconds: float, grace_seconds: float) -> bool:
        """Report whether the lag has exceeded its limits for longer than the grace period."""
        return self.since_seconds is not None and at_seconds - self.since_seconds >= grace_seconds
