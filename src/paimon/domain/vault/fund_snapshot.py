"""Everything the fund is at one final block, as one pinned read gave it. Source: docs/concepts/fund.md, "Words".

    gross assets  = cash + Σ balance × price of the assets on the list, each rounded down as the contract rounds it
    net assets    = gross − redemption liability − withdrawable redemption fees
    NAV per share = net assets ÷ (supply − locked shares)

All of it is computed here from fresh parts. What the contract says of itself stands beside (`ContractFigures`), since it
may come from a value cache up to five minutes old. Accrued but uncollected fees are in neither: they lower net assets
when they are collected, and are shown as pending until then.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, Hash32
from paimon.domain.kernel.units import BPS_ONE, Bps, NavPerShare, RawAmount, Rounding, divide
from paimon.domain.vault.vault_state import VaultState


class PurchaseMethod(IntEnum):
    """How the controller buys an asset; the value is the contract's."""

    OTC = 0
    SWAP = 1
    AUTO = 2


@dataclass(frozen=True, slots=True)
class PurchaseTerms:
    """How an asset may be bought. A slippage of 0 means the controller's default; a window of (None, None) is always open."""

    target_allocation: Bps
    adapter: Address
    method: PurchaseMethod
    max_slippage: Bps
    minimum: RawAmount
    subscription_start: datetime | None
    subscription_end: datetime | None


@dataclass(frozen=True, slots=True)
class AssetPosition:
    """One asset the controller ever knew, with the vault's balance of it and its price (USDT per whole token, 1e18).

    `price` is None only where the oracle has none, which the contract tolerates for an asset the vault holds nothing of.
    `priced_at` is None where the adapter tells no time. An asset taken off the list (`active` is False) counts for
    nothing, whatever of it is left in the vault.
    """

    token: Address
    tier: Tier
    decimals: int
    is_listed: bool
    terms: PurchaseTerms
    balance: RawAmount
    price: RawAmount | None
    priced_at: datetime | None

    @property
    def value(self) -> RawAmount:
        """What it adds to gross assets."""
        return token_value(self.balance, self.price or 0, self.decimals) if self.is_listed else RawAmount(0)


def token_value(balance: int, price: int, decimals: int) -> RawAmount:
    """Tokens at a price, rounded down. Source: AssetController._valueOf."""
    return RawAmount(divide(balance * price, 10**decimals, rounding=Rounding.DOWN))


@dataclass(frozen=True, slots=True)
class FeeFigures:
    """Fees of the manager: accrued and not collected, pending if collected now, and the mark performance is measured from."""

    accrued_management: RawAmount
    accrued_performance: RawAmount
    pending_management: RawAmount
    pending_performance: RawAmount
    last_accrual_at: datetime | None
    high_water_mark: RawAmount
    recipient: Address


@dataclass(frozen=True, slots=True)
class TierLimits:
    """A tier's target and tolerated band on chain, as shares of gross assets."""

    target: Bps
    minimum: Bps
    maximum: Bps

    def contains(self, ratio: Bps) -> bool:
        """Whether the ratio lies in the band, its ends included."""
        return self.minimum <= ratio <= self.maximum


@dataclass(frozen=True, slots=True)
class BufferPool:
    """L1 as the controller sees it, against its target. Its gross assets may be the cached ones."""

    cash: RawAmount
    yield_value: RawAmount
    target: RawAmount
    ratio: Bps
    needs_rebalance: bool


@dataclass(frozen=True, slots=True)
class OrderInTransit:
    """An OTC order that is paid and not delivered: the money is out, the tokens are not in."""

    order_id: int
    token: Address
    paid: RawAmount
    expected_tokens: RawAmount
    counterparty: Address


@dataclass(frozen=True, slots=True)
class OperationalFlags:
    """On-off states of the contracts."""

    vault_paused: bool
    manager_paused: bool
    controller_paused: bool
    emergency_mode: bool


@dataclass(frozen=True, slots=True, order=True)
class RoleAssignment:
    """A role an account holds on a contract."""

    contract: ContractName
    role: Hash32
    account: Address


