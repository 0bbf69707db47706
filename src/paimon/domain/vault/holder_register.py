"""Register of shareholders at one block: each holder's shares, redeemable shares and value.

A share is either in a wallet or locked in an open redemption. The vault keeps the locked shares in its own wallet (deployed
behaviour 9), so the vault holds only what its wallet has beyond them. The register's shares therefore add up to the supply.

A locked share already has its price: it is a claim to the amount of its request, and no longer part of NAV.
"""

from dataclasses import dataclass
from datetime import datetime

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import WAD, NavPerShare, RawAmount, Rounding, divide


@dataclass(frozen=True, slots=True)
class RegisteredHolder:
    """One holder. `shares` are in the wallet; `claim` is the total of the open requests for the locked shares."""

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
        """Return what a new request may redeem. The contract subtracts locked shares although they have left the wallet.

        Source: RedemptionManager subtracts `lockedSharesOf` from `balanceOf`.
        """
        return RawAmount(max(self.shares - self.locked_shares, 0))

    def fraction_of(self, supply: RawAmount) -> int:
        """Return the holder's part of the supply, scaled by 1e18, rounded down."""
        return divide(self.total_shares * WAD, supply, rounding=Rounding.DOWN)

    def value_at(self, nav: NavPerShare) -> RawAmount:
        """Value the shares in the wallet at this NAV, rounded down. `claim` covers the locked shares."""
        return RawAmount(divide(self.shares * nav, WAD, rounding=Rounding.DOWN))
