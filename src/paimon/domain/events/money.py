"""Events of token Transfers from and to the vault, and of fees kept, accrued and paid.

`ManagementFeeCollected` and `PerformanceFeeCollected` are the contract's names for *accruals*; they collect nothing. The
collection has no event, only its Transfer (deployed behaviour 6).
"""

from dataclasses import dataclass

from paimon.domain.events.base import ASSET_CONTROLLER, TOKEN, VAULT, FundEvent
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount


@dataclass(frozen=True, slots=True)
class TokenTransfer(FundEvent):
    """An ERC-20 token (`emitter`) moved from or to the vault."""

    emitters = TOKEN
    abi_name = "Transfer"
    emitter: Address
    from_: Address
    to: Address
    value: RawAmount


@dataclass(frozen=True, slots=True)
class ManagementFeeCollected(FundEvent):
    emitters = ASSET_CONTROLLER
    fee_amount: RawAmount
    total_assets: RawAmount
    period: int


@dataclass(frozen=True, slots=True)
class PerformanceFeeCollected(FundEvent):
    emitters = ASSET_CONTROLLER
    fee_amount: RawAmount
    profit: RawAmount
    new_high_water_mark: RawAmount


@dataclass(frozen=True, slots=True)
class RedemptionFeeAdded(FundEvent):
    emitters = VAULT
    fee: RawAmount


@dataclass(frozen=True, slots=True)
class RedemptionFeeReduced(FundEvent):
    emitters = VAULT
    fee: RawAmount


@dataclass(frozen=True, slots=True)
class RedemptionFeesWithdrawn(FundEvent):
    """Redemption fees paid out; the vault logs RedemptionFeeReduced in the same transaction."""

    emitters = ASSET_CONTROLLER
    recipient: Address
    amount: RawAmount
