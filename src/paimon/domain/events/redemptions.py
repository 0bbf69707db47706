"""Events of redemptions, and the redemption manager's alerts about low liquidity."""

from dataclasses import dataclass

from paimon.domain.events.base import REDEMPTION_MANAGER, FundEvent
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount


@dataclass(frozen=True, slots=True)
class RedemptionRequested(FundEvent):
    emitters = REDEMPTION_MANAGER
    request_id: int
    owner: Address
    receiver: Address
    shares: RawAmount
    locked_amount: RawAmount
    estimated_fee: RawAmount
    channel: int
    requires_approval: bool
    settlement_time: int
    window_id: int


@dataclass(frozen=True, slots=True)
class RedemptionApproved(FundEvent):
    emitters = REDEMPTION_MANAGER
    request_id: int
    approver: Address
    settlement_time: int


@dataclass(frozen=True, slots=True)
class RedemptionRejected(FundEvent):
    emitters = REDEMPTION_MANAGER
    request_id: int
    rejector: Address
    reason: str


@dataclass(frozen=True, slots=True)
class RedemptionCancelled(FundEvent):
    emitters = REDEMPTION_MANAGER
    request_id: int
    owner: Address


@dataclass(frozen=True, slots=True)
class RedemptionSettled(FundEvent):
    emitters = REDEMPTION_MANAGER
    request_id: int
    owner: Address
    receiver: Address
    gross_amount: RawAmount
    fee: RawAmount
    net_amount: RawAmount
    channel: int


RedemptionEvent = RedemptionRequested | RedemptionApproved | RedemptionRejected | RedemptionCancelled | RedemptionSettled


@dataclass(frozen=True, slots=True)
class LowLiquidityAlert(FundEvent):
    """(L1 + L2) ÷ (net assets + liability) in bps, below its threshold after a request or a settlement."""

    emitters = REDEMPTION_MANAGER
    current_ratio: int
    threshold: int
    available: RawAmount
    total: RawAmount


@dataclass(frozen=True, slots=True)
class CriticalLiquidityAlert(FundEvent):
    emitters = REDEMPTION_MANAGER
    current_ratio: int
    threshold: int
    available: RawAmount
