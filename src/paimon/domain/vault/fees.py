"""Fees: what they add up to, and how each came about.

Management and performance fees are accrued by events that are named "collected", and collected by a Transfer that has no
event. Redemption fees are kept back at a settlement, and leave the vault's books and the vault itself by two events of
one transaction; the contract's own count of what was withdrawn is always 0 (deployed behaviour 12), ours is not.
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
    """ACCRUED raises what is owed, RELEASED lowers it, PAID is money that left the vault.

    A collection of management and performance fees releases and pays at once and is kept as PAID; redemption fees are
    released by the vault and paid by the asset controller.
    """

    ACCRUED = "ACCRUED"
    RELEASED = "RELEASED"
    PAID = "PAID"


@dataclass(frozen=True, slots=True)
class FeeAccount:
    """One kind's totals since the first block. What is owed to the fee recipient is `accrued` less `released`."""

    kind: FeeKind
    accrued: RawAmount = RawAmount(0)
    released: RawAmount = RawAmount(0)
    paid: RawAmount = RawAmount(0)

    @property
    def owed(self) -> RawAmount:
        return RawAmount(self.accrued - self.released)

    def after(self, entry_type: FeeEntryType, amount: RawAmount) -> "FeeAccount":
        """Raises InapplicableEvent when more would be released than is owed, or a total leaves what the chain can count."""
        match entry_type:
            case FeeEntryType.ACCRUED:
                changed = FeeAccount(self.kind, RawAmount(self.accrued + amount), self.released, self.paid)
            case FeeEntryType.RELEASED:
                changed = FeeAccount(self.kind, self.accrued, RawAmount(self.released + amount), self.paid)
            case FeeEntryType.PAID:
                changed = FeeAccount(self.kind, self.accrued, self.released, RawAmount(self.paid + amount))
        if changed.owed < 0:
            raise InapplicableEvent(f"{amount} of {self.kind} fees are released where {self.owed} are owed")
        if max(changed.accrued, changed.paid) > UINT256_MAX:
            raise InapplicableEvent(f"{amount} more of {self.kind} fees cannot be counted by the chain")
        return changed

    def collected(self) -> "FeeAccount":
        """After a collection, which pays all that is owed."""
        return self.after(FeeEntryType.RELEASED, self.owed).after(FeeEntryType.PAID, self.owed)


@dataclass(frozen=True, slots=True)
class FeeEntry:
    """One step of one kind of fee.

    `base` is what the fee was computed from: net assets plus liability, or the profit above the mark. `high_water_mark`
    is the mark a performance accrual left; an admin may move it without an event.
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
    """The entry an event makes; None for one that tells of no fee."""
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
