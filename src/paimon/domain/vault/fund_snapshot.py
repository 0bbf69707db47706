"""The fund at one final block, as one pinned read returned it. Source: docs/concepts/fund.md, "Words".

    gross assets  = cash + Σ balance × price of the listed assets, each rounded down as the contract rounds it
    net assets    = gross − redemption liability − withdrawable redemption fees
    NAV per share = net assets ÷ (supply − locked shares)

All of it is computed here from fresh parts. The contract's own figures (`ContractFigures`) are kept beside it, since they
may come from a value cache up to five minutes old. Accrued fees are in neither: they lower net assets when they are
collected, and are shown as pending until then.

What a later deployment has in settlements under way (`pending_value`) is not counted yet. A snapshot with such a value lacks
a part of the fund, so its NAV is never official.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from paimon.domain.asset.purchase_method import PurchaseMethod
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, Hash32
from paimon.domain.kernel.units import BPS_ONE, Bps, NavPerShare, RawAmount, Rounding, divide
from paimon.domain.vault.vault_state import VaultState

DEFAULT_ASSET_DECIMALS: Final = 18
"""Decimals of USDT on BSC, until the first snapshot has those of the vault's asset."""


@dataclass(frozen=True, slots=True)
class PurchaseTerms:
    """Terms of buying an asset. A slippage of 0 means the controller's default; a window of (None, None) is always open."""

    target_allocation: Bps
    adapter: Address
    method: PurchaseMethod
    max_slippage: Bps
    minimum: RawAmount
    subscription_start: datetime | None
    subscription_end: datetime | None


@dataclass(frozen=True, slots=True)
class AssetPosition:
    """One asset the controller ever had, with the vault's balance and its price (USDT per whole token, 1e18).

    `price` is None only where the oracle has none, which the contract tolerates for an asset with a zero balance. `priced_at`
    is None where the adapter gives no time. An asset that is no longer listed counts as zero at any balance.
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
        """Return what the position adds to gross assets."""
        return token_value(self.balance, self.price or 0, self.decimals) if self.is_listed else RawAmount(0)


def token_value(balance: int, price: int, decimals: int) -> RawAmount:
    """Value tokens at a price, rounded down. Source: AssetController._valueOf."""
    return RawAmount(divide(balance * price, 10**decimals, rounding=Rounding.DOWN))


@dataclass(frozen=True, slots=True)
class FeeFigures:
    """Fees of the manager: accrued and uncollected, pending if collected now, and the high-water mark."""

    accrued_management: RawAmount
    accrued_performance: RawAmount
    pending_management: RawAmount
    pending_performance: RawAmount
    last_accrual_at: datetime | None
    high_water_mark: RawAmount
    recipient: Address


@dataclass(frozen=True, slots=True)
class TierLimits:
    """A tier's target and permitted band on chain, as shares of gross assets."""

    target: Bps
    minimum: Bps
    maximum: Bps

    def contains(self, ratio: Bps) -> bool:
        """Report whether the ratio is in the band, its ends included."""
        return self.minimum <= ratio <= self.maximum


@dataclass(frozen=True, slots=True)
class BufferPool:
    """L1 as the controller computes it, against its target. Its gross assets may be the cached ones."""

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
    """A role that an account holds on a contract."""

    contract: ContractName
    role: Hash32
    account: Address


@dataclass(frozen=True, slots=True)
class ContractFigures:
    """The fund's value as the contracts report it. All figures but the tier values may be cached."""

    total_assets: RawAmount
    share_price: NavPerShare
    asset_value: RawAmount
    layer1_yield: RawAmount
    layer2: RawAmount
    layer3: RawAmount


@dataclass(frozen=True, slots=True)
class FundSnapshot:
    """The fund at one block. Amounts are in raw units of the vault's asset, shares in raw shares.

    `buffer` is None where the controller has no buffer pool. `roles` are the roles held at the block, of all that events ever
    granted: contracts answer about a role but list none.
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
    buffer: BufferPool | None
    default_slippage: Bps
    flags: OperationalFlags
    in_transit: tuple[OrderInTransit, ...]
    contract: ContractFigures
    roles: tuple[RoleAssignment, ...] = ()
    pending_value: RawAmount = RawAmount(0)
    """What the contract counts for delayed settlements, and no figure here does: `totalPendingValue()`."""

    def tier_assets(self, tier: Tier) -> RawAmount:
        """Return the value of a tier's assets without cash."""
        return RawAmount(sum(position.value for position in self.assets if position.tier is tier))

    def tier_value(self, tier: Tier) -> RawAmount:
        """Return the value of a tier; cash belongs to L1."""
        return RawAmount(self.tier_assets(tier) + (self.cash if tier is Tier.L1 else 0))

    @property
    def vault(self) -> VaultState:
        """Return the figures from which NAV is computed."""
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
        """Report whether the contract's cached asset value differs from the present one."""
        tiers = self.contract.layer1_yield + self.contract.layer2 + self.contract.layer3
        return self.contract.asset_value != tiers + self.pending_value

    @property
    def tier_values_match(self) -> bool:
        """Report whether the computed tier values equal the contract's fresh ones; if not, a person must check NAV."""
        contract_values = (self.contract.layer1_yield, self.contract.layer2, self.contract.layer3)
        return contract_values == tuple(self.tier_assets(tier) for tier in Tier)

    @property
    def in_transit_total(self) -> RawAmount:
        """Return what is paid for undelivered OTC orders; no asset contains it until delivery."""
        return RawAmount(sum(order.paid for order in self.in_transit))

    @property
    def oldest_price_age(self) -> timedelta | None:
        """Return the age, at the block, of the oldest price in use; None where no adapter gives a time."""
        times = [
            position.priced_at for position in self.assets if position.is_listed and position.balance and position.priced_at
        ]
        return max(self.at.timestamp - min(times), timedelta(0)) if times else None

    def position(self, token: Address) -> AssetPosition | None:
        return next((position for position in self.assets if position.token == token), None)


def should_keep_snapshot(last_kept: FundSnapshot | None, now: FundSnapshot, *, material_threshold: Bps) -> bool:
    """Report whether to keep a scheduled snapshot: the first of its hour, or a change of net assets or shares.

    Snapshots are read each minute for the overview; most of them repeat the one before.
    """
    if last_kept is None or last_kept.at.timestamp.replace(minute=0, second=0) != now.at.timestamp.replace(minute=0, second=0):
        return True
    if last_kept.vault.effective_supply != now.vault.effective_supply:
        return True
    moved = abs(now.net_assets - last_kept.net_assets)
    return moved * BPS_ONE >= max(last_kept.net_assets, 1) * material_threshold
