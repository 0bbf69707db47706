"""Outbox messages, written in the transaction of their cause.

The row is authoritative; the message in the queue only points at it. Handlers are level-triggered: the row names the
aggregate, and the handler acts on the aggregate's present state, so order and repetition do no harm.
"""

from typing import Any, Final

import structlog
from sqlalchemy import func, insert, select

from paimon.domain.operations.outbox import OutboxPriority
from paimon.infrastructure.database.models.base import table_of
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.sessions import WriteSession

NOTIFY_CHANNEL = "paimon_outbox"
"""PostgreSQL NOTIFY channel that wakes the relays. A lost notification is harmless: the relays also poll."""


async def add(
    session: WriteSession,
    kind: str,
    aggregate_id: str,
    *,
    priority: OutboxPriority,
    payload: dict[str, Any] | None = None,
    correlation_id: str | None = None,
) -> None:
    """Write one due message. It becomes visible, and the relays are notified, when the caller commits.

    The message carries the id of the request being served, if any, so the handler's log lines name the request.
    """
    row = {
        "kind": kind,
        "aggregate_id": aggregate_id,
        "payload": payload or {},
        "priority": priority,
        "correlation_id": correlation_id or structlog.contextvars.get_contextvars().get("request_id"),
    }
    await session.execute(_ADD, row)


_ADD: Final = insert(table_of(OutboxMessageRow)).returning(func.pg_notify(NOTIFY_CHANNEL, ""))
"""Insert the row and notify in one round trip. It uses the table, because the ORM takes twice as long for model rows."""


async def notify(session: WriteSession) -> None:
    """Notify the relays when the caller commits, for a message that is due again."""
    await session.execute(select(func.pg_notify(NOTIFY_CHANNEL, "")))
