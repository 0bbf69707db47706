"""The numbering of one wallet's transactions: which nonce comes next, and what became of one that was used.

The wallet row's counter is one more than the highest nonce of any stored attempt, because both are written in one
transaction; it only grows. The chain is asked twice, at a final block and at the latest: only the final answer can move
the counter, as a foreign transaction that is reorganised away would otherwise leave a gap nothing of ours fills.
"""

from collections.abc import Container
from dataclasses import dataclass
from enum import Enum, auto


@dataclass(frozen=True, slots=True)
class NonceCounts:
    """What the database and the node say about one wallet. `lowest_open` is the lowest nonce in flight, if any."""

    counter: int
    lowest_open: int | None
    final_nonce: int
    latest_nonce: int


@dataclass(frozen=True, slots=True)
class UseNonce:
    """Sign with this one. `foreign` nonces below it were used by transactions that are not ours."""

    nonce: int
    external: range


@dataclass(frozen=True, slots=True)
class WaitForNonce:
    """Sign nothing now; the reason is for people."""

    reason: str


def choose_nonce(counts: NonceCounts) -> UseNonce | WaitForNonce:
    """The next nonce: the counter, or the node's count where that is ahead and final.

    1. The node has mined more than we ever signed, not final yet: wait for the final word on the foreign transaction.
    2. The node has mined less than what we have seen final: it lags, or it is another chain; wait.
    3. Otherwise the greater of the two, and what lies between them was foreign.
    """
    expected_count = max(counts.counter, counts.final_nonce)
    if counts.latest_nonce > expected_count:
        return WaitForNonce(f"nonce {counts.latest_nonce - 1} was used by a transaction that is not ours and is not final yet")
    expected = counts.counter if counts.lowest_open is None else counts.lowest_open
    if counts.latest_nonce < expected:
        return WaitForNonce(
            f"the node counts {counts.latest_nonce} transactions of this wallet, {expected} were seen final:"
            " it lags behind, or it is not the chain these were sent on"
        )
    return UseNonce(expected_count, range(counts.counter, expected_count))


class NonceOutcome(Enum):
    """What became of a nonce we have signed for."""

    PENDING = auto()
    MINED = auto()
    FINAL = auto()
    USED_EXTERNALLY = auto()


def nonce_outcome(nonce: int, *, mined_block: int | None, final_number: int, final_nonce: int) -> NonceOutcome:
    """`mined_block` is the block of the receipt of whichever of our attempts at this nonce has one.

    Used elsewhere only when the final chain is past the nonce and no hash of ours has a receipt: all answers in hand.
    """
    if mined_block is not None:
        return NonceOutcome.FINAL if mined_block <= final_number else NonceOutcome.MINED
    return NonceOutcome.USED_EXTERNALLY if final_nonce > nonce else NonceOutcome.PENDING


def missing_nonces(*, latest_nonce: int, counter: int, attempted: Container[int]) -> tuple[int, ...]:
    """Nonces that were given out, are not used on chain, and have no attempt: gaps that would hold up everything above."""
    return tuple(each for each in range(latest_nonce, counter) if each not in attempted)
