"""The register of holders at one block: what each has, may redeem, and is worth.

A share is either in a wallet or locked in an open redemption; the vault keeps the locked ones in its own wallet (deployed
behaviour 9), which is why the vault is only a holder of what is in its wallet beyond them. So the register's shares add up
to the supply.

A locked share has its price already: it is a claim to the amount its request was made for, and no longer part of NAV.
"""

from dataclasses import dataclass
from datetime import datetime

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import WAD, NavPerShare, RawAmount, Rounding, divide


@dataclass(frozen=True, slots=True)
class RegisteredHolder:
    """One holder. `shares` are those in the wallet, `claim` is what the open requests for the locked ones ask for."""

    holder: Address
    shares: RawAmount
    locked_shares: RawAmount
    claim: RawAmount
    since: datetime

    @property
    def total_shares(self) -> RawAmount:
        return RawAmount(self.shares + self.locked_shares)

    @property
    def redeemable_shares(self) -> RawAmount:
        """What a new request may still ask for: locked shares have left the wallet and count against it all the same.

        Source: RedemptionManager takes `lockedSharesOf` off `balanceOf`.
        """
        return RawAmount(max(self.shares - self.locked_shares, 0))

    def fraction_of(self, supply: RawAmount) -> int:
        """The part of all shares that is this holder's, scaled by 1e18, rounded down."""
        return divide(self.total_shares * WAD, supply, rounding=Rounding.DOWN)

    def value_at(self, nav: NavPerShare) -> RawAmount:
        """The shares in the wallet at this NAV, rounded down; locked ones are in `claim`."""
        return RawAmount(divide(self.shares * nav, WAD, rounding=Rounding.DOWN))
