"""When dust is settled: requests so small that their settlement costs more than it is worth hurrying for.

    due, not dust     ──► settled at once, before any dust
    due, dust         ──► waits until gas is cheap, or until its deadline comes near; then in batches, earliest deadline first

The deadline is the settlement date and `wait`. An emergency request waits for no price. At most `batch_size` settlements of
dust move at once: however much there is, others find a place in the keeper's queue. Blocked ones hold no place, until there are
three batches of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from paimon.domain.kernel.units import RawAmount

BATCH_TIME: Final = timedelta(minutes=1)
"""Time in which a batch is sent and final, with room for a replacement."""

MARGIN: Final = timedelta(hours=1)
"""Time before a deadline that no waiting uses."""

_BLOCKED_BATCHES_MAX: Final = 3


@dataclass(frozen=True, slots=True)
class DustPolicy:
    """What dust is, and how it is settled. A request below `amount` is dust; `wait` of zero lets none wait for a price."""

    amount: RawAmount
    batch_size: int
    wait: timedelta
    gas_price_wei_max: int


@dataclass(frozen=True, slots=True)
class DueDust:
    """A request of dust that is due and has no open settlement. `waits` is false for an emergency request."""

    request_id: int
    due_at: datetime
    waits: bool

    def deadline(self, policy: DustPolicy) -> datetime:
        return self.due_at + policy.wait if self.waits else self.due_at


@dataclass(frozen=True, slots=True)
class OpenDust:
    """How many settlements of dust are open: those that move, and those that are queued with a reason why not."""

    moving: int
    blocked: int


def by_deadline(waiting: Sequence[DueDust], policy: DustPolicy) -> list[DueDust]:
    """Return what waits, the earliest deadline first."""
    return sorted(waiting, key=lambda each: (each.deadline(policy), each.request_id))


def must_start(waiting: Sequence[DueDust], policy: DustPolicy, *, now: datetime) -> bool:
    """Report whether some deadline leaves no more time than the batches up to it need."""
    return any(
        each.deadline(policy) - now <= MARGIN + (place // policy.batch_size + 1) * BATCH_TIME
        for place, each in enumerate(by_deadline(waiting, policy))
    )


def next_batch(waiting: Sequence[DueDust], already: OpenDust, policy: DustPolicy) -> list[DueDust]:
    """Return the dust to settle next, for which there are places."""
    open_max = (1 + _BLOCKED_BATCHES_MAX) * policy.batch_size
    places = min(policy.batch_size - already.moving, open_max - already.moving - already.blocked)
    return by_deadline(waiting, policy)[: max(places, 0)]
