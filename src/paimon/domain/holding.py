"""Who holds how many shares, and how many of them are locked in open redemptions.

Locked shares are held by the vault itself while they are locked (deployed behaviour 9): a holder's `shares` are those
still in the wallet, `locked_shares` those the vault keeps for them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from paimon.domain.chain import ZERO_ADDRESS, Address
from paimon.domain.events import FundEvent, SharesBurned, SharesLocked, SharesUnlocked, Transfer


@dataclass(frozen=True, slots=True)
class Movement:
    """A signed change of one holder's position, in raw shares."""

    holder: Address
    shares: int = 0
    locked_shares: int = 0


def movements(event: FundEvent) -> Iterator[Movement]:
    """What one event changes. Mint and burn move supply, which is the sum over all holders."""
    match event:
        case Transfer(from_=sender, to=receiver, value=value):
            if sender != ZERO_ADDRESS:
                yield Movement(sender, shares=-value)
            if receiver != ZERO_ADDRESS:
                yield Movement(receiver, shares=value)
        case SharesLocked(owner=owner, shares=shares):
            yield Movement(owner, locked_shares=shares)
        case SharesUnlocked(owner=owner, shares=shares) | SharesBurned(owner=owner, shares=shares):
            yield Movement(owner, locked_shares=-shares)


def net_movements(events: Iterable[FundEvent]) -> dict[Address, Movement]:
    """The sum of all changes per holder; order does not matter."""
    totals: dict[Address, Movement] = {}
    for event in events:
        for step in movements(event):
            before = totals.get(step.holder, Movement(step.holder))
            totals[step.holder] = Movement(step.holder, before.shares + step.shares, before.locked_shares + step.locked_shares)
    return totals
