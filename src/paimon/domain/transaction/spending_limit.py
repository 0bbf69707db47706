"""Spending limits of a wallet: each plan stays below one limit, any 24 hours stay within another.

What is signed counts, by nonce. Of all transactions signed at one nonce at most one is mined, so the largest counts; once
the chain has decided, the mined one counts, or none. An undecided transaction counts today, whenever it was signed.
Splitting a plan into many calls does not lower its sum. Source: docs/concepts/fund.md, "Wallets and their limits".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from paimon.domain.kernel.units import RawAmount

ROLLING_DAY: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class SpendingLimit:
    """Limits in raw units of the vault's asset. A plan stays below `per_plan`; any 24 hours move at most `per_day`."""

    per_plan: RawAmount
    per_day: RawAmount


@dataclass(frozen=True, slots=True)
class Spend:
    """What one signed transaction moves if it is mined. A call outside any plan is a plan of its own."""

    nonce: int
    amount: RawAmount
    plan: str | None
    signed_at: datetime
    is_open: bool = True
    """Its nonce is not final: it may still be mined, whenever it was signed."""


class LimitExceeded(Exception):
    """The wallet may not move this much more; the message has every number."""


def require_within_limit(limit: SpendingLimit, signed: Iterable[Spend], proposed: Spend) -> None:
    """Require that `proposed` may be signed after all of `signed`, as of `proposed.signed_at`.

    Raises:
        LimitExceeded: the plan or the 24 hours would exceed their limit.
    """
    plan = proposed.amount
    if proposed.plan is not None:
        plan = _sum_by_nonce([spend for spend in signed if spend.plan == proposed.plan], proposed)
    if plan >= limit.per_plan:
        raise LimitExceeded(
            f"the plan would move {plan}, this wallet's plans stay below {limit.per_plan} (raw units of the asset)"
        )
    since = proposed.signed_at - ROLLING_DAY
    day = _sum_by_nonce([spend for spend in signed if spend.is_open or spend.signed_at > since], proposed)
    if day > limit.per_day:
        raise LimitExceeded(
            f"with {proposed.amount} more it would be {day} in 24 hours, this wallet moves at most {limit.per_day}"
        )


def _sum_by_nonce(signed: Iterable[Spend], proposed: Spend) -> RawAmount:
    largest_by_nonce: dict[int, int] = {}
    for spend in (*signed, proposed):
        largest_by_nonce[spend.nonce] = max(spend.amount, largest_by_nonce.get(spend.nonce, 0))
    return RawAmount(sum(largest_by_nonce.values()))
