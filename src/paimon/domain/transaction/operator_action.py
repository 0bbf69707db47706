"""What people may tell the transaction desk: the wish, what they sign, and when it makes no sense.

    asked ──► done   the wallet's driver carried it out, once
         └──► moot   by the time the driver came to it, there was nothing left to do; the outcome says why

A wish is EIP-712 typed data that names the deed and what it is done to. An intent is named by id and key; trouble by its
own words, so that trouble nobody has read cannot be cleared.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.eip712 import DocumentType, SignatureTerms, SigningScope
from paimon.domain.transaction.lifecycle import OPEN_INTENTS, IntentStatus
from paimon.errors import Conflict

_DOCUMENT: Final = DocumentType(
    "TransactionAction",
    {"action": "string", "wallet": "address", "intentId": "string", "target": "string", "reason": "string"},
)


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


def rejection_reason(kind: ActionKind, preconditions: ActionPreconditions) -> str | None:
    """Why this deed makes no sense for an intent that stands so; None when it does."""
    match kind:
        case ActionKind.RETRY if preconditions.status not in RETRIABLE_STATUSES:
            return f"the intent is {preconditions.status}; only one that ended without its effect can be tried again"
        case ActionKind.RETRY if preconditions.has_spending_limits:
            return "it is a plan's, whose limits must be weighed anew: hand the plan in again"
        case ActionKind.RETRY:
            return "a later try of the same exists; look at that one" if preconditions.has_later_retry else None
        case _ if preconditions.status not in OPEN_INTENTS:
            return f"the intent has ended: it is {preconditions.status}"
        case _ if preconditions.mined_block is not None:
            return f"its transaction is mined in block {preconditions.mined_block} and only waits to be final"
        case ActionKind.CANCEL:
            return "the intent is being given up already" if preconditions.is_aborting else None
        case ActionKind.SPEED_UP if preconditions.status is not IntentStatus.SENDING:
            return f"the intent is {preconditions.status}; only what is in flight can be sped up"
        case ActionKind.SPEED_UP if preconditions.nonce != preconditions.lowest_open_nonce:
            return f"its nonce {preconditions.nonce} waits for nonce {preconditions.lowest_open_nonce}; speed that one up"
    return None


@dataclass(frozen=True, slots=True)
class ActionTarget:
    """What a deed is done to: an intent, by id and key, or a wallet's trouble, by its words."""

    wallet: Address
    intent_id: UUID | None
    target: str


def action_document(
    kind: ActionKind, target: ActionTarget, reason: str, terms: SignatureTerms, scope: SigningScope
) -> dict[str, Any]:
    """Build the EIP-712 document of the action."""
    return _DOCUMENT.build(
        {
            "action": kind,
            "wallet": target.wallet,
            "intentId": target.intent_id or "",
            "target": target.target,
            "reason": reason,
        },
        terms,
        scope,
    )
