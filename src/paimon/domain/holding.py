"""Who holds how many shares, and how many of them are locked in open redemptions.

Locked shares are held by the vault itself while they are locked (deployed behaviour 9): a holder's `shares` are those
still in the wallet, `locked_shares` those the vault keeps for them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from paimon.domain.chain import ZERO_ADDRESS, Address, checksum
from paimon.domain.events import FundEvent, SharesBurned, SharesLocked, SharesUnlocked, Transfer
from paimon.domain.redemption import InapplicableEvent
from paimon.domain.units import RawAmount


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


@dataclass(frozen=True, slots=True)
class Holding:
    """One holder's position, in raw shares."""

    holder: Address
    shares: RawAmount = RawAmount(0)
    locked_shares: RawAmount = RawAmount(0)
    since: datetime | None = None  # when the first shares came; leaving and coming back does not change it

    def after(self, movement: Movement) -> "Holding":
        """Raises InapplicableEvent when shares would leave that were never there."""
        shares = self.shares + movement.shares
        locked = self.locked_shares + movement.locked_shares
        if shares < 0 or locked < 0:
            what, have, leaving = (
                ("shares", self.shares, -movement.shares)
                if shares < 0
                else ("locked shares", self.locked_shares, -movement.locked_shares)
            )
            raise InapplicableEvent(f"{leaving} {what} leave {checksum(self.holder)}, which is recorded with {have}")
        return replace(self, shares=RawAmount(shares), locked_shares=RawAmount(locked))
