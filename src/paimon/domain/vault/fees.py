"""Fees: their totals, and the entries that make them up.

Management and performance fees accrue by events that are named "collected"; their collection is a Transfer without an
event. Redemption fees are kept at a settlement. They leave the vault's accounts and the vault itself by two events of one
transaction. The contract's own total of withdrawn fees is always 0 (deployed behaviour 12); the total here is not.
"""

from dataclasses import dataclass
from enum import StrEnum

from paimon.domain.events import (
    FundEvent,
    ManagementFeeCollected,
    PerformanceFeeCollected,
    RedemptionFeeAdded,
    RedemptionFeeReduced,
    RedemptionFeesWithdrawn,
)
from paimon.domain.events.errors import InapplicableEvent
from paimon.domain.kernel.chain import Address, LogPosition
from paimon.domain.kernel.units import UINT256_MAX, RawAmount


class FeeKind(StrEnum):
    MANAGEMENT = "MANAGEMENT"
    PERFORMANCE = "PERFORMANCE"
    REDEMPTION = "REDEMPTION"


class FeeEntryType(StrEnum):
    """Effect of a fee entry: ACCRUED raises what is owed, RELEASED lowers it, PAID is money that left the vault.

    A collection of management and performance fees releases and pays at once and is recorded as PAID. Redemption fees are
    released by the vault and paid by the asset controller.
    """

    ACCRUED = "ACCRUED"
    RELEASED = "RELEASED"
    PAID = "PAID"


@dataclass(frozen=True, slots=True)
class FeeAccount:
    """Totals of one kind of fee since the first block. `accrued` less `released` is owed to the fee recipient."""

    kind: FeeKind
    accrued: RawAmount = RawAmount(0)
    released: RawAmount = RawAmount(0)
    paid: RawAmount = RawAmount(0)

    @property
    def owed(self) -> RawAmount:
        return RawAmount(self.accrued - self.released)

    def after(self, entry_type: FeeEntryType, amount: RawAmount) -> "FeeAccount":
        """Add one entry.

        Raises:
            InapplicableEvent: more is released than is owed, or a total exceeds what the chain can count.
        """
        match entry_type:
            case FeeEntryType.ACCRUED:
                changed = FeeAccount(self.kind, RawAmount(self.accrued + amount), self.released, self.paid)
            case FeeEntryType.RELEASED:
                changed = FeeAccount(self.kind, self.accrued, RawAmount(self.released + amount), self.paid)
            case FeeEntryType.PAID:
                changed = FeeAccount(self.kind, self.accrued, self.released, RawAmount(self.paid + amount))
        if changed.owed < 0:
            raise InapplicableEvent(f"{amount} of {self.kind} fees are released, but only {self.owed} are owed")
        if max(changed.accrued, changed.paid) > UINT256_MAX:
            raise InapplicableEvent(f"{amount} more of {self.kind} fees exceeds what the chain can count")
        return changed

    def collected(self) -> "FeeAccount":
        """Release and pay all that is owed, as a collection does."""
        return self.after(FeeEntryType.RELEASED, self.owed).after(FeeEntryType.PAID, self.owed)


@dataclass(frozen=True, slots=True)
class FeeEntry:
    """One entry of one kind of fee.

    `base` is what the fee was computed from: net assets plus liability, or the profit above the high-water mark.
    `high_water_mark` is the mark that a performance accrual left; an admin may move it without an event.
    """

    log_position: LogPosition
    kind: FeeKind
    entry_type: FeeEntryType
    amount: RawAmount
    base: RawAmount | None = None
    period_seconds: int | None = None
    high_water_mark: RawAmount | None = None
    recipient: Address | None = None


def fee_entry(event: FundEvent, log_position: LogPosition) -> FeeEntry | None:
    """Build the entry of an event; None for an event without a fee."""
    match event:
        case ManagementFeeCollected(fee_amount=amount, total_assets=base, period=period):
            return FeeEntry(log_position, FeeKind.MANAGEMENT, FeeEntryType.ACCRUED, amount, base=base, period_seconds=period)
        case PerformanceFeeCollected(fee_amount=amount, profit=profit, new_high_water_mark=mark):
            return FeeEntry(log_position, FeeKind.PERFORMANCE, FeeEntryType.ACCRUED, amount, base=profit, high_water_mark=mark)
        case RedemptionFeeAdded(fee=amount):
            return FeeEntry(log_position, FeeKind.REDEMPTION, FeeEntryType.ACCRUED, amount)
        case RedemptionFeeReduced(fee=amount):
            return FeeEntry(log_position, FeeKind.REDEMPTION, FeeEntryType.RELEASED, amount)
        case RedemptionFeesWithdrawn(recipient=recipient, amount=amount):
            return FeeEntry(log_position, FeeKind.REDEMPTION, FeeEntryType.PAID, amount, recipient=recipient)
    return None
