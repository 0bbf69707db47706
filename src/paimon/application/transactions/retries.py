"""Trying again what ended without its effect: under a key of its own, a bounded number of times, then a person must look.

What a person cancelled nobody but a person tries again: the sweep that finds it still due would undo the cancellation.
"""

from typing import Final

from sqlalchemy import func, select

from paimon.domain.transaction.lifecycle import IntentKind, IntentStatus
from paimon.domain.transaction.operator_action import RETRIABLE
from paimon.errors import Conflict
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.sessions import WriteSession

TRIES_MAX: Final = 3
"""Intents of one kind for one request that may end without effect before a person must look."""


class TriesExhausted(Conflict):
    """Every allowed try ended without effect, or a person cancelled the last one."""


async def key_of_next_try(session: WriteSession, kind: IntentKind, request_id: int) -> str:
    """The idempotency key of the present try: the same until that try has ended without effect.

    Raises:
        TriesExhausted.
    """
    newest = await _newest(session, kind, request_id)
    if newest is not None and newest.status is newest.giving_up is IntentStatus.CANCELLED:
        raise TriesExhausted(f"{newest.giving_up_because}; only a person tries again (`retry` at the desk)")
    tries = await _ended_without_effect(session, kind, request_id)
    if tries >= TRIES_MAX:
        words = kind.replace("_", " ")
        raise TriesExhausted(f"{tries} tries to {words} {request_id} ended without effect; their intents say why")
    return _key(kind, request_id, tries)


async def key_of_try_by_hand(session: WriteSession, kind: IntentKind, request_id: int) -> str:
    """The key of the next try when a person wants it, however many there were."""
    return _key(kind, request_id, await _ended_without_effect(session, kind, request_id))


async def _newest(session: WriteSession, kind: IntentKind, request_id: int) -> IntentRow | None:
    query = select(IntentRow).where(IntentRow.request_id == request_id, IntentRow.kind == kind)
    return (await session.scalars(query.order_by(IntentRow.created_at.desc()).limit(1))).one_or_none()


async def _ended_without_effect(session: WriteSession, kind: IntentKind, request_id: int) -> int:
    query = select(func.count()).where(
        IntentRow.request_id == request_id,
        IntentRow.kind == kind,
        IntentRow.status.in_(RETRIABLE),
    )
    return int((await session.execute(query)).scalar_one())


def _key(kind: IntentKind, request_id: int, tries: int) -> str:
    return f"{kind.replace('_', '-')}:{request_id}" + (f"#{tries + 1}" if tries else "")
