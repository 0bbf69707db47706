"""Facts: results that one transaction fixes for good. Each is one row, identified by the position of its log."""

from dataclasses import dataclass, field
from enum import StrEnum

from paimon.domain.asset.token_transfer import ClassifiedTransfer
from paimon.domain.asset.trade import Trade
from paimon.domain.events import (
    CriticalLiquidityAlert,
    DepositProcessed,
    FundEvent,
    LowLiquidityAlert,
    RoleGranted,
    RoleRevoked,
)
from paimon.domain.kernel.chain import Address, ContractName, Hash32, LogPosition
from paimon.domain.kernel.units import RawAmount
from paimon.domain.vault.fees import FeeEntry


@dataclass(frozen=True, slots=True)
class Deposit:
    """Assets in, shares out. Shares are minted at net assets ÷ whole supply (deployed behaviour 1), not at NAV."""

    log_position: LogPosition
    sender: Address
    receiver: Address
    assets: RawAmount
    shares: RawAmount


@dataclass(frozen=True, slots=True)
class RoleChange:
    """`sender` granted a role to an account, or revoked it."""

    log_position: LogPosition
    contract: ContractName
    role: Hash32
    account: Address
    sender: Address
    granted: bool


class AlertLevel(StrEnum):
    LOW = "LOW"
    CRITICAL = "CRITICAL"


@dataclass(frozen=True, slots=True)
class LiquidityAlert:
    """A liquidity alert of the contract, in the vault's asset. The critical alert does not log `total`."""

    log_position: LogPosition
    level: AlertLevel
    ratio_bps: int
    threshold_bps: int
    available: RawAmount
    total: RawAmount | None


@dataclass(slots=True)
class Facts:
    """The facts that the folded transactions added."""

    deposits: list[Deposit] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    transfers: list[ClassifiedTransfer] = field(default_factory=list)
    fee_entries: list[FeeEntry] = field(default_factory=list)
    role_changes: list[RoleChange] = field(default_factory=list)
    alerts: list[LiquidityAlert] = field(default_factory=list)

    def record_event(self, event: FundEvent, contract: ContractName, log_position: LogPosition) -> None:
        """Append the fact that this event alone determines; other events add nothing."""
        match event:
            case DepositProcessed(sender=sender, receiver=receiver, assets=assets, shares=shares):
                self.deposits.append(Deposit(log_position, sender, receiver, assets, shares))
            case RoleGranted(role=role, account=account, sender=sender):
                self.role_changes.append(RoleChange(log_position, contract, role, account, sender, granted=True))
            case RoleRevoked(role=role, account=account, sender=sender):
                self.role_changes.append(RoleChange(log_position, contract, role, account, sender, granted=False))
            case LowLiquidityAlert(current_ratio=ratio, threshold=threshold, available=available, total=total):
                self.alerts.append(LiquidityAlert(log_position, AlertLevel.LOW, ratio, threshold, available, total))
            case CriticalLiquidityAlert(current_ratio=ratio, threshold=threshold, available=available):
                self.alerts.append(LiquidityAlert(log_position, AlertLevel.CRITICAL, ratio, threshold, available, None))
