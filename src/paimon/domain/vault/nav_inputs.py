"""What happened to the fund between two blocks, as far as its value goes: the material NAV is explained from.

Each happening names the log that tells of it, so that every part of an explanation leads back to transactions.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from paimon.domain.asset.token_transfer import Purpose
from paimon.domain.kernel.chain import Address, LogPlace
from paimon.domain.kernel.units import RawAmount


@dataclass(frozen=True, slots=True)
class Flow:
    """A token Transfer from or to the vault; `amount` is positive into it.

    `asset` is what a movement of cash was for: the token that was bought or sold. `order_id` is its OTC order.
    """

    place: LogPlace
    token: Address
    amount: int
    purpose: Purpose
    asset: Address | None = None
    order_id: int | None = None


@dataclass(frozen=True, slots=True)
class Deposited:
    """Shares minted for a deposit, at the price the contract made."""

    place: LogPlace
    assets: RawAmount
    shares: RawAmount


class RequestStep(StrEnum):
    REQUESTED = "requested"  # its amount becomes a liability, its shares stop sharing
    RETURNED = "returned"  # cancelled or rejected: both undone, at the amount of the request
    SETTLED = "settled"  # the liability is paid, less the fee that is kept


@dataclass(frozen=True, slots=True)
class Redeemed:
    """One step of a redemption request."""

    place: LogPlace
    step: RequestStep
    gross_amount: RawAmount
    shares: RawAmount


class FeeMove(StrEnum):
    MANAGEMENT_ACCRUED = "management_accrued"
    PERFORMANCE_ACCRUED = "performance_accrued"
    REDEMPTION_KEPT = "redemption_kept"
    REDEMPTION_RELEASED = "redemption_released"


@dataclass(frozen=True, slots=True)
class FeeMoved:
    """A step of the fees that is no movement of money."""

    place: LogPlace
    move: FeeMove
    amount: RawAmount


@dataclass(frozen=True, slots=True)
class Happenings:
    """Everything between two blocks, the first excluded and the last included."""

    flows: tuple[Flow, ...] = ()
    deposits: tuple[Deposited, ...] = ()
    redemptions: tuple[Redeemed, ...] = ()
    fees: tuple[FeeMoved, ...] = field(default=())
