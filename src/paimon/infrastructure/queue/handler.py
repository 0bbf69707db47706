"""Handling one outbox row: before (outside any transaction), then effects and the done mark in one transaction.

A handler that fails is tried again with growing, jittered pauses; after the last try the row is dead-lettered, where an
operator sees it. Being delivered twice is normal: the row says whether it is done.
"""

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar

import structlog
from sqlalchemy import bindparam, func, select

from paimon.infrastructure.database.models.base import table_of
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.row_query import LookUp
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.infrastructure.observability.metrics import REACTION_SECONDS, REACTIONS
from paimon.infrastructure.text import storable

log = structlog.get_logger(__name__)

Told = TypeVar("Told")


@dataclass(frozen=True, slots=True)
class Due:
    """What a handler needs of the row."""

    id: int
    kind: str
    aggregate_id: str
    payload: dict[str, Any]
    request_trace: str | None


@dataclass(frozen=True, slots=True)
class Handler(Generic[Told]):
    """`before` may call the outside world and is safe to repeat; `within` writes in the transaction that marks the row done."""

    before: Callable[[Due], Awaitable[None]] | None = None
    within: Callable[[WriteSession, Due], Awaitable[list[Told]]] | None = None


async def handle(
    database: Database,
    handlers: dict[str, Handler[Told]],
    message_id: int,
    *,
    attempts_max: int,
    backoff_seconds_max: int,
) -> list[Told]:
    """Handle one row if it is still due; what to tell the world after the commit.

    A failure is recorded on the row, not raised: the relay brings it back when its pause is over.
    """
    due = await database.find(_DUE, id=message_id)
    if due is None:
        return []
    # What this reaction logs, and what it makes due in turn, carries the id of the request that began it.
    trace = {"request_id": due.request_trace} if due.request_trace else {}
    with structlog.contextvars.bound_contextvars(**trace):
        return await _handle(database, handlers, due, attempts_max=attempts_max, backoff_seconds_max=backoff_seconds_max)


async def _handle(
    database: Database,
    handlers: dict[str, Handler[Told]],
    due: Due,
    *,
    attempts_max: int,
    backoff_seconds_max: int,
) -> list[Told]:
    began = time.monotonic()
    try:
        handler = handlers[due.kind]
        if handler.before is not None:
            await handler.before(due)
        async with database.write() as session:
            row = await session.get(OutboxMessageRow, due.id, with_for_update={"skip_locked": True})
            if row is None or row.done_at is not None or row.dead_at is not None:
                return []
            told = await handler.within(session, due) if handler.within is not None else []
            row.done_at = func.now()
    except Exception as error:  # noqa: BLE001 — whatever a handler raises must end on its row, for an operator to see
        dead = await _record_failure(database, due, error, attempts_max=attempts_max, backoff_seconds_max=backoff_seconds_max)
        _count(due, "dead" if dead else "failed", began)
        return []
    _count(due, "done", began)
    log.info("reaction.done", kind=due.kind, aggregate=due.aggregate_id, outbox_id=due.id)
    return told


_DUE: Final = LookUp(
    select(*(table_of(OutboxMessageRow).c[each.name] for each in fields(Due))).where(
        OutboxMessageRow.id == bindparam("id"), OutboxMessageRow.done_at.is_(None), OutboxMessageRow.dead_at.is_(None)
    ),
    lambda row: Due(*row),
)


def _count(due: Due, outcome: str, began: float) -> None:
    REACTIONS.labels(due.kind, outcome).inc()
    REACTION_SECONDS.labels(due.kind).observe(time.monotonic() - began)


async def _record_failure(
    database: Database, due: Due, error: Exception, *, attempts_max: int, backoff_seconds_max: int
) -> bool:
    """Whether it is given up now."""
    reason = storable(f"{type(error).__name__}: {str(error)[:500]}")
    async with database.write() as session:
        row = await session.get(OutboxMessageRow, due.id, with_for_update=True)
        if row is None or row.done_at is not None:
            return False
        row.attempts += 1
        row.last_error = reason
        row.enqueued_at = None
        if row.attempts >= attempts_max:
            row.dead_at = func.now()
        else:
            pause = random.uniform(0.5, 1.0) * min(backoff_seconds_max, 2**row.attempts)  # noqa: S311 — jitter
            row.available_at = func.now() + timedelta(seconds=pause)
        attempts, dead = row.attempts, row.attempts >= attempts_max
    report = log.error if dead else log.warning
    report(
        "reaction.dead" if dead else "reaction.failed",
        kind=due.kind,
        aggregate=due.aggregate_id,
        outbox_id=due.id,
        attempts=attempts,
        reason=reason,
        exc_info=error,
    )
    return dead
