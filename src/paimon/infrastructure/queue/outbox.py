"""Reactions that are due, written in the transaction of the fact they react to.

The row is the truth, a queue's message only points at it. Handlers are level-triggered: the row names the aggregate,
the handler reads its present state and does what is due, so that order and repetition cannot hurt.
"""

from typing import Any, Final

import structlog
from sqlalchemy import func, insert, select

from paimon.infrastructure.database.models.base import table_of
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow, OutboxPriority
from paimon.infrastructure.database.sessions import WriteSession

NOTIFY_CHANNEL = "paimon_outbox"
"""PostgreSQL NOTIFY channel; a doorbell only, the sweep finds what it misses."""


async def add(
    session: WriteSession,
    kind: str,
    aggregate_id: str,
    *,
    priority: OutboxPriority,
    payload: dict[str, Any] | None = None,
    correlation_id: str | None = None,
) -> None:
    """Write one due reaction; it becomes visible, and the relay is woken, with the caller's commit.

    The id of the request being served, if any, goes with it, so that the reaction's log lines name where it began.
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
"""The row and the bell in one round trip; of the table, for rows of the model take the ORM twice the time."""


async def notify(session: WriteSession) -> None:
    """Wake the relays with the caller's commit, for a row that is due again."""
    await session.execute(select(func.pg_notify(NOTIFY_CHANNEL, "")))
