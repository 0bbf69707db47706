"""What people may tell the transaction desk: the wish, what they sign, and when it makes no sense.

    asked ──► done   the wallet's driver carried it out, once
         └──► moot   by the time the driver came to it, there was nothing left to do; the outcome says why

A wish is EIP-712 typed data that names the deed and what it is done to. An intent is named by id and key; trouble by its
own words, so that trouble nobody has read cannot be cleared.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from paimon.domain.kernel.chain import Address, Hash32, checksum, hex0x
from paimon.domain.kernel.eip712 import DOMAIN_FIELDS, SigningScope
from paimon.domain.transaction.lifecycle import OPEN_INTENTS, IntentStatus
from paimon.errors import Conflict

ACTION_TYPE: Final = "TransactionAction"

_TYPES: Final[dict[str, list[dict[str, str]]]] = {
    "EIP712Domain": DOMAIN_FIELDS,
    ACTION_TYPE: [
        {"name": "action", "type": "string"},
        {"name": "wallet", "type": "address"},
        {"name": "intentId", "type": "string"},
        {"name": "target", "type": "string"},
        {"name": "reason", "type": "string"},
        {"name": "nonce", "type": "bytes32"},
        {"name": "expiresAt", "type": "uint256"},
    ],
}


class ActionKind(StrEnum):
    SPEED_UP = "speed_up"
    CANCEL = "cancel"
    RETRY = "retry"
    CLEAR_FAULT = "clear_fault"


class ActionStatus(StrEnum):
    REQUESTED = "REQUESTED"
    DONE = "DONE"
    OBSOLETE = "OBSOLETE"


INTENT_ACTIONS: Final = (ActionKind.SPEED_UP, ActionKind.CANCEL, ActionKind.RETRY)
RETRIABLE_STATUSES: Final = frozenset(
    {IntentStatus.REVERTED, IntentStatus.FAILED, IntentStatus.EXPIRED, IntentStatus.CANCELLED}
)
"""Ends without the effect."""


class ActionNotPossible(Conflict):
    """What is asked makes no sense in the present state."""


@dataclass(frozen=True, slots=True)
class ActionPreconditions:
    """How an intent stands, as far as a deed depends on it. `lowest` is the wallet's lowest nonce in flight."""

    status: IntentStatus
    is_aborting: bool
    nonce: int | None = None
    mined_block: int | None = None
    lowest_open_nonce: int | None = None
    has_later_retry: bool = False
    has_spending_limits: bool = False
    """It moves money within limits: only handing the plan in again weighs it anew."""


def rejection_reason(kind: ActionKind, now: ActionPreconditions) -> str | None:
    """Why this deed makes no sense for an intent that stands so; None when it does."""
    match kind:
        case ActionKind.RETRY if now.status not in RETRIABLE_STATUSES:
            return f"the intent is {now.status}; only one that ended without its effect can be tried again"
        case ActionKind.RETRY if now.has_spending_limits:
            return "it is a plan's, whose limits must be weighed anew: hand the plan in again"
        case ActionKind.RETRY:
            return "a later try of the same exists; look at that one" if now.has_later_retry else None
        case _ if now.status not in OPEN_INTENTS:
            return f"the intent has ended: it is {now.status}"
        case _ if now.mined_block is not None:
            return f"its transaction is mined in block {now.mined_block} and only waits to be final"
        case ActionKind.CANCEL:
            return "the intent is being given up already" if now.is_aborting else None
        case ActionKind.SPEED_UP if now.status is not IntentStatus.SENDING:
            return f"the intent is {now.status}; only what is in flight can be sped up"
        case ActionKind.SPEED_UP if now.nonce != now.lowest_open_nonce:
            return f"its nonce {now.nonce} waits for nonce {now.lowest_open_nonce}; speed that one up"
    return None


@dataclass(frozen=True, slots=True)
class ActionTarget:
    """What a deed is done to: an intent, by id and key, or a wallet's trouble, by its words."""

    wallet: Address
    intent_id: UUID | None
    target: str


def action_document(
    kind: ActionKind, target: ActionTarget, reason: str, *, nonce: Hash32, expires_at: datetime, scope: SigningScope
) -> dict[str, Any]:
    """The EIP-712 document a wallet shows and signs, in the JSON form of `eth_signTypedData_v4`."""
    return {
        "types": _TYPES,
        "primaryType": ACTION_TYPE,
        "domain": {
            "name": "Paimon Prime Fund",
            "version": "1",
            "chainId": scope.chain_id,
            "verifyingContract": checksum(scope.redemption_manager),
        },
        "message": {
            "action": kind.value,
            "wallet": checksum(target.wallet),
            "intentId": str(target.intent_id or ""),
            "target": target.target,
            "reason": reason,
            "nonce": hex0x(nonce),
            "expiresAt": str(int(expires_at.timestamp())),
        },
    }
