"""When NAV may be published: never while a material difference between books and chain is open. Source: decisions,
"Differences".

A difference of an amount is material from so many basis points of net assets on (1 by default); shares count at NAV. Any
other difference is one of a status (who owns a request, how it stands, who holds a role, whether something is paused),
and each of those is material. So is an amount we cannot value: doubt withholds.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from paimon.domain.books import Difference
from paimon.domain.units import BPS_ONE, WAD, Bps, NavPerShare, RawAmount, Rounding, divide

_AMOUNTS: Final = ("redemption liability", "grossAmount", "redemption fees", "cash")
_SHARES: Final = ("supply", "shares")


@dataclass(frozen=True, slots=True)
class Worth:
    """What differences are measured by: the fund's figures at the comparison's block."""

    net_assets: RawAmount
    nav_per_share: NavPerShare


def value_of(difference: Difference, worth: Worth) -> RawAmount | None:
    """What the difference amounts to in the vault's asset, rounded up; None for one of a status, or of unknown worth."""
    if not (difference.book.isdecimal() and difference.chain.isdecimal()):
        return None
    gap = abs(int(difference.book) - int(difference.chain))
    subject = difference.subject.split(" of 0x")[0]
    if subject.endswith(_AMOUNTS):
        return RawAmount(gap)
    if subject.endswith(_SHARES):
        return RawAmount(divide(gap * worth.nav_per_share, WAD, rounding=Rounding.UP))
    return None


def material(differences: Iterable[Difference], worth: Worth, *, threshold: Bps) -> list[Difference]:
    """Those for which publishing is refused. Small amounts are added up: many small ones are not a small difference."""
    valued = [(each, value_of(each, worth)) for each in differences]
    total = sum(value for _, value in valued if value is not None)
    amounts_count = total > 0 and total * BPS_ONE >= worth.net_assets * threshold
    return [each for each, value in valued if value is None or (amounts_count and value > 0)]


def reason(differences: list[Difference]) -> str:
    """Why a point is withheld, in a line: the first difference with both numbers, and how many more there are."""
    more = f" and {len(differences) - 1} more" if len(differences) > 1 else ""
    return f"material difference: {differences[0]}{more}"
