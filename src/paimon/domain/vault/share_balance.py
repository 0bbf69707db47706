"""Share balances of holders, and the shares locked in open redemptions.

The vault itself holds shares while they are locked (deployed behaviour 9). A holder's `shares` are those in the wallet,
`locked_shares` those that the vault keeps for them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from paimon.domain.events import FundEvent, SharesBurned, SharesLocked, SharesUnlocked, Transfer
from paimon.domain.events.errors import InapplicableEvent
from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, checksum
from paimon.domain.kernel.units import RawAmount


class ShareChange(NamedTuple):
    """A signed change of one holder's balance, in raw shares."""

    holder: Address
    shares: int = 0
    locked_shares: int = 0


ShareEvent = Transfer | SharesLocked | SharesUnlocked | SharesBurned


def share_changes(event: FundEvent) -> list[ShareChange]:
    """Return the changes that one event makes. Mint and burn change the supply, which is the sum over all holders."""
    match event:
        case Transfer(from_=sender, to=receiver, value=value):
            changes = [ShareChange(sender, shares=-value), ShareChange(receiver, shares=value)]
            return [change for change in changes if change.holder != ZERO_ADDRESS]
        case SharesLocked(owner=owner, shares=shares):
            return [ShareChange(owner, locked_shares=shares)]
        case SharesUnlocked(owner=owner, shares=shares) | SharesBurned(owner=owner, shares=shares):
            return [ShareChange(owner, locked_shares=-shares)]
    return []


@dataclass(frozen=True, slots=True)
class ShareBalance:
    """One holder's balance, in raw shares."""

    holder: Address
    shares: RawAmount = RawAmount(0)
    locked_shares: RawAmount = RawAmount(0)
    since: datetime | None = None  # when the first shares came; leaving and coming back does not change it

    def applying(self, change: ShareChange) -> "ShareBalance":
        """Apply one change.

        Raises:
            InapplicableEvent: more shares would leave than there are.
        """
        shares = self.shares + change.shares
        locked = self.locked_shares + change.locked_shares
        if shares < 0 or locked < 0:
            what, have, leaving = (
                ("shares", self.shares, -change.shares)
                if shares < 0
                else ("locked shares", self.locked_shares, -change.locked_shares)
            )
            raise InapplicableEvent(f"{leaving} {what} leave {checksum(self.holder)}, which is recorded with {have}")
        return ShareBalance(self.holder, RawAmount(shares), RawAmount(locked), self.since)
