"""Requests to the signer, and the fees of transactions. Prices are wei per unit of gas."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.units import BPS_ONE, Bps, Rounding, divide
from paimon.domain.transaction.lifecycle import Call

FEE_BUMP_BPS_MIN: Final = Bps(1_000)
"""Nodes accept a replacement only when it pays at least 10 % more. Source: geth's txpool `PriceBump`."""

PLAIN_TRANSFER_GAS: Final = 21_000
"""Gas of a transaction without data."""


class GasFeeType(StrEnum):
    """Fee format of a transaction."""

    EIP1559 = "eip1559"
    LEGACY = "legacy"


@dataclass(frozen=True, slots=True)
class GasFees:
    """The maximum fee and, within it, the priority fee. A legacy price is both."""

    max_fee_wei: int
    priority_fee_wei: int

    def __post_init__(self) -> None:
        if not 0 <= self.priority_fee_wei <= self.max_fee_wei:
            raise ValueError(f"fees need 0 ≤ priority ≤ max, got {self.priority_fee_wei} and {self.max_fee_wei}")


def market_fees(base_fee_wei: int, tip_wei: int, *, max_fee_wei: int) -> GasFees | None:
    """Choose the fees to offer: room for the base fee to double, within the cap. None while the price is above the cap."""
    if base_fee_wei + tip_wei > max_fee_wei:
        return None
    return GasFees(min(2 * base_fee_wei + tip_wei, max_fee_wei), tip_wei)


def bump_fee(fee_wei: int, bump_bps: Bps) -> int:
    """Raise the fee by at least 10 %, rounded up, and by at least 1 wei."""
    rate = max(bump_bps, FEE_BUMP_BPS_MIN)
    return max(divide(fee_wei * (BPS_ONE + rate), BPS_ONE, rounding=Rounding.UP), fee_wei + 1)


def replacement_fees(previous: GasFees, market: GasFees | None, bump_bps: Bps, *, max_fee_wei: int) -> GasFees | None:
    """Choose the fees of a replacement at the same nonce: both fields raised, at least the market's, within the cap.

    None when the cap leaves no room for the 10 % that a node requires: then the earlier attempt must do.
    """
    minimum = GasFees(bump_fee(previous.max_fee_wei, FEE_BUMP_BPS_MIN), bump_fee(previous.priority_fee_wei, FEE_BUMP_BPS_MIN))
    if minimum.max_fee_wei > max_fee_wei:
        return None
    target = GasFees(bump_fee(previous.max_fee_wei, bump_bps), bump_fee(previous.priority_fee_wei, bump_bps))
    market = market or target
    return GasFees(
        min(max(target.max_fee_wei, market.max_fee_wei), max_fee_wei),
        min(max(target.priority_fee_wei, market.priority_fee_wei), max_fee_wei),
    )


def add_gas_margin(gas: int, margin_bps: Bps) -> int:
    """Add a margin to the node's estimate: the state may change before the transaction runs."""
    return divide(gas * (BPS_ONE + margin_bps), BPS_ONE, rounding=Rounding.UP)


@dataclass(frozen=True, slots=True)
class UnsignedTransaction:
    """A transaction without its signature."""

    chain_id: int
    nonce: int
    gas_limit: int
    gas_fee_type: GasFeeType
    fees: GasFees
    call: Call

    @property
    def cost_wei_max(self) -> int:
        return self.gas_limit * self.fees.max_fee_wei + self.call.value_wei


@dataclass(frozen=True, slots=True)
class SignedVote:
    """An approver's signed decision: the EIP-712 document and 65 bytes of signature."""

    document: dict[str, Any]
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedPlan:
    """A plan as a person or the planner signed it: the EIP-712 document, 65 bytes of signature, and one of its calls.

    `call_index` is the place of the transaction's call in the document. It is None for a Safe, which makes all calls at once.
    """

    document: dict[str, Any]
    signature: bytes
    call_index: int | None


@dataclass(frozen=True, slots=True)
class SignRequest:
    """A transaction for the wallet's key to sign, with the votes or the plan that permit it."""

    wallet: Address
    transaction: UnsignedTransaction
    votes: tuple[SignedVote, ...] = ()
    plan: SignedPlan | None = None


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """The signed bytes that any node accepts, and their hash. The bytes are never logged."""

    raw: bytes
    hash: Hash32
