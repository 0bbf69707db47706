"""The relay from the outbox to the queue. It runs in every worker process.

Rows are claimed with SKIP LOCKED, never by an id cursor: ids commit out of order, so a cursor would skip rows. A row is
published, marked as enqueued and committed. If the process ends in between, the message is published twice and handled once.
NOTIFY wakes the relay, and polling finds what a lost notification missed.
"""

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from paimon.domain.operations.outbox import OutboxPriority
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.observability.outages import Outages
from paimon.infrastructure.queue.outbox import NOTIFY_CHANNEL

Publish = Callable[[int, OutboxPriority], Awaitable[None]]
"""Function that puts (message id, priority) on the queue. It raises PublishFailed when the broker refuses the message."""


class PublishFailed(Exception):
    """The broker refused the message; the row stays due."""


_CLAIM = text("""
    SELECT id, priority FROM ops.outbox
     WHERE done_at IS NULL AND dead_lettered_at IS NULL AND available_at <= now()
       AND (enqueued_at IS NULL OR enqueued_at < now() - make_interval(secs => :republish))
     ORDER BY array_position(ARRAY['critical','high','chain','normal','reports'], priority), id
     LIMIT :batch
       FOR UPDATE SKIP LOCKED
""")

_MARK = text("UPDATE ops.outbox SET enqueued_at = now() WHERE id = ANY(:ids)")


async def relay_once(database: Database, publish: Publish, *, batch: int, republish_seconds: int) -> int:
    """Publish one batch of due messages, and return their number."""
    async with database.write() as session:
        rows = (await session.execute(_CLAIM, {"batch": batch, "republish": republish_seconds})).all()
        for row in rows:
            await publish(row.id, OutboxPriority(row.priority))
        if rows:
            await session.execute(_MARK, {"ids": [row.id for row in rows]})
    return len(rows)


async def relay_forever(
    database: Database, publish: Publish, *, batch: int, republish_seconds: int, poll_seconds: float
) -> None:
    """Relay until cancelled. While the database or the broker is unavailable, wait and log it."""
    wakeup = asyncio.Event()
    outages = Outages()
    listening = asyncio.create_task(_listen(database, wakeup, outages))
    try:
        while True:
            wakeup.clear()
            try:
                relayed = await relay_once(database, publish, batch=batch, republish_seconds=republish_seconds)
                outages.record_success("relay")
                if relayed == batch:
                    continue
            except (SQLAlchemyError, PublishFailed) as error:
                service = "broker" if isinstance(error, PublishFailed) else "database"
                outages.record_failure(service, f"{type(error).__name__}: {str(error).splitlines()[0]}", task="relay")
            try:
                async with asyncio.timeout(poll_seconds):
                    await wakeup.wait()
            except TimeoutError:
                continue
    finally:
        listening.cancel()


async def _listen(database: Database, wakeup: asyncio.Event, outages: Outages) -> None:
    """Set `wakeup` on NOTIFY. It uses a connection of its own: the pool may give another one after each transaction."""
    dsn = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
                await connection.execute(f"LISTEN {NOTIFY_CHANNEL}")
                outages.record_success("notify")
                async for _ in connection.notifies():
                    wakeup.set()
        except psycopg.Error as error:
            outages.record_failure("database", type(error).__name__, task="notify")
            await asyncio.sleep(2)
