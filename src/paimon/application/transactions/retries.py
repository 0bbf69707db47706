"""Trying again what ended without its effect: under a key of its own, a bounded number of times, then a person must look.

What a person cancelled nobody but a person tries again: the sweep that finds it still due would undo the cancellation.
"""

from typing import Final

from sqlalchemy import func, select

from paimon.domain.transaction.lifecycle import IntentKind, IntentStatus
from paimon.domain.transaction.operator_action import RETRIABLE_STATUSES
from paimon.errors import Conflict
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.sessions import WriteSession

FAILED_INTENTS_MAX: Final = 3
"""Intents of one kind for one request that may end without effect before a person must look."""


class RetriesExhausted(Conflict):
    """Every allowed try ended without effect, or a person cancelled the last one."""


async def next_retry_key(session: WriteSession, kind: IntentKind, request_id: int) -> str:
    """The idempotency key of the present try: the same until that try has ended without effect.

    Raises:
        RetriesExhausted.
    """
    newest = await _find_latest_intent(session, kind, request_id)
    if newest is not None and newest.status is newest.aborting_as is IntentStatus.CANCELLED:
        raise RetriesExhausted(f"{newest.abort_reason}; only a person tries again (`retry` at the desk)")
    failed_intents = await _count_failed_intents(session, kind, request_id)
    if failed_intents >= FAILED_INTENTS_MAX:
        action = kind.replace("_", " ")
        raise RetriesExhausted(f"{failed_intents} tries to {action} {request_id} ended without effect; their intents say why")
    return _key(kind, request_id, failed_intents)


async def manual_retry_key(session: WriteSession, kind: IntentKind, request_id: int) -> str:
    """The key of the next try when a person wants it, however many there were."""
    return _key(kind, request_id, await _count_failed_intents(session, kind, request_id))


async def _find_latest_intent(session: WriteSession, kind: IntentKind, request_id: int) -> IntentRow | None:
    query = select(IntentRow).where(IntentRow.request_id == request_id, IntentRow.kind == kind)
    return (await session.scalars(query.order_by(IntentRow.created_at.desc()).limit(1))).one_or_none()


async def _count_failed_intents(session: WriteSession, kind: IntentKind, request_id: int) -> int:
    query = select(func.count()).where(
        IntentRow.request_id == request_id,
        IntentRow.kind == kind,
        IntentRow.status.in_(RETRIABLE_STATUSES),
    )
    return int((await session.execute(query)).scalar_one())


def _key(kind: IntentKind, request_id: int, failed_intents: int) -> str:
    return f"{kind.replace('_', '-')}:{request_id}" + (f"#{failed_intents + 1}" if failed_intents else "")
