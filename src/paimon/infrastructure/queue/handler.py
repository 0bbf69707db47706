"""Handling of one outbox message: prepare outside any transaction, then apply and mark done in one transaction.

A failed message is retried after growing, jittered pauses. After the last attempt it is dead-lettered, where an operator sees
it. Double delivery is normal: the row shows whether the message is done.
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
from paimon.infrastructure.database.row_query import RowQuery
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.infrastructure.observability.metrics import OUTBOX_HANDLED, OUTBOX_HANDLER_SECONDS
from paimon.infrastructure.text import strip_nul

log = structlog.get_logger(__name__)

Notification = TypeVar("Notification")


@dataclass(frozen=True, slots=True)
class DueMessage:
    """The fields of a due message that a handler needs."""

    id: int
    kind: str
    aggregate_id: str
    payload: dict[str, Any]
    correlation_id: str | None


@dataclass(frozen=True, slots=True)
class Handler(Generic[Notification]):
    """The two steps of handling a message.

    `prepare` may call external systems and is safe to repeat. `apply` writes in the transaction that marks the message done,
    and returns the notifications to publish after the commit.
    """

    prepare: Callable[[DueMessage], Awaitable[None]] | None = None
    apply: Callable[[WriteSession, DueMessage], Awaitable[list[Notification]]] | None = None


async def handle(
    database: Database,
    handlers: dict[str, Handler[Notification]],
    message_id: int,
    *,
    attempts_max: int,
    backoff_seconds_max: int,
) -> list[Notification]:
    """Handle one message if it is still due, and return the notifications to publish.

    A failure is recorded on the row, not raised: the relay publishes the message again after its pause.
    """
    message = await database.find(_DUE_MESSAGE, id=message_id)
    if message is None:
        return []
    # Log lines and further messages of this handler carry the id of the request that began it.
    correlation = {"request_id": message.correlation_id} if message.correlation_id else {}
    with structlog.contextvars.bound_contextvars(**correlation):
        return await _handle(database, handlers, message, attempts_max=attempts_max, backoff_seconds_max=backoff_seconds_max)


async def _handle(
    database: Database,
    handlers: dict[str, Handler[Notification]],
    message: DueMessage,
    *,
    attempts_max: int,
    backoff_seconds_max: int,
) -> list[Notification]:
    began = time.monotonic()
    try:
        handler = handlers[message.kind]
        if handler.prepare is not None:
            await handler.prepare(message)
        async with database.write() as session:
            row = await session.get(OutboxMessageRow, message.id, with_for_update={"skip_locked": True})
            if row is None or row.done_at is not None or row.dead_lettered_at is not None:
                return []
            notifications = await handler.apply(session, message) if handler.apply is not None else []
            row.done_at = func.now()
    except Exception as error:  # noqa: BLE001 — every error of a handler must be recorded on its row, for an operator to see
        is_dead_lettered = await _record_failure(
            database, message, error, attempts_max=attempts_max, backoff_seconds_max=backoff_seconds_max
        )
        _count(message, "dead_lettered" if is_dead_lettered else "failed", began)
        return []
    _count(message, "done", began)
    log.info("outbox.message_handled", kind=message.kind, aggregate=message.aggregate_id, outbox_id=message.id)
    return notifications


_DUE_MESSAGE: Final = RowQuery(
    select(*(table_of(OutboxMessageRow).c[field.name] for field in fields(DueMessage))).where(
        OutboxMessageRow.id == bindparam("id"), OutboxMessageRow.done_at.is_(None), OutboxMessageRow.dead_lettered_at.is_(None)
    ),
    lambda row: DueMessage(*row),
)


def _count(message: DueMessage, outcome: str, began: float) -> None:
    OUTBOX_HANDLED.labels(message.kind, outcome).inc()
    OUTBOX_HANDLER_SECONDS.labels(message.kind).observe(time.monotonic() - began)


async def _record_failure(
    database: Database, message: DueMessage, error: Exception, *, attempts_max: int, backoff_seconds_max: int
) -> bool:
    """Record a failed attempt, and return whether the message is dead-lettered now."""
    reason = strip_nul(f"{type(error).__name__}: {str(error)[:500]}")
    async with database.write() as session:
        row = await session.get(OutboxMessageRow, message.id, with_for_update=True)
        if row is None or row.done_at is not None:
            return False
        row.attempts += 1
        row.last_error = reason
        row.enqueued_at = None
        if row.attempts >= attempts_max:
            row.dead_lettered_at = func.now()
        else:
            pause = random.uniform(0.5, 1.0) * min(backoff_seconds_max, 2**row.attempts)  # noqa: S311 — jitter
            row.available_at = func.now() + timedelta(seconds=pause)
        attempts, is_dead_lettered = row.attempts, row.attempts >= attempts_max
    report = log.error if is_dead_lettered else log.warning
    report(
        "outbox.message_dead_lettered" if is_dead_lettered else "outbox.message_failed",
        kind=message.kind,
        aggregate=message.aggregate_id,
        outbox_id=message.id,
        attempts=attempts,
        reason=reason,
        exc_info=error,
    )
    return is_dead_lettered
