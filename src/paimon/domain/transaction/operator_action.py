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
from paimon.domain.kernel.eip712 import DOMAIN_FIELDS, VoteScope
from paimon.domain.transaction.lifecycle import OPEN_INTENTS, IntentStatus
from paimon.errors import Conflict

PRIMARY_TYPE: Final = "DeskDeed"

_TYPES: Final[dict[str, list[dict[str, str]]]] = {
    "EIP712Domain": DOMAIN_FIELDS,
    PRIMARY_TYPE: [
        {"name": "action", "type": "string"},
        {"name": "wallet", "type": "address"},
        {"name": "intentId", "type": "string"},
        {"name": "about", "type": "string"},
        {"name": "reason", "type": "string"},
        {"name": "nonce", "type": "bytes32"},
        {"name": "expiresAt", "type": "uint256"},
    ],
}


class DeedKind(StrEnum):
    SPEED_UP = "speed_up"
    CANCEL = "cancel"
    RETRY = "retry"
    CLEAR_TROUBLE = "clear_trouble"


class DeedState(StrEnum):
    ASKED = "asked"
    DONE = "done"
    MOOT = "moot"


INTENT_DEEDS: Final = (DeedKind.SPEED_UP, DeedKind.CANCEL, DeedKind.RETRY)
RETRIABLE: Final = frozenset({IntentStatus.REVERTED, IntentStatus.FAILED, IntentStatus.EXPIRED, IntentStatus.CANCELLED})
"""Ends without the effect."""


class DeedNotPossible(Conflict):
    """What is asked makes no sense in the present state."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How an intent stands, as far as a deed depends on it. `lowest` is the wallet's lowest nonce in flight."""

    status: IntentStatus
    given_up: bool
    nonce: int | None = None
    mined_at: int | None = None
    lowest: int | None = None
    has_later_try: bool = False
    has_limits: bool = False
    """It moves money within limits: only handing the plan in again weighs it anew."""


def why_not(kind: DeedKind, now: Standing) -> str | None:
    """Why this deed makes no sense for an intent that stands so; None when it does."""
    match kind:
        case DeedKind.RETRY if now.status not in RETRIABLE:
            return f"the intent is {now.status}; only one that ended without its effect can be tried again"
        case DeedKind.RETRY if now.has_limits:
            return "it is a plan's, whose limits must be weighed anew: hand the plan in again"
        case DeedKind.RETRY:
            return "a later try of the same exists; look at that one" if now.has_later_try else None
        case _ if now.status not in OPEN_INTENTS:
            return f"the intent has ended: it is {now.status}"
        case _ if now.mined_at is not None:
            return f"its transaction is mined in block {now.mined_at} and only waits to be final"
        case DeedKind.CANCEL:
            return "the intent is being given up already" if now.given_up else None
        case DeedKind.SPEED_UP if now.status is not IntentStatus.SENDING:
            return f"the intent is {now.status}; only what is in flight can be sped up"
        case DeedKind.SPEED_UP if now.nonce != now.lowest:
            return f"its nonce {now.nonce} waits for nonce {now.lowest}; speed that one up"
    return None


@dataclass(frozen=True, slots=True)
class Subject:
    """What a deed is done to: an intent, by id and key, or a wallet's trouble, by its words."""

    wallet: Address
    intent_id: UUID | None
    about: str


def deed_document(
    kind: DeedKind, subject: Subject, reason: str, *, nonce: Hash32, expires_at: datetime, scope: VoteScope
) -> dict[str, Any]:
    """The EIP-712 document a wallet shows and signs, in the JSON form of `eth_signTypedData_v4`."""
    return {
        "types": _TYPES,
        "primaryType": PRIMARY_TYPE,
        "domain": {
            "name": "Paimon Prime Fund",
            "version": "1",
            "chainId": scope.chain_id,
            "verifyingContract": checksum(scope.redemption_manager),
        },
        "message": {
            "action": kind.value,
            "wallet": checksum(subject.wallet),
            "intentId": str(subject.intent_id or ""),
            "about": subject.about,
            "reason": reason,
            "nonce": hex0x(nonce),
            "expiresAt": str(int(expires_at.timestamp())),
        },
    }