@dataclass(frozen=True, slots=True)
class ContractFigures:
    """What the contracts say of the fund's value. All but the tier values may be cached."""

    total_assets: RawAmount
    share_price: NavPerShare
    asset_value: RawAmount
    layer1_yield: RawAmount
    layer2: RawAmount
    layer3: RawAmount


@dataclass(frozen=True, slots=True)
class FundSnapshot:
    """The fund at one block. Amounts in raw units of the vault's asset, shares in raw shares.

    `roles` are those held at the block of all that the events ever gave: the contracts can be asked, but not listed.
    """

    at: BlockStamp
    asset: Address
    asset_decimals: int
    cash: RawAmount
    assets: tuple[AssetPosition, ...]
    total_supply: RawAmount
    locked_shares: RawAmount
    redemption_liability: RawAmount
    withdrawable_redemption_fees: RawAmount
    accumulated_redemption_fees: RawAmount
    fees: FeeFigures
    tier_limits: tuple[TierLimits, TierLimits, TierLimits]
    buffer: BufferPool
    default_slippage: Bps
    flags: OperationalFlags
    in_transit: tuple[OrderInTransit, ...]
    contract: ContractFigures
    roles: tuple[RoleAssignment, ...] = ()

    def tier_assets(self, tier: Tier) -> RawAmount:
        """A tier's assets beside cash."""
        return RawAmount(sum(each.value for each in self.assets if each.tier is tier))

    def tier_value(self, tier: Tier) -> RawAmount:
        """A tier with all that is in it; cash is L1."""
        return RawAmount(self.tier_assets(tier) + (self.cash if tier is Tier.L1 else 0))

    @property
    def vault(self) -> VaultState:
        """The figures NAV is made of."""
        return VaultState(
            layer1_value=self.tier_value(Tier.L1),
            layer2_value=self.tier_value(Tier.L2),
            layer3_value=self.tier_value(Tier.L3),
            redemption_liability=self.redemption_liability,
            withdrawable_redemption_fees=self.withdrawable_redemption_fees,
            total_supply=self.total_supply,
            locked_shares=self.locked_shares,
            emergency_mode=self.flags.emergency_mode,
            contract_total_assets=self.contract.total_assets,
            contract_share_price=self.contract.share_price,
        )

    @property
    def net_assets(self) -> RawAmount:
        return self.vault.net_assets

    @property
    def nav_per_share(self) -> NavPerShare:
        return self.vault.nav_per_share

    @property
    def has_stale_cache(self) -> bool:
        """Whether the contract values its assets from its cache, and the cache is not what they are worth now."""
        return self.contract.asset_value != self.contract.layer1_yield + self.contract.layer2 + self.contract.layer3

    @property
    def tier_values_match(self) -> bool:
        """Whether our valuation of every tier is the contract's own fresh one; if not, NAV needs a person's look."""
        contract_values = (self.contract.layer1_yield, self.contract.layer2, self.contract.layer3)
        return contract_values == tuple(self.tier_assets(tier) for tier in Tier)

    @property
    def in_transit_total(self) -> RawAmount:
        """Paid for OTC orders that are not delivered yet; in no asset until then."""
        return RawAmount(sum(each.paid for each in self.in_transit))

    @property
    def oldest_price_age(self) -> timedelta | None:
        """Age, at the block, of the oldest price that counts; None where no adapter tells a time."""
        times = [each.priced_at for each in self.assets if each.is_listed and each.balance and each.priced_at]
        return max(self.at.timestamp - min(times), timedelta(0)) if times else None

    def position(self, token: Address) -> AssetPosition | None:
        return next((each for each in self.assets if each.token == token), None)


def should_keep_snapshot(last_kept: FundSnapshot | None, now: FundSnapshot, *, material_threshold: Bps) -> bool:
    """Whether a snapshot taken by the clock is kept as history: the first of its hour, or net assets or shares have moved.

    Snapshots are read each minute for the overview; most of them say what the one before said.
    """
    if last_kept is None or last_kept.at.timestamp.replace(minute=0, second=0) != now.at.timestamp.replace(minute=0, second=0):
        return True
    if last_kept.vault.effective_supply != now.vault.effective_supply:
        return True
    moved = abs(now.net_assets - last_kept.net_assets)
    return moved * BPS_ONE >= max(last_kept.net_assets, 1) * material_threshold
