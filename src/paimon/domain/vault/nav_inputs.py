"""What happened to the fund between two blocks, as far as it affects the fund's value: the inputs of NAV attribution.

Each input names its log, so that every component of an attribution leads back to transactions.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from paimon.domain.asset.token_transfer import TransferPurpose
from paimon.domain.kernel.chain import Address, LogPosition
from paimon.domain.kernel.units import RawAmount


@dataclass(frozen=True, slots=True)
class AssetTransfer:
    """A token Transfer from or to the vault; `amount` is positive into the vault.

    For cash, `asset` is the token that was bought or sold. `order_id` is its OTC order.
    """

    log_position: LogPosition
    token: Address
    amount: int
    purpose: TransferPurpose
    asset: Address | None = None
    order_id: int | None = None


@dataclass(frozen=True, slots=True)
class DepositInput:
    """Shares minted for a deposit, at the contract's price."""

    log_position: LogPosition
    assets: RawAmount
    shares: RawAmount


class RedemptionTransition(StrEnum):
    """A transition of a redemption request that affects the fund's value."""

    REQUESTED = "requested"  # its amount becomes a liability, its shares stop sharing
    RETURNED = "returned"  # cancelled or rejected: both undone, at the amount of the request
    SETTLED = "settled"  # the liability is paid, less the fee that is kept


@dataclass(frozen=True, slots=True)
class RedemptionInput:
    """One transition of a redemption request."""

    log_position: LogPosition
    transition: RedemptionTransition
    gross_amount: RawAmount
    shares: RawAmount


class FeeInputKind(StrEnum):
    """Effect of a fee event that moves no money."""

    MANAGEMENT_ACCRUED = "management_accrued"
    PERFORMANCE_ACCRUED = "performance_accrued"
    REDEMPTION_KEPT = "redemption_kept"
    REDEMPTION_RELEASED = "redemption_released"


@dataclass(frozen=True, slots=True)
class FeeInput:
    """A fee event that moves no money."""

    log_position: LogPosition
    kind: FeeInputKind
    amount: RawAmount


@dataclass(frozen=True, slots=True)
class NavInputs:
    """All inputs between two blocks, the first excluded and the last included."""

    asset_transfers: tuple[AssetTransfer, ...] = ()
    deposits: tuple[DepositInput, ...] = ()
    redemptions: tuple[RedemptionInput, ...] = ()
    fees: tuple[FeeInput, ...] = field(default=())
