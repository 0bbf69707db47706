"""Rules that classify a node's response to a broadcast, over the messages of geth (BSC's node is one), Erigon and anvil.

Nodes agree on neither codes nor spelling, so the message decides, and the first matching rule wins. A message that no rule
matches is UNKNOWN: the nonce stays reserved, and the transaction is looked up by its hash.
"""

from enum import StrEnum
from typing import Final


class BroadcastResult(StrEnum):
    """Meaning of a node's response to `eth_sendRawTransaction`."""

    ACCEPTED = "accepted"
    ALREADY_KNOWN = "already_known"
    NONCE_TOO_LOW = "nonce_too_low"
    NONCE_TOO_HIGH = "nonce_too_high"
    UNDERPRICED = "underpriced"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    POOL_FULL = "pool_full"
    REFUSED = "refused"
    UNKNOWN = "unknown"

    @property
    def is_acknowledged(self) -> bool:
        """Report whether the node holds exactly these bytes."""
        return self in (BroadcastResult.ACCEPTED, BroadcastResult.ALREADY_KNOWN)

    @property
    def needs_operator(self) -> bool:
        """Report whether broadcasting the same bytes again cannot help by itself."""
        return self in (BroadcastResult.INSUFFICIENT_FUNDS, BroadcastResult.REFUSED)


_RATE_LIMITED: Final = -32005

_RULES: Final[tuple[tuple[str, BroadcastResult], ...]] = (
    # the node has these bytes
    ("already known", BroadcastResult.ALREADY_KNOWN),
    ("known transaction", BroadcastResult.ALREADY_KNOWN),
    ("already imported", BroadcastResult.ALREADY_KNOWN),
    ("existing tx with same hash", BroadcastResult.ALREADY_KNOWN),
    ("already exists", BroadcastResult.ALREADY_KNOWN),
    # the nonce
    ("nonce too low", BroadcastResult.NONCE_TOO_LOW),
    ("nonce is too low", BroadcastResult.NONCE_TOO_LOW),
    ("old nonce", BroadcastResult.NONCE_TOO_LOW),
    ("nonce too high", BroadcastResult.NONCE_TOO_HIGH),
    ("nonce gap", BroadcastResult.NONCE_TOO_HIGH),
    ("future transaction tries to replace pending", BroadcastResult.NONCE_TOO_HIGH),
    # the price; the messages are the same for a replacement that is too cheap
    ("underpriced", BroadcastResult.UNDERPRICED),
    ("could not replace existing tx", BroadcastResult.UNDERPRICED),
    ("fee too low", BroadcastResult.UNDERPRICED),
    ("less than block base fee", BroadcastResult.UNDERPRICED),
    ("below the minimum", BroadcastResult.UNDERPRICED),
    ("gas price too low", BroadcastResult.UNDERPRICED),
    # the money
    ("insufficient funds", BroadcastResult.INSUFFICIENT_FUNDS),
    ("insufficient balance", BroadcastResult.INSUFFICIENT_FUNDS),
    # room in the pool
    ("txpool is full", BroadcastResult.POOL_FULL),
    ("sub-pool is full", BroadcastResult.POOL_FULL),
    ("account limit exceeded", BroadcastResult.POOL_FULL),
    ("in-flight transaction limit", BroadcastResult.POOL_FULL),
    # bytes that no node accepts
    ("intrinsic gas too low", BroadcastResult.REFUSED),
    ("exceeds block gas limit", BroadcastResult.REFUSED),
    ("gas limit too high", BroadcastResult.REFUSED),
    ("invalid sender", BroadcastResult.REFUSED),
    ("invalid signature", BroadcastResult.REFUSED),
    ("invalid chain id", BroadcastResult.REFUSED),
    ("transaction type not supported", BroadcastResult.REFUSED),
    ("higher than max fee per gas", BroadcastResult.REFUSED),
    ("exceeds the configured cap", BroadcastResult.REFUSED),
    ("oversized data", BroadcastResult.REFUSED),
)


def classify_broadcast_error(code: int, message: str) -> BroadcastResult:
    """Classify a JSON-RPC error to `eth_sendRawTransaction`."""
    if code == _RATE_LIMITED:
        return BroadcastResult.UNKNOWN
    text = message.lower()
    for pattern, result in _RULES:
        if pattern in text:
            return result
    return BroadcastResult.UNKNOWN
