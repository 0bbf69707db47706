"""Tests of outbox handling: a delivered message takes effect once, and a failure is recorded on its row."""

import asyncio

import pytest
from sqlalchemy import select, text
from tests.support.outbox import Broker, HandlerResult, add, handled, relay, row

from paimon.domain.operations.outbox import OutboxPriority
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.infrastructure.queue import outbox
from paimon.infrastructure.queue.handler import DueMessage, Handler

pytestmark = pytest.mark.integration


def effect(done: list[str]) -> Handler[HandlerResult]:
    """Return a handler that inserts a lease named after the aggregate, which only works once."""

    async def apply(session: WriteSession, message: DueMessage) -> list[HandlerResult]:
        done.append(message.aggregate_id)
        await session.execute(text("INSERT INTO ops.leases VALUES (:name, 'tests', 1, now())"), {"name": message.aggregate_id})
        return [f"notify about {message.aggregate_id}"]

    return Handler(apply=apply)


async def test_message_is_handled_once_when_delivered_twice(database: Database) -> None:
    (message_id,) = await add(database, "one")
    done: list[str] = []
    assert await handled(database, message_id, effect(done)) == ["notify about one"]
    assert await handled(database, message_id, effect(done)) == []
    assert done == ["one"]
    assert (await row(database, message_id)).done_at is not None


async def test_message_is_handled_once_when_delivered_twice_concurrently(database: Database) -> None:
    (message_id,) = await add(database, "one")
    done: list[str] = []
    both_are_prepared = asyncio.Barrier(2)

    async def prepare(_message: DueMessage) -> None:
        await both_are_prepared.wait()

    handler = Handler(prepare=prepare, apply=effect(done).apply)
    notifications = await asyncio.gather(*(handled(database, message_id, handler) for _ in range(2)))
    assert sorted(notifications) == [[], ["notify about one"]]
    assert done == ["one"]
    assert (await row(database, message_id)).attempts == 0


async def test_handler_applies_nothing_when_another_worker_finished_first(database: Database) -> None:
    (message_id,) = await add(database, "one")
    done: list[str] = []

    async def let_another_worker_finish(_message: DueMessage) -> None:
        assert await handled(database, message_id, effect(done)) == ["notify about one"]

    assert await handled(database, message_id, Handler(prepare=let_another_worker_finish, apply=effect(done).apply)) == []
    assert done == ["one"]
    assert (await row(database, message_id)).last_error is None


async def test_effect_and_done_mark_commit_together_or_not_at_all(database: Database) -> None:
    (message_id,) = await add(database, "one")

    async def write_and_fail(session: WriteSession, _message: DueMessage) -> list[HandlerResult]:
        await session.execute(text("INSERT INTO ops.leases VALUES ('half done', 'tests', 1, now())"))
        raise LookupError("the other half is not there")

    assert await handled(database, message_id, Handler(apply=write_and_fail)) == []
    async with database.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM ops.leases")) == 0
    failed = await row(database, message_id)
    assert (failed.done_at, failed.dead_lettered_at, failed.attempts) == (None, None, 1)
    assert failed.last_error == "LookupError: the other half is not there"


async def fail(_message: DueMessage) -> None:
    raise ConnectionError("no route\x00to host")


async def test_failed_message_is_retried_after_growing_pauses_then_dead_lettered(database: Database) -> None:
    broker = Broker()
    (message_id,) = await add(database, "one")
    pauses = []
    for attempt in (1, 2):
        await handled(database, message_id, Handler(prepare=fail))
        failed = await row(database, message_id)
        assert (failed.attempts, failed.dead_lettered_at, failed.enqueued_at) == (attempt, None, None)
        assert await relay(database, broker) == 0, "its pause is not over"
        async with database.write() as session:
            pauses.append(await session.scalar(text("SELECT extract(epoch FROM available_at - now()) FROM ops.outbox")))
            await session.execute(text("UPDATE ops.outbox SET available_at = now()"))
        assert await relay(database, broker) == 1
    assert 0.5 < float(pauses[0]) <= 2
    assert 1.5 < float(pauses[1]) <= 4
    await handled(database, message_id, Handler(prepare=fail))
    dead_lettered = await row(database, message_id)
    assert dead_lettered.attempts == 3
    assert dead_lettered.dead_lettered_at is not None
    assert dead_lettered.last_error == "ConnectionError: no route�to host"
    assert await relay(database, broker) == 0
    assert await handled(database, message_id) == []


async def test_message_of_unknown_kind_fails_with_its_name(database: Database) -> None:
    async with database.write() as session:
        await outbox.add(session, "from the future", "one", priority=OutboxPriority.NORMAL)
    async with database.read() as session:
        message_id = await session.scalar(select(OutboxMessageRow.id))
    assert message_id is not None
    await handled(database, message_id)
    assert (await row(database, message_id)).last_error == "KeyError: 'from the future'"


async def test_unknown_message_id_is_ignored(database: Database) -> None:
    assert await handled(database, 10**6) == []
