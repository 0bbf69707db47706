"""Retry an intent that ended without its effect: under a key of its own, a bounded number of times.

Only an operator retries what an operator cancelled. A sweep that found the call still due would undo the cancellation.
"""

from typing import Final

from paimon.application.transactions.store import count_failed_intents, find_latest_intent
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.domain.transaction.lifecycle import IntentKind, IntentStatus
from paimon.errors import Conflict
from paimon.infrastructure.database.sessions import WriteSession

FAILED_INTENTS_MAX: Final = 3
"""Intents of one kind about one subject that may end without the effect before an operator must look."""


class RetriesExhausted(Conflict):
    """Every allowed retry ended without the effect, or an operator cancelled the last intent."""


async def next_retry_key(session: WriteSession, kind: IntentKind, subject: IntentSubject) -> str:
    """Return the idempotency key of the present try. It stays the same until that try has ended without the effect.

    Raises:
        RetriesExhausted.
    """
    newest = await find_latest_intent(session, kind, subject)
    if newest is not None and newest.status is newest.aborting_as is IntentStatus.CANCELLED:
        raise RetriesExhausted(f"{newest.abort_reason}; only an operator retries it (`paimon tx retry`)")
    failed_intents = await count_failed_intents(session, kind, subject)
    if failed_intents >= FAILED_INTENTS_MAX:
        action = kind.replace("_", " ")
        raise RetriesExhausted(f"{failed_intents} tries to {action} {subject.id} ended without effect; their intents say why")
    return _key(kind, subject, failed_intents)


async def manual_retry_key(session: WriteSession, kind: IntentKind, subject: IntentSubject) -> str:
    """Return the key of the next try that an operator asks for. Manual retries have no limit."""
    return _key(kind, subject, await count_failed_intents(session, kind, subject))


def _key(kind: IntentKind, subject: IntentSubject, failed_intents: int) -> str:
    return f"{kind.replace('_', '-')}:{subject.id}" + (f"#{failed_intents + 1}" if failed_intents else "")
