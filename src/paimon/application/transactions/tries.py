"""Trying again what ended without its effect: under a key of its own, a bounded number of times, then a person must look."""

from typing import Final

from sqlalchemy import func, select

from paimon.domain.transaction import IntentKind, IntentStatus
from paimon.infrastructure.database.models.owned import TransactionIntent
from paimon.infrastructure.database.sessions import WriteSession

TRIES_MAX: Final = 3
"""Intents of one kind for one request that may end without effect before a person must look."""

_WITHOUT_EFFECT: Final = (IntentStatus.REVERTED, IntentStatus.FAILED, IntentStatus.EXPIRED, IntentStatus.CANCELLED)


class TriesExhausted(Exception):
    """Every allowed try ended without effect."""


async def key_of_next_try(session: WriteSession, kind: IntentKind, request_id: int) -> str:
    """The idempotency key of the present try: the same until that try has ended without effect.

    Raises:
        TriesExhausted.
    """
    query = select(func.count()).where(
        TransactionIntent.request_id == request_id,
        TransactionIntent.kind == kind,
        TransactionIntent.status.in_(_WITHOUT_EFFECT),
    )
    tries = int((await session.execute(query)).scalar_one())
    words = kind.replace("_", " ")
    if tries >= TRIES_MAX:
        raise TriesExhausted(f"{tries} tries to {words} {request_id} ended without effect; their intents say why")
    return f"{kind.replace('_', '-')}:{request_id}" + (f"#{tries + 1}" if tries else "")
