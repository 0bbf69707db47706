"""Finality lag: how far the final block lies behind the newest, and when that is a risk event."""

from dataclasses import dataclass
from typing import Final

from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.risk.risk_event import Finding, RiskKind, Severity


@dataclass(frozen=True, slots=True)
class FinalityLag:
    """How far the final block lies behind the newest: in blocks and in chain time."""

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
"""The subject of the alarm: there is one chain."""

_CRITICAL_MULTIPLE: Final = 5


def finality_lag_finding(lag: FinalityLag, limit: FinalityLag) -> Finding | None:
    """A lag beyond either figure; critical when five times beyond."""
    if not lag.exceeds(limit):
        return None
    severity = Severity.CRITICAL if lag.exceeds(limit, factor=_CRITICAL_MULTIPLE) else Severity.WARNING
    return Finding(RiskKind.FINALITY_LAG, FINALITY_SUBJECT, f"{lag} behind the head", f"at most {limit}", severity)


@dataclass(frozen=True, slots=True)
class FindingWatch:
    """Since when the lag is beyond its limits, by the watcher's own steady clock; None while it is within."""

    since_seconds: float | None = None

    def after(self, finding: Finding | None, *, at_seconds: float) -> "FindingWatch":
        if finding is None:
            return FindingWatch()
        return self if self.since_seconds is not None else FindingWatch(at_seconds)

    def has_lasted(self, *, at_seconds: float, grace_seconds: float) -> bool:
        """Whether it has been beyond for so long that somebody should know."""
        return self.since_seconds is not None and at_seconds - self.since_seconds >= grace_seconds
