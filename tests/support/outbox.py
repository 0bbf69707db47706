"""Helpers for outbox tests: add messages, a broker that records what is published, and handling of one message."""

import asyncio

from sqlalchemy import select

from paimon.domain.operations.outbox import OutboxPriority
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.queue import outbox
from paimon.infrastructure.queue.handler import Handler, handle
from paimon.infrastructure.queue.relay import PublishFailed, relay_once

HandlerResult = str


class Broker:
    """A broker that records published ids. Set `rejects` to refuse them, clear `open` to make publishing wait."""

    def __init__(self) -> None:
        self.published_ids: list[int] = []
        self.rejects = False
        self.open = asyncio.Event()
        self.open.set()

    async def publish(self, message_id: int, _priority: OutboxPriority) -> None:
        await self.open.wait()
        if self.rejects:
            raise PublishFailed("the broker is unavailable")
        self.published_ids.append(message_id)

    async def has(self, number: int) -> bool:
        return len(self.published_ids) >= number


async def add(database: Database, *aggregates: str, priority: OutboxPriority = OutboxPriority.NORMAL) -> list[int]:
    async with database.write() as session:
        for aggregate in aggregates:
            await outbox.add(session, "test", aggregate, priority=priority)
    async with database.read() as session:
        rows = await session.scalars(select(OutboxMessageRow))
        ids = {message.aggregate_id: message.id for message in rows}
    return [ids[aggregate] for aggregate in aggregates]


async def row(database: Database, message_id: int) -> OutboxMessageRow:
    async with database.read() as session:
        return await session.get_one(OutboxMessageRow, message_id)


async def relay(database: Database, broker: Broker, *, batch: int = 100, republish_seconds: int = 30) -> int:
    return await relay_once(database, broker.publish, batch=batch, republish_seconds=republish_seconds)


async def handled(
    database: Database, message_id: int, handler: Handler[HandlerResult] | None = None, *, attempts_max: int = 3
) -> list[HandlerResult]:
    handlers = {"test": handler or Handler()}
    return await handle(database, handlers, message_id, attempts_max=attempts_max, backoff_seconds_max=60)
