"""Nonces of one wallet: choose the next one, and derive the outcome of a used one.

The wallet row's counter is one more than the highest nonce of any stored attempt, because both are written in one
transaction; it only grows. The chain is read twice, at a final block and at the latest. Only the final count can move the
counter: a foreign transaction that is reorganised away would otherwise leave a gap that no transaction fills.
"""

from collections.abc import Container
from dataclasses import dataclass
from enum import Enum, auto


@dataclass(frozen=True, slots=True)
class NonceCounts:
    """Counts of one wallet in the database and at the node. `lowest_open` is the lowest nonce in flight, if any."""

    counter: int
    lowest_open: int | None
    final_nonce: int
    latest_nonce: int


@dataclass(frozen=True, slots=True)
class UseNonce:
    """Sign with this nonce. The `external` nonces below it were used by foreign transactions."""

    nonce: int
    external: range


@dataclass(frozen=True, slots=True)
class WaitForNonce:
    """Sign nothing now; the reason is for operators."""

    reason: str


def choose_nonce(counts: NonceCounts) -> UseNonce | WaitForNonce:
    """Choose the next nonce: the counter, or the node's count where that is ahead and final.

    1. The node has mined more than was ever signed, not final yet: wait until the foreign transaction is final.
    2. The node has mined less than was seen final: it lags, or it is on another chain; wait.
    3. Otherwise use the greater of the two counts; the nonces between them were used externally.
    """
    expected_count = max(counts.counter, counts.final_nonce)
    if counts.latest_nonce > expected_count:
        return WaitForNonce(f"nonce {counts.latest_nonce - 1} was used by a foreign transaction that is not final yet")
    expected = counts.counter if counts.lowest_open is None else counts.lowest_open
    if counts.latest_nonce < expected:
        return WaitForNonce(
            f"the node counts {counts.latest_nonce} transactions of this wallet, {expected} were seen final:"
            " it lags, or it is on another chain"
        )
    return UseNonce(expected_count, range(counts.counter, expected_count))


class NonceOutcome(Enum):
    """Outcome of a nonce for which attempts are signed."""

    PENDING = auto()
    MINED = auto()
    FINAL = auto()
    USED_EXTERNALLY = auto()


def nonce_outcome(nonce: int, *, mined_block: int | None, final_number: int, final_nonce: int) -> NonceOutcome:
    """Derive the outcome of a nonce. `mined_block` is the block of the receipt of any attempt at this nonce.

    The nonce is used externally only when the final chain is past it and no attempt has a receipt, after all responses.
    """
    if mined_block is not None:
        return NonceOutcome.FINAL if mined_block <= final_number else NonceOutcome.MINED
    return NonceOutcome.USED_EXTERNALLY if final_nonce > nonce else NonceOutcome.PENDING


def missing_nonces(*, latest_nonce: int, counter: int, attempted: Container[int]) -> tuple[int, ...]:
    """Return nonces that were assigned, are unused on chain and have no attempt: gaps that block every nonce above."""
    return tuple(nonce for nonce in range(latest_nonce, counter) if nonce not in attempted)
