"""Operator actions on intents and wallets: their kinds, their signed document, and when they are possible.

    REQUESTED ──► DONE       the wallet's driver performed it, once
         └──────► OBSOLETE   when the driver came to it, nothing was left to do; the outcome says why

An operator action is a signed action about its target. An intent is the target by its id and key. A fault is the target by
its text, so a person cannot clear a fault without having read it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.signed_action import ActionContent, ActionName, effect_hash
from paimon.domain.transaction.lifecycle import OPEN_INTENTS, IntentStatus
from paimon.errors import Conflict


class ActionKind(StrEnum):
    """Kind of an operator action."""

    SPEED_UP = "speed_up"
    CANCEL = "cancel"
    RETRY = "retry"
    CLEAR_FAULT = "clear_fault"


class ActionStatus(StrEnum):
    """Status of an operator action."""

    REQUESTED = "REQUESTED"
    DONE = "DONE"
    OBSOLETE = "OBSOLETE"


INTENT_ACTIONS: Final = (ActionKind.SPEED_UP, ActionKind.CANCEL, ActionKind.RETRY)
RETRIABLE_STATUSES: Final = frozenset(
    {IntentStatus.REVERTED, IntentStatus.FAILED, IntentStatus.EXPIRED, IntentStatus.CANCELLED}
)
"""Statuses of intents that ended without their effect."""


class ActionNotPossible(Conflict):
    """The present state does not allow this action."""


@dataclass(frozen=True, slots=True)
class ActionPreconditions:
    """The state of an intent, as far as an action depends on it.

    `lowest_open_nonce` is the wallet's lowest nonce in flight.
    """

    status: IntentStatus
    is_aborting: bool
    nonce: int | None = None
    mined_block: int | None = None
    lowest_open_nonce: int | None = None
    has_later_retry: bool = False
    has_spending_limits: bool = False
    """The intent moves money within limits; only submitting its plan again checks the limits again."""


def rejection_reason(kind: ActionKind, preconditions: ActionPreconditions) -> str | None:
    """Explain why the action is not possible for an intent in this state; None when it is."""
    match kind:
        case ActionKind.RETRY if preconditions.status not in RETRIABLE_STATUSES:
            return f"the intent is {preconditions.status}; only one that ended without its effect can be retried"
        case ActionKind.RETRY if preconditions.has_spending_limits:
            return "its plan's limits must be checked again: submit the plan again"
        case ActionKind.RETRY:
            return "a later retry exists; see that one" if preconditions.has_later_retry else None
        case _ if preconditions.status not in OPEN_INTENTS:
            return f"the intent has ended: it is {preconditions.status}"
        case _ if preconditions.mined_block is not None:
            return f"its transaction is mined in block {preconditions.mined_block} and only waits to be final"
        case ActionKind.CANCEL:
            return "the intent is already being cancelled" if preconditions.is_aborting else None
        case ActionKind.SPEED_UP if preconditions.status is not IntentStatus.SENDING:
            return f"the intent is {preconditions.status}; only a transaction in flight can be sped up"
        case ActionKind.SPEED_UP if preconditions.nonce != preconditions.lowest_open_nonce:
            return f"its nonce {preconditions.nonce} waits for nonce {preconditions.lowest_open_nonce}; speed that one up"
    return None


@dataclass(frozen=True, slots=True)
class ActionTarget:
    """The target of an action: an intent, by id and key, or a wallet's fault, by its text."""

    wallet: Address
    intent_id: UUID | None
    target: str


_VERBS: Final = {
    ActionKind.SPEED_UP: "Speed up the transaction of",
    ActionKind.CANCEL: "Cancel",
    ActionKind.RETRY: "Retry",
    ActionKind.CLEAR_FAULT: "Clear the fault of",
}


def action_content(kind: ActionKind, target: ActionTarget) -> ActionContent:
    """Return what a person signs for the action."""
    wallet = checksum(target.wallet)
    if target.intent_id is None:
        resource, statement = f"/wallets/{wallet}", f"{_VERBS[kind]} wallet {wallet}: {target.target}"
    else:
        resource = f"/transactions/intents/{target.intent_id}"
        statement = f"{_VERBS[kind]} {target.target} of wallet {wallet}"
    effect = effect_hash(kind, wallet, str(target.intent_id or ""), target.target)
    return ActionContent(ActionName(kind), resource, statement, effect)
