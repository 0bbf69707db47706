"""The figures of NAV at one block. Source: docs/concepts/fund.md, "Words"."""

from dataclasses import dataclass

from paimon.domain.kernel.units import WAD, Bps, NavPerShare, RawAmount, Rounding, divide, ratio_bps


@dataclass(frozen=True, slots=True)
class VaultState:
    """Fresh parts of one pinned read, in raw units of the vault's asset and raw shares.

    `contract_*` are the contract's own figures, which may come from a value cache up to five minutes old.
    """

    layer1_value: RawAmount
    layer2_value: RawAmount
    layer3_value: RawAmount
    redemption_liability: RawAmount
    withdrawable_redemption_fees: RawAmount
    total_supply: RawAmount
    locked_shares: RawAmount
    emergency_mode: bool
    contract_total_assets: RawAmount
    contract_share_price: NavPerShare

    @property
    def gross_assets(self) -> RawAmount:
        """Return cash and asset values at trusted prices."""
        return RawAmount(self.layer1_value + self.layer2_value + self.layer3_value)

    @property
    def net_assets(self) -> RawAmount:
        """Return gross assets less redemption liability and withdrawable redemption fees, at least zero as in the contract."""
        owed = self.redemption_liability + self.withdrawable_redemption_fees
        return RawAmount(max(self.gross_assets - owed, 0))

    @property
    def available_liquidity(self) -> RawAmount:
        """Return L1 and L2: what is available without selling L3. It includes cash that open redemptions will need."""
        return RawAmount(self.layer1_value + self.layer2_value)

    @property
    def effective_supply(self) -> RawAmount:
        """Return the shares that take part in NAV: locked shares already have their price."""
        return RawAmount(self.total_supply - self.locked_shares)

    @property
    def nav_per_share(self) -> NavPerShare:
        """Return net assets ÷ (supply − locked shares), rounded down; 1.0 while no share exists."""
        if self.effective_supply == 0:
            return NavPerShare(WAD)
        return NavPerShare(divide(self.net_assets * WAD, self.effective_supply, rounding=Rounding.DOWN))

    def layer_ratio(self, value: RawAmount) -> Bps:
        """Return a tier's share of gross assets."""
        return ratio_bps(value, self.gross_assets)
