"""Test that a request's id is kept by all outbox messages that follow from the request."""

import pytest
import structlog
from sqlalchemy import select

from paimon.domain.operations.outbox import OutboxPriority
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.infrastructure.queue import outbox
from paimon.infrastructure.queue.handler import DueMessage, Handler, handle

pytestmark = pytest.mark.integration


async def test_message_of_a_handler_keeps_the_id_of_the_original_request(database: Database) -> None:
    async def add_second(session: WriteSession, message: DueMessage) -> list[str]:
        await outbox.add(session, "second", message.aggregate_id, priority=OutboxPriority.NORMAL)
        return []

    with structlog.contextvars.bound_contextvars(request_id="trace-0123456789"):
        async with database.write() as session:
            await outbox.add(session, "first", "1", priority=OutboxPriority.NORMAL)
    async with database.read() as reading:
        first = (await reading.scalars(select(OutboxMessageRow.id))).one()
    await handle(database, {"first": Handler(apply=add_second)}, first, attempts_max=1, backoff_seconds_max=1)
    async with database.read() as reading:
        ids = {row.kind: row.correlation_id for row in await reading.scalars(select(OutboxMessageRow))}
    assert ids == {"first": "trace-0123456789", "second": "trace-0123456789"}
