"""The life of a transaction: an intent is what must happen once, an attempt one signed transaction that tries it.

    intent   queued ⇄ simulated ──► sending ──► final · reverted · failed · expired
               ▲                      │
               └──────────────────────┘ its nonce is used up without the effect, and the call may pass later
             every open state ──► SATISFIED_EXTERNALLY · cancelled · expired;  before sending also ──► failed

    attempt  signed ──► broadcast ──► mined ──► final
                           ▲            │ reorganised
                           └────────────┘
             signed/broadcast/mined ──► replaced   another attempt at the same nonce took its place; until that one is
                                                   final this one may still be mined after all
             signed/broadcast/replaced ──► dropped a transaction that is not ours used the nonce

The signed bytes are stored before they are broadcast; `mined` is not `final`; success is judged by the effect on chain,
whoever caused it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from eth_utils.crypto import keccak

from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.units import RawAmount
from paimon.domain.redemption.request import OnChainStatus


class WalletName(StrEnum):
    """The keys that send. (The warm and the cold wallet are Safes; the keeper executes for them.)"""

    KEEPER = "keeper"
    APPROVER = "approver"
    HOT = "hot"


class IntentKind(StrEnum):
    APPROVE_REDEMPTION = "approve_redemption"
    REJECT_REDEMPTION = "reject_redemption"
    SETTLE_REDEMPTION = "settle_redemption"
    EXECUTE_SAFE = "execute_safe"
    """Its `request_id` is the hash its owners signed, as a number."""
    PLAN_STEP = "plan_step"
    """One call of a plan by the hot key; its `request_id` is the call's number (`plan.step_number`)."""


WALLET_BY_INTENT_KIND: Final[Mapping[IntentKind, WalletName]] = {
    IntentKind.APPROVE_REDEMPTION: WalletName.APPROVER,
    IntentKind.REJECT_REDEMPTION: WalletName.APPROVER,
    IntentKind.SETTLE_REDEMPTION: WalletName.KEEPER,
    IntentKind.EXECUTE_SAFE: WalletName.KEEPER,
    IntentKind.PLAN_STEP: WalletName.HOT,
}


class IntentStatus(StrEnum):
    QUEUED = "QUEUED"
    SIMULATED = "SIMULATED"
    SENDING = "SENDING"
    FINAL = "FINAL"
    REVERTED = "REVERTED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    SATISFIED_EXTERNALLY = "SATISFIED_EXTERNALLY"


class BroadcastChannel(StrEnum):
    """How a transaction reaches a block builder: seen by everyone in the pool, or by a private endpoint's builders only."""

    PUBLIC = "public"
    PRIVATE = "private"


class AttemptStatus(StrEnum):
    SIGNED = "SIGNED"
    BROADCAST = "BROADCAST"
    MINED = "MINED"
    FINAL = "FINAL"
    REPLACED = "REPLACED"
    DROPPED = "DROPPED"


ABORTED_STATUSES: Final = frozenset({IntentStatus.CANCELLED, IntentStatus.EXPIRED})
"""Ends that a person's word or a deadline wants for an intent whose effect could still come."""

OPEN_INTENTS: Final = frozenset({IntentStatus.QUEUED, IntentStatus.SIMULATED, IntentStatus.SENDING})
OPEN_ATTEMPTS: Final = frozenset({AttemptStatus.SIGNED, AttemptStatus.BROADCAST, AttemptStatus.MINED})

_ENDS_BEFORE_SENDING: Final = frozenset(
    {IntentStatus.SATISFIED_EXTERNALLY, IntentStatus.CANCELLED, IntentStatus.EXPIRED, IntentStatus.FAILED}
)

INTENT_TRANSITIONS: Final[Mapping[IntentStatus, frozenset[IntentStatus]]] = {
    IntentStatus.QUEUED: frozenset({IntentStatus.SIMULATED}) | _ENDS_BEFORE_SENDING,
    IntentStatus.SIMULATED: frozenset({IntentStatus.QUEUED, IntentStatus.SENDING}) | _ENDS_BEFORE_SENDING,
    IntentStatus.SENDING: frozenset(
        {
            IntentStatus.FINAL,
            IntentStatus.REVERTED,
            IntentStatus.FAILED,
            IntentStatus.SATISFIED_EXTERNALLY,
            IntentStatus.CANCELLED,
            IntentStatus.EXPIRED,
            IntentStatus.QUEUED,
        }
    ),
}
"""What an open intent may become; a status without a row is terminal."""

