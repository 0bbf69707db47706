"""The life of a transaction: an intent is what must happen once, an attempt one signed transaction that tries it.

    intent   queued ──► simulated ──► sending ──► final
               │            └ back to queued when a simulation no longer passes (with its reason and next check)
               └──► satisfied_elsewhere · expired · cancelled · failed        sending ──► reverted

    attempt  signed ──► broadcast ──► mined ──► final
                           ▲            │ reorganised
                           └────────────┘               signed/broadcast/mined ──► replaced · dropped

The signed bytes are stored before they are broadcast; `mined` is not `final`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from eth_utils.crypto import keccak

from paimon.domain.chain import Address, Hash32
from paimon.domain.units import RawAmount


class WalletName(StrEnum):
    """The keys of the spine; hot, warm and cold are wallets of a later part."""

    KEEPER = "keeper"
    APPROVER = "approver"


class IntentKind(StrEnum):
    APPROVE_REDEMPTION = "approve_redemption"
    REJECT_REDEMPTION = "reject_redemption"
    SETTLE_REDEMPTION = "settle_redemption"


WALLET_OF: Final[dict[IntentKind, WalletName]] = {
    IntentKind.APPROVE_REDEMPTION: WalletName.APPROVER,
    IntentKind.REJECT_REDEMPTION: WalletName.APPROVER,
    IntentKind.SETTLE_REDEMPTION: WalletName.KEEPER,
}


class IntentStatus(StrEnum):
    QUEUED = "queued"
    SIMULATED = "simulated"
    SENDING = "sending"
    FINAL = "final"
    REVERTED = "reverted"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SATISFIED_ELSEWHERE = "satisfied_elsewhere"


class AttemptStatus(StrEnum):
    SIGNED = "signed"
    BROADCAST = "broadcast"
    MINED = "mined"
    FINAL = "final"
    REPLACED = "replaced"
    DROPPED = "dropped"


OPEN_INTENTS: Final = frozenset({IntentStatus.QUEUED, IntentStatus.SIMULATED, IntentStatus.SENDING})
OPEN_ATTEMPTS: Final = frozenset({AttemptStatus.SIGNED, AttemptStatus.BROADCAST, AttemptStatus.MINED})


@dataclass(frozen=True, slots=True)
class Call:
    """What a transaction does: `data` sent to `to` with `value_wei` of the native coin."""

    to: Address
    data: bytes
    value_wei: RawAmount = RawAmount(0)


def payload_hash(kind: IntentKind, wallet: Address, call: Call) -> Hash32:
    """What an idempotency key stands for. All parts but the last have a fixed length, so no two payloads run together."""
    parts = (keccak(text=kind.value), wallet, call.to, call.value_wei.to_bytes(32, "big"), call.data)
    return Hash32(keccak(b"".join(parts)))
