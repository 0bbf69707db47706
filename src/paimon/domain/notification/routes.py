"""Routes: which channels are told of an event at once, and which when it is not acknowledged in time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from paimon.domain.risk.risk_event import Finding, RiskKind, Severity


@dataclass(frozen=True, slots=True)
class Escalation:
    """Channels that are told when an event is not acknowledged this long after it was opened."""

    after: timedelta
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """Events of these kinds and severities, the channels for them, and the escalations in the order of their times."""

    severities: frozenset[Severity]
    channels: tuple[str, ...]
    kinds: frozenset[RiskKind] = frozenset()
    """Empty for every kind."""
    escalations: tuple[Escalation, ...] = field(default=())
    in_digest: bool = False
    """Whether its events wait for the daily digest."""

    def takes(self, finding: Finding) -> bool:
        return finding.severity in self.severities and (not self.kinds or finding.kind in self.kinds)


@dataclass(frozen=True, slots=True)
class RoutedChannel:
    """A channel that an event is told on, now or in the daily digest."""

    channel: str
    in_digest: bool


def channels_of(routes: Sequence[Route], finding: Finding) -> list[RoutedChannel]:
    """Return every channel of every route that takes the finding, each once; told at once wins over the digest."""
    found: dict[str, bool] = {}
    for route in routes:
        if route.takes(finding):
            for channel in route.channels:
                found[channel] = found.get(channel, True) and route.in_digest
    return [RoutedChannel(channel, in_digest) for channel, in_digest in found.items()]


def escalations_of(routes: Sequence[Route], finding: Finding) -> list[Escalation]:
    """Return the escalations of every route that takes the finding, by time."""
    taken = [step for route in routes if route.takes(finding) for step in route.escalations]
    return sorted(taken, key=lambda step: step.after)


def due_steps(steps: Sequence[Escalation], *, since: datetime, done: timedelta, now: datetime) -> Iterator[Escalation]:
    """Yield the escalations whose time has come since the one that was done last."""
    return (step for step in steps if done < step.after and since + step.after <= now)


def next_step_at(steps: Sequence[Escalation], *, since: datetime, now: datetime) -> datetime | None:
    """Return when the next escalation is due, or None after the last one."""
    return min((since + step.after for step in steps if since + step.after > now), default=None)
