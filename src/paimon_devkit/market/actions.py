"""The actions of the market, as plain values. A name stands for an account, a symbol for a token; amounts are raw.

`kind` is the class's name. Weights, counts and tests use it.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Action:
    """Base class of all actions."""

    @property
    def kind(self) -> str:
        """The class's name."""
        return type(self).__name__


@dataclass(frozen=True, slots=True)
class PassTime(Action):
    """Let time pass. The actions since the last PassTime share one block, at the time before this one."""

    seconds: int


# ---------------------------------------------------------------------------------------------------- investors


@dataclass(frozen=True, slots=True)
class Deposit(Action):
    investor: str
    amount: int


@dataclass(frozen=True, slots=True)
class MintShares(Action):
    investor: str
    shares: int


@dataclass(frozen=True, slots=True)
class TransferShares(Action):
    sender: str
    receiver: str
    shares: int


@dataclass(frozen=True, slots=True)
class RequestRedemption(Action):
    """Base class of the requests. `receiver` may be another account."""

    investor: str
    shares: int
    receiver: str


@dataclass(frozen=True, slots=True)
class RequestStandard(RequestRedemption):
    """Request shares that are few enough for T+7. The chain decides whether the request needs approval."""


@dataclass(frozen=True, slots=True)
class RequestScheduled(RequestRedemption):
    """Request shares that are enough for a quarterly window. The call is that of RequestStandard: the chain decides."""


@dataclass(frozen=True, slots=True)
class RequestEmergency(RequestRedemption):
    pass


@dataclass(frozen=True, slots=True)
class CancelRequest(Action):
    investor: str
    request_id: int


# ----------------------------------------------------------------------------------------- approvers, third parties


@dataclass(frozen=True, slots=True)
class Approve(Action):
    """Approve on the contract itself, as an account with VIP_APPROVER_ROLE. For the application it is decided externally."""

    approver: str
    request_id: int


@dataclass(frozen=True, slots=True)
class Reject(Action):
    approver: str
    request_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Settle(Action):
    """Settle a request, as any account may."""

    request_id: int


@dataclass(frozen=True, slots=True)
class SettleScheduled(Action):
    request_id: int


@dataclass(frozen=True, slots=True)
class SettleBatch(Action):
    count: int


@dataclass(frozen=True, slots=True)
class RefreshCache(Action):
    pass


@dataclass(frozen=True, slots=True)
class UpdateNav(Action):
    pass


@dataclass(frozen=True, slots=True)
class AccrueManagementFee(Action):
    pass


@dataclass(frozen=True, slots=True)
class AccruePerformanceFee(Action):
    pass


# ------------------------------------------------------------------------------------------------------- prices


@dataclass(frozen=True, slots=True)
class MovePrices(Action):
    """Set new prices by symbol, 1e18."""

    quotes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class ShockPrice(Action):
    symbol: str
    price: int


@dataclass(frozen=True, slots=True)
class PublishStalePrice(Action):
    """Publish a price that is already old."""

    symbol: str
    price: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class SetImpact(Action):
    """Set what trading a token costs."""

    symbol: str
    impact_bps: int


@dataclass(frozen=True, slots=True)
class EarnYield(Action):
    symbol: str
    amount: int


# --------------------------------------------------------------------------------------------- portfolio manager


@dataclass(frozen=True, slots=True)
class CompoundYield(Action):
    pass


@dataclass(frozen=True, slots=True)
class Buy(Action):
    symbol: str
    amount: int


@dataclass(frozen=True, slots=True)
class BuyBelowMinimum(Action):
    """Buy less than the asset's minimum: the call succeeds and buys nothing."""

    symbol: str
    amount: int


@dataclass(frozen=True, slots=True)
class Sell(Action):
    symbol: str
    tokens: int


@dataclass(frozen=True, slots=True)
class AllocateToLayer(Action):
    tier: int
    amount: int


@dataclass(frozen=True, slots=True)
class RebalanceBuffer(Action):
    pass


@dataclass(frozen=True, slots=True)
class Waterfall(Action):
    amount: int
    tier_max: int


@dataclass(frozen=True, slots=True)
class CreateOtcOrder(Action):
    symbol: str
    amount: int
    tokens: int
    expires_in_seconds: int


@dataclass(frozen=True, slots=True)
class PayOtcOrder(Action):
    order_id: int


@dataclass(frozen=True, slots=True)
class DeliverOtcOrder(Action):
    """Deliver the tokens as the counterparty, and confirm the delivery."""

    order_id: int
    symbol: str
    tokens: int


@dataclass(frozen=True, slots=True)
class CancelOtcOrder(Action):
    order_id: int


@dataclass(frozen=True, slots=True)
class UpdateAllocation(Action):
    symbol: str
    allocation_bps: int


# -------------------------------------------------------------------------------------------------------- admin


@dataclass(frozen=True, slots=True)
class SetHighWaterMark(Action):
    value: int


@dataclass(frozen=True, slots=True)
class CollectFees(Action):
    pass


@dataclass(frozen=True, slots=True)
class WithdrawRedemptionFees(Action):
    amount: int


@dataclass(frozen=True, slots=True)
class SetFeeRecipient(Action):
    recipient: str


@dataclass(frozen=True, slots=True)
class SetLayerConfig(Action):
    tier: int
    target_bps: int
    min_bps: int
    max_bps: int


@dataclass(frozen=True, slots=True)
class SetPurchaseTerms(Action):
    """Set slippage, minimum purchase and subscription window (Unix seconds; 0 to 0 is always open)."""

    symbol: str
    method: int
    slippage_bps: int
    minimum: int
    opens_at: int
    closes_at: int


@dataclass(frozen=True, slots=True)
class SwitchRoute(Action):
    """Trade an asset through its issuer's adapter, or on the swap market."""

    symbol: str
    through_adapter: bool


@dataclass(frozen=True, slots=True)
class ListAsset(Action):
    symbol: str
    tier: int
    allocation_bps: int


@dataclass(frozen=True, slots=True)
class DelistAsset(Action):
    """Remove an asset; the fund's tokens of it are sold first."""

    symbol: str
    tokens: int


@dataclass(frozen=True, slots=True)
class GrantRole(Action):
    contract: str
    role: str
    account: str


@dataclass(frozen=True, slots=True)
class RevokeRole(Action):
    contract: str
    role: str
    account: str


@dataclass(frozen=True, slots=True)
class Pause(Action):
    contract: str


@dataclass(frozen=True, slots=True)
class Unpause(Action):
    contract: str


@dataclass(frozen=True, slots=True)
class EmergencyOn(Action):
    pass


@dataclass(frozen=True, slots=True)
class EmergencyOff(Action):
    pass


@dataclass(frozen=True, slots=True)
class MoveWindow(Action):
    window_id: int
    settles_at: int


@dataclass(frozen=True, slots=True)
class EmergencyWithdraw(Action):
    """Move USDT or tokens out of the vault, which the fund's contracts do without an event."""

    symbol: str
    amount: int


USDT: Final = "USDT"
