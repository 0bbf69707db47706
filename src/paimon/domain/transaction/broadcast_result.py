"""What a node's answer to a broadcast means. One table over the messages of geth (BSC's node is one), Erigon and anvil.

Nodes agree on neither codes nor spelling, so the message decides, and the first row that matches wins. What no row knows
is UNKNOWN: the nonce stays reserved, and the hash is looked up.
"""

from enum import StrEnum
from typing import Final


class NodeAnswer(StrEnum):
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
        """The node holds exactly these bytes."""
        return self in (NodeAnswer.ACCEPTED, NodeAnswer.ALREADY_KNOWN)

    @property
    def needs_a_person(self) -> bool:
        """Sending the same bytes again will not help by itself."""
        return self in (NodeAnswer.INSUFFICIENT_FUNDS, NodeAnswer.REFUSED)


_RATE_LIMITED: Final = -32005

_TABLE: Final[tuple[tuple[str, NodeAnswer], ...]] = (
    # the very bytes are there
    ("already known", NodeAnswer.ALREADY_KNOWN),
    ("known transaction", NodeAnswer.ALREADY_KNOWN),
    ("already imported", NodeAnswer.ALREADY_KNOWN),
    ("existing tx with same hash", NodeAnswer.ALREADY_KNOWN),
    ("already exists", NodeAnswer.ALREADY_KNOWN),
    # the nonce
    ("nonce too low", NodeAnswer.NONCE_TOO_LOW),
    ("nonce is too low", NodeAnswer.NONCE_TOO_LOW),
    ("old nonce", NodeAnswer.NONCE_TOO_LOW),
    ("nonce too high", NodeAnswer.NONCE_TOO_HIGH),
    ("nonce gap", NodeAnswer.NONCE_TOO_HIGH),
    ("future transaction tries to replace pending", NodeAnswer.NONCE_TOO_HIGH),
    # the price; a replacement that is too cheap says so in the same words
    ("underpriced", NodeAnswer.UNDERPRICED),
    ("could not replace existing tx", NodeAnswer.UNDERPRICED),
    ("fee too low", NodeAnswer.UNDERPRICED),
    ("less than block base fee", NodeAnswer.UNDERPRICED),
    ("below the minimum", NodeAnswer.UNDERPRICED),
    ("gas price too low", NodeAnswer.UNDERPRICED),
    # the money
    ("insufficient funds", NodeAnswer.INSUFFICIENT_FUNDS),
    ("insufficient balance", NodeAnswer.INSUFFICIENT_FUNDS),
    # room
    ("txpool is full", NodeAnswer.POOL_FULL),
    ("sub-pool is full", NodeAnswer.POOL_FULL),
    ("account limit exceeded", NodeAnswer.POOL_FULL),
    ("in-flight transaction limit", NodeAnswer.POOL_FULL),
    # never these bytes
    ("intrinsic gas too low", NodeAnswer.REFUSED),
    ("exceeds block gas limit", NodeAnswer.REFUSED),
    ("gas limit too high", NodeAnswer.REFUSED),
    ("invalid sender", NodeAnswer.REFUSED),
    ("invalid signature", NodeAnswer.REFUSED),
    ("invalid chain id", NodeAnswer.REFUSED),
    ("transaction type not supported", NodeAnswer.REFUSED),
    ("higher than max fee per gas", NodeAnswer.REFUSED),
    ("exceeds the configured cap", NodeAnswer.REFUSED),
    ("oversized data", NodeAnswer.REFUSED),
)


def classify_answer(code: int, message: str) -> NodeAnswer:
    """The meaning of a JSON-RPC error to `eth_sendRawTransaction`."""
    if code == _RATE_LIMITED:
        return NodeAnswer.UNKNOWN
    words = message.lower()
    for part, answer in _TABLE:
        if part in words:
            return answer
    return NodeAnswer.UNKNOWN
