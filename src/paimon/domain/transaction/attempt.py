"""An attempt: one signed transaction that tries to bring an intent about, and how its state changes.

An attempt is a frozen value. Each method returns the next value; `AttemptStatus` (in `lifecycle`) has the diagram.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.transaction.lifecycle import OPEN_ATTEMPTS, AttemptStatus, BroadcastChannel, advance_attempt


@dataclass(frozen=True, slots=True)
class AttemptReceipt:
    """Where and how a transaction was mined."""

    hash: Hash32
    block_number: int
    block_hash: Hash32
    succeeded: bool
    gas_used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One signed transaction. Its bytes are stored before a node sees them."""

    hash: Hash32
    intent_id: UUID
    wallet: Address
    nonce: int
    gas_limit: int
    max_fee_wei: int
    priority_fee_wei: int
    raw: bytes
    channel: BroadcastChannel
    signed_at_block: int | None
    created_at: datetime
    is_cancellation: bool = False
    """A self-send of nothing that only uses up the nonce."""
    status: AttemptStatus = AttemptStatus.SIGNED
    answer: str | None = None
    broadcast_at: datetime | None = None
    block_number: int | None = None
    block_hash: Hash32 | None = None
    succeeded: bool | None = None
    gas_used: int | None = None

    @property
    def gas_cost_wei_max(self) -> int:
        return self.gas_limit * self.max_fee_wei

    @property
    def is_call_successful(self) -> bool:
        """Whether the transaction made the intent's call and succeeded."""
        return bool(self.succeeded) and not self.is_cancellation

    def mined(self, receipt: AttemptReceipt) -> "Attempt":
        """Record the block in which the transaction was mined."""
        return replace(
            self,
            status=advance_attempt(self.status, AttemptStatus.MINED),
            block_number=receipt.block_number,
            block_hash=receipt.block_hash,
            succeeded=receipt.succeeded,
            gas_used=receipt.gas_used,
        )

    def reorganised(self) -> "Attempt":
        """Forget the block: the chain no longer has it, and the transaction counts as broadcast again."""
        return replace(
            self,
            status=advance_attempt(self.status, AttemptStatus.BROADCAST),
            block_number=None,
            block_hash=None,
            succeeded=None,
            gas_used=None,
        )

    def final(self) -> "Attempt":
        """Close the attempt whose block is final."""
        return replace(self, status=advance_attempt(self.status, AttemptStatus.FINAL))

    def replaced(self) -> "Attempt":
        """Record that another attempt at the same nonce took the place of this one."""
        return replace(self, status=advance_attempt(self.status, AttemptStatus.REPLACED))

    def dropped(self) -> "Attempt":
        """Record that a transaction which is not ours used the nonce."""
        return replace(self, status=advance_attempt(self.status, AttemptStatus.DROPPED))


# The attempts at one nonce change together: at most one of them is mined.


def mark_mined(attempts: Sequence[Attempt], receipt: AttemptReceipt) -> list[Attempt]:
    """Record the receipt of one attempt. Another attempt that was mined before was reorganised away."""
    others_reorganised = mark_reorganised([each for each in attempts if each.hash != receipt.hash])
    remaining = iter(others_reorganised)
    return [each.mined(receipt) if each.hash == receipt.hash else next(remaining) for each in attempts]


def mark_reorganised(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Take back what was mined: no attempt has a receipt any more."""
    return [each.reorganised() if each.status is AttemptStatus.MINED else each for each in attempts]


def mark_final(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Close the nonce: the mined attempt is final, the open ones are replaced for good."""
    return [_at_final_nonce(each) for each in attempts]


def _at_final_nonce(attempt: Attempt) -> Attempt:
    if attempt.status is AttemptStatus.MINED:
        return attempt.final()
    return attempt.replaced() if attempt.status in OPEN_ATTEMPTS else attempt


def mark_replaced(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Make way for a new attempt at the nonce."""
    unmined = (AttemptStatus.SIGNED, AttemptStatus.BROADCAST)
    return [each.replaced() if each.status in unmined else each for each in attempts]


def mark_dropped(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Close the nonce that a transaction which is not ours has used."""
    return [each.dropped() for each in attempts]
