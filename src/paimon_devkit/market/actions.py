"""What can happen on the market, as plain values. A name stands for an account, a symbol for a token; amounts are raw.

`kind` is the class's name: weights, tallies and tests go by it.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Action:
    """Base of all."""

    @property
    def kind(self) -> str:
        return type(self).__name__


@dataclass(frozen=True, slots=True)
class PassTime(Action):
    """Nothing happens for so long. What was chosen since the last one lands in one block, at the time before this."""

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
    """`receiver` is sometimes another account."""

    investor: str
    shares: int
    receiver: str


@dataclass(frozen=True, slots=True)
class RequestStandard(RequestRedemption):
    """Small enough for T+7; whether it needs approval is the chain's to say."""


@dataclass(frozen=True, slots=True)
class RequestScheduled(RequestRedemption):
    """Large enough to wait for a quarterly window. The same call as RequestStandard: the chain decides."""


@dataclass(frozen=True, slots=True)
class RequestEmergency(RequestRedemption):
    pass


@dataclass(frozen=True, slots=True)
class CancelRequest(Action):
    investor: str
    request_id: int


# ------------------------------------------------------------------------------------------- approvers, passers-by


@dataclass(frozen=True, slots=True)
class Approve(Action):
    """By a person with VIP_APPROVER_ROLE, on the contract itself: for the house a decision made outside."""

    approver: str
    request_id: int


@dataclass(frozen=True, slots=True)
class Reject(Action):
    approver: str
    request_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Settle(Action):
    """By anyone."""

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
    """New prices by symbol, 1e18."""

    quotes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class ShockPrice(Action):
    symbol: str
    price: int


@dataclass(frozen=True, slots=True)
class PublishStalePrice(Action):
    """A price that was already old when it was published."""

    symbol: str
    price: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class SetImpact(Action):
    """What trading a token costs from here on."""

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
    """Succeeds and buys nothing."""

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
    """The counterparty hands the tokens over, and the delivery is confirmed."""

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
    """Slippage, smallest purchase and subscription window. Unix seconds; 0–0 is always open."""

    symbol: str
    method: int
    slippage_bps: int
    minimum: int
    opens_at: int
    closes_at: int


@dataclass(frozen=True, slots=True)
class SwitchRoute(Action):
    """An asset with an issuer's adapter trades there or on the swap market."""

    symbol: str
    through_adapter: bool


@dataclass(frozen=True, slots=True)
class ListAsset(Action):
    symbol: str
    tier: int
    allocation_bps: int


@dataclass(frozen=True, slots=True)
class DelistAsset(Action):
    """What the fund has of it is sold first."""

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
    """Money or tokens leave the vault without an event of the fund's. `symbol` may be USDT."""

    symbol: str
    amount: int


USDT: Final = "USDT"
