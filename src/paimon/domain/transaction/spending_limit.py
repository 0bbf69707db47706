"""How much of the fund's money a wallet may move: below a limit for each plan, up to another in any 24 hours.

Counted is what is signed, by nonce: of all transactions signed at one nonce at most one is mined, so the dearest counts,
and once the chain has decided, the one that was mined, or none. What is not decided counts today, whenever it was signed.
Splitting a plan into many calls does not lower its sum.
Source: the wallets' table of the domain.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from paimon.domain.kernel.units import RawAmount

ROLLING_DAY: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class SpendingLimit:
    """In units of the vault's asset. A plan stays below `per_plan`; any 24 hours together reach at most `per_day`."""

    per_plan: RawAmount
    per_day: RawAmount


@dataclass(frozen=True, slots=True)
class Spend:
    """What one signed transaction moves if it is the one mined at its nonce. A call outside any plan is a plan of its own."""

    nonce: int
    amount: RawAmount
    plan: str | None
    signed_at: datetime
    is_open: bool = True
    """Its nonce is not final: it may still be mined, however long ago it was signed."""


class LimitExceeded(Exception):
    """The wallet may not move that much more; the message has every number."""


def require_within_limit(limit: SpendingLimit, signed: Iterable[Spend], proposed: Spend) -> None:
    """Whether `wanted` may be signed after all of `signed`, as of `wanted.signed_at`.

    Raises:
        LimitExceeded.
    """
    plan = proposed.amount
    if proposed.plan is not None:
        plan = _sum_by_nonce([each for each in signed if each.plan == proposed.plan], proposed)
    if plan >= limit.per_plan:
        raise LimitExceeded(f"the plan would move {plan}, this wallet's plans stay below {limit.per_plan}")
    since = proposed.signed_at - ROLLING_DAY
    day = _sum_by_nonce([each for each in signed if each.is_open or each.signed_at > since], proposed)
    if day > limit.per_day:
        raise LimitExceeded(
            f"with {proposed.amount} more it would be {day} in 24 hours, this wallet moves at most {limit.per_day}"
        )


def _sum_by_nonce(signed: Iterable[Spend], proposed: Spend) -> RawAmount:
    largest_by_nonce: dict[int, int] = {}
    for each in (*signed, proposed):
        largest_by_nonce[each.nonce] = max(each.amount, largest_by_nonce.get(each.nonce, 0))
    return RawAmount(sum(largest_by_nonce.values()))