ATTEMPT_TRANSITIONS: Final[Mapping[AttemptStatus, frozenset[AttemptStatus]]] = {
    AttemptStatus.SIGNED: frozenset(
        {AttemptStatus.BROADCAST, AttemptStatus.MINED, AttemptStatus.REPLACED, AttemptStatus.DROPPED}
    ),
    AttemptStatus.BROADCAST: frozenset({AttemptStatus.MINED, AttemptStatus.REPLACED, AttemptStatus.DROPPED}),
    AttemptStatus.MINED: frozenset({AttemptStatus.FINAL, AttemptStatus.BROADCAST, AttemptStatus.REPLACED}),
    AttemptStatus.REPLACED: frozenset({AttemptStatus.MINED, AttemptStatus.DROPPED}),
}
"""What an attempt may become; a status without a row is terminal."""


class IllegalTransition(Exception):
    """A step that the life of an intent or an attempt does not have: a defect of ours, never input."""


def advance_intent(status: IntentStatus, to: IntentStatus) -> IntentStatus:
    """The next status. Staying in an open status is no step and always allowed.

    Raises:
        IllegalTransition: no such step.
    """
    if to is status and status in OPEN_INTENTS:
        return status
    if to not in INTENT_TRANSITIONS.get(status, ()):
        raise IllegalTransition(f"an intent that is {status} cannot become {to}")
    return to


def advance_attempt(status: AttemptStatus, to: AttemptStatus) -> AttemptStatus:
    """The next status. Staying in a status that can still change is no step and always allowed.

    Raises:
        IllegalTransition: no such step.
    """
    if to is status and status in ATTEMPT_TRANSITIONS:
        return status
    if to not in ATTEMPT_TRANSITIONS.get(status, ()):
        raise IllegalTransition(f"an attempt that is {status} cannot become {to}")
    return to


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


class EffectStatus(StrEnum):
    """How what an intent is for stands on chain."""

    DUE = "DUE"
    DONE = "DONE"
    IMPOSSIBLE = "IMPOSSIBLE"  # can no longer happen


_EFFECTS: Final[Mapping[IntentKind, Mapping[OnChainStatus, EffectStatus]]] = {
    IntentKind.APPROVE_REDEMPTION: {
        OnChainStatus.APPROVED: EffectStatus.DONE,
        OnChainStatus.SETTLED: EffectStatus.DONE,
        OnChainStatus.CANCELLED: EffectStatus.IMPOSSIBLE,
    },
    IntentKind.REJECT_REDEMPTION: {
        # A rejection and the owner's own cancellation end in one state on chain: the shares are free, nothing is paid.
        # Which of the two it was is for the projection of events to tell; to a reject intent both are what it wants.
        OnChainStatus.CANCELLED: EffectStatus.DONE,
        OnChainStatus.APPROVED: EffectStatus.IMPOSSIBLE,
        OnChainStatus.SETTLED: EffectStatus.IMPOSSIBLE,
    },
    IntentKind.SETTLE_REDEMPTION: {
        OnChainStatus.SETTLED: EffectStatus.DONE,
        OnChainStatus.CANCELLED: EffectStatus.IMPOSSIBLE,
    },
}


def effect_of(kind: IntentKind, status: OnChainStatus) -> EffectStatus:
    """Whether a request in this on-chain state still waits for the intent's effect."""
    return _EFFECTS[kind].get(status, EffectStatus.DUE)


def ending(effect: EffectStatus, *, ours_succeeded: bool) -> IntentStatus | None:
    """How an intent ends by its effect once it has nothing in flight, or None while the effect is still due.

    `ours_succeeded`: a transaction of ours that carries the call is final and succeeded.
    """
    match effect:
        case EffectStatus.DONE:
            return IntentStatus.FINAL if ours_succeeded else IntentStatus.SATISFIED_EXTERNALLY
        case EffectStatus.IMPOSSIBLE if not ours_succeeded:
            return IntentStatus.CANCELLED
        case _ if ours_succeeded:
            return IntentStatus.FAILED  # success without effect
    return None


TEMPORARY_REVERT_ERRORS: Final = frozenset({"InsufficientLiquidity", "SettlementTimeNotReached"})
"""Reverts that time or money cures: a mined attempt that met one goes back to the queue instead of ending `reverted`."""

UNFUNDED_ERROR: Final = "InsufficientLiquidity"
