"""When the cash buffer, L1, is refilled from L2. Source: docs/concepts/fund.md, "The planner".

The contract knows how: `rebalanceBuffer` sells L2 until L1 is at its target. This module decides when that is worth a plan.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from paimon.domain.kernel.units import Bps, RawAmount
from paimon.domain.transaction.plan import REFILL_PREFIX


class PlannerLook(StrEnum):
    """What came of one look of the planner at the fund."""

    NOTHING_DUE = "nothing_due"
    PLANNED = "planned"
    NO_PLAN = "no_plan"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class BufferLevel:
    """L1 as the contract computes it: its value and its target in raw units of the asset, its share of gross assets."""

    total: RawAmount
    target: RawAmount
    ratio: Bps

    @property
    def missing(self) -> RawAmount:
        return RawAmount(max(self.target - self.total, 0))


@dataclass(frozen=True, slots=True)
class RefillPolicy:
    """Refill L1 below this share of gross assets, if at least `smallest` is missing."""

    below: Bps
    smallest: RawAmount


def is_refill_due(level: BufferLevel, policy: RefillPolicy) -> bool:
    """Report whether L1 needs a refill that is worth a plan. A fund without a target needs none."""
    return level.ratio < policy.below and level.missing >= max(policy.smallest, 1)


def refill_key(now: datetime) -> str:
    """Return the key of a refill: one plan a UTC day, however often it is due and however it ends."""
    return f"{REFILL_PREFIX}{now:%Y-%m-%d}"
