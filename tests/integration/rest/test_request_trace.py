"""A request's id goes with everything it makes due, through as many reactions as follow."""

import pytest
import structlog
from sqlalchemy import select

from paimon.domain.operations.outbox import OutboxPriority
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.infrastructure.queue import outbox
from paimon.infrastructure.queue.handler import DueMessage, Handler, handle

pytestmark = pytest.mark.integration


async def test_a_reactions_reaction_still_names_the_request_it_began_with(database: Database) -> None:
    async def make_another_due(session: WriteSession, due: DueMessage) -> list[str]:
        await outbox.add(session, "second", due.aggregate_id, priority=OutboxPriority.NORMAL)
        return []

    with structlog.contextvars.bound_contextvars(request_id="trace-0123456789"):
        async with database.write() as session:
            await outbox.add(session, "first", "1", priority=OutboxPriority.NORMAL)
    async with database.read() as reading:
        first = (await reading.scalars(select(OutboxMessageRow.id))).one()
    await handle(database, {"first": Handler(apply=make_another_due)}, first, attempts_max=1, backoff_seconds_max=1)
    async with database.read() as reading:
        traces = {row.kind: row.correlation_id for row in await reading.scalars(select(OutboxMessageRow))}
    assert traces == {"first": "trace-0123456789", "second": "trace-0123456789"}
