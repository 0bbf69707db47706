"""The statuses of intents and attempts, and the steps between them.

An intent is something that must happen once. An attempt is one signed transaction that tries it.

    intent   QUEUED ⇄ SIMULATED ──► SENDING ──► FINAL · REVERTED · FAILED · EXPIRED
               ▲                      │
               └──────────────────────┘ its nonce is used up without the effect, and the call may pass later
             every open status ──► SATISFIED_EXTERNALLY · CANCELLED · EXPIRED;  before sending also ──► FAILED

    attempt  SIGNED ──► BROADCAST ──► MINED ──► FINAL
                           ▲            │ reorganised
                           └────────────┘
             SIGNED, BROADCAST, MINED ──► REPLACED   another attempt at the same nonce took its place; until that attempt is
                                                     final this one may still be mined
             SIGNED, BROADCAST, REPLACED ──► DROPPED a transaction that is not ours used the nonce

The signed bytes are stored before they are broadcast. MINED is not FINAL. Success is judged by the effect on chain, no matter
who caused it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from eth_utils.crypto import keccak

from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.units import RawAmount
from paimon.domain.redemption.request import OnChainStatus
from paimon.domain.transaction.intent_subject import SubjectType


class WalletName(StrEnum):
    """The keys that send. The warm and the cold wallet are Safes: the keeper executes for them."""

    KEEPER = "keeper"
    APPROVER = "approver"
    HOT = "hot"


class IntentKind(StrEnum):
    APPROVE_REDEMPTION = "approve_redemption"
    REJECT_REDEMPTION = "reject_redemption"
    SETTLE_REDEMPTION = "settle_redemption"
    EXECUTE_SAFE = "execute_safe"
    """Execute a Safe transaction that enough owners have signed."""
    PLAN_STEP = "plan_step"
    """Make one call of a plan with the hot key."""


WALLET_BY_INTENT_KIND: Final[Mapping[IntentKind, WalletName]] = {
    IntentKind.APPROVE_REDEMPTION: WalletName.APPROVER,
    IntentKind.REJECT_REDEMPTION: WalletName.APPROVER,
    IntentKind.SETTLE_REDEMPTION: WalletName.KEEPER,
    IntentKind.EXECUTE_SAFE: WalletName.KEEPER,
    IntentKind.PLAN_STEP: WalletName.HOT,
}


SUBJECT_TYPE_BY_INTENT_KIND: Final[Mapping[IntentKind, SubjectType]] = {
    IntentKind.APPROVE_REDEMPTION: SubjectType.REDEMPTION,
    IntentKind.REJECT_REDEMPTION: SubjectType.REDEMPTION,
    IntentKind.SETTLE_REDEMPTION: SubjectType.REDEMPTION,
    IntentKind.EXECUTE_SAFE: SubjectType.SAFE_TRANSACTION,
    IntentKind.PLAN_STEP: SubjectType.PLAN_CALL,
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
    """The way of a transaction to a block builder: the public pool, or the builders of a private endpoint only."""

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
"""Ends that an operator or a deadline asks for, though the effect could still come."""

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
    """The table of transitions has no such step: a defect of this system, never of its input."""


def advance_intent(status: IntentStatus, to: IntentStatus) -> IntentStatus:
    """Return the next status of an intent. To stay in an open status is no step and always allowed.

    Raises:
        IllegalTransition: the table has no such step.
    """
    if to is status and status in OPEN_INTENTS:
        return status
    if to not in INTENT_TRANSITIONS.get(status, ()):
        raise IllegalTransition(f"an intent that is {status} cannot become {to}")
    return to


def advance_attempt(status: AttemptStatus, to: AttemptStatus) -> AttemptStatus:
    """Return the next status of an attempt. To stay in a status that can still change is no step and always allowed.

    Raises:
        IllegalTransition: the table has no such step.
    """
    if to is status and status in ATTEMPT_TRANSITIONS:
        return status
    if to not in ATTEMPT_TRANSITIONS.get(status, ()):
        raise IllegalTransition(f"an attempt that is {status} cannot become {to}")
    return to


@dataclass(frozen=True, slots=True)
class Call:
    """A contract call: `data` sent to `to` with `value_wei` of the native coin."""

    to: Address
    data: bytes
    value_wei: RawAmount = RawAmount(0)


def payload_hash(kind: IntentKind, wallet: Address, call: Call) -> Hash32:
    """Return the hash of what an idempotency key stands for.

    All parts but the last have a fixed length, so that no two payloads give the same bytes.
    """
    parts = (keccak(text=kind.value), wallet, call.to, call.value_wei.to_bytes(32, "big"), call.data)
    return Hash32(keccak(b"".join(parts)))


class EffectStatus(StrEnum):
    """The state on chain of the effect that an intent is for."""

    DUE = "DUE"
    DONE = "DONE"
    IMPOSSIBLE = "IMPOSSIBLE"
    """The effect can no longer happen."""


_EFFECTS: Final[Mapping[IntentKind, Mapping[OnChainStatus, EffectStatus]]] = {
    IntentKind.APPROVE_REDEMPTION: {
        OnChainStatus.APPROVED: EffectStatus.DONE,
        OnChainStatus.SETTLED: EffectStatus.DONE,
        OnChainStatus.CANCELLED: EffectStatus.IMPOSSIBLE,
    },
    IntentKind.REJECT_REDEMPTION: {
        # A rejection and the owner's own cancellation end in one state on chain: the shares are free, nothing is paid.
        # The projection of events tells them apart. Both are the effect of a reject intent.
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
    """Return the state of the intent's effect for a redemption request in this on-chain status."""
    return _EFFECTS[kind].get(status, EffectStatus.DUE)


def ending(effect: EffectStatus, *, ours_succeeded: bool) -> IntentStatus | None:
    """Return the end status of an intent that has nothing in flight; None while its effect is still due.

    `ours_succeeded`: a transaction of ours that makes the call is final and succeeded.
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
"""Reverts that pass with time or money: the intent goes back to the queue instead of ending REVERTED."""

UNFUNDED_ERROR: Final = "InsufficientLiquidity"
