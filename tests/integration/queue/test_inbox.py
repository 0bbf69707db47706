"""Handling: what is delivered is done once, its effect and its mark together, and a failure ends where it is seen."""

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
    """Writes a lease row named after the aggregate, which can be written only once."""

    async def within(session: WriteSession, due: DueMessage) -> list[HandlerResult]:
        done.append(due.aggregate_id)
        await session.execute(text("INSERT INTO ops.leases VALUES (:name, 'tests', 1, now())"), {"name": due.aggregate_id})
        return [f"told of {due.aggregate_id}"]

    return Handler(apply=within)


async def test_what_is_delivered_twice_is_handled_once(database: Database) -> None:
    (message_id,) = await add(database, "one")
    done: list[str] = []
    assert await handled(database, message_id, effect(done)) == ["told of one"]
    assert await handled(database, message_id, effect(done)) == []
    assert done == ["one"]
    assert (await row(database, message_id)).done_at is not None


async def test_what_is_delivered_twice_at_the_same_time_is_handled_once(database: Database) -> None:
    (message_id,) = await add(database, "one")
    done: list[str] = []
    both_have_looked = asyncio.Barrier(2)

    async def look(_due: DueMessage) -> None:
        await both_have_looked.wait()

    within = effect(done).within
    told = await asyncio.gather(*(handled(database, message_id, Handler(prepare=look, apply=within)) for _ in range(2)))
    assert sorted(told) == [[], ["told of one"]]
    assert done == ["one"]
    assert (await row(database, message_id)).attempts == 0


async def test_what_was_done_while_a_worker_was_still_preparing_is_not_done_again(database: Database) -> None:
    (message_id,) = await add(database, "one")
    done: list[str] = []

    async def be_overtaken(_due: DueMessage) -> None:
        assert await handled(database, message_id, effect(done)) == ["told of one"]

    assert await handled(database, message_id, Handler(prepare=be_overtaken, apply=effect(done).apply)) == []
    assert done == ["one"]
    assert (await row(database, message_id)).last_error is None


async def test_the_effect_and_the_done_mark_commit_together_or_not_at_all(database: Database) -> None:
    (message_id,) = await add(database, "one")

    async def write_and_fail(session: WriteSession, due: DueMessage) -> list[HandlerResult]:
        await session.execute(text("INSERT INTO ops.leases VALUES ('half done', 'tests', 1, now())"))
        raise LookupError("the other half is not there")

    assert await handled(database, message_id, Handler(apply=write_and_fail)) == []
    async with database.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM ops.leases")) == 0
    failed = await row(database, message_id)
    assert (failed.done_at, failed.dead_lettered_at, failed.attempts) == (None, None, 1)
    assert failed.last_error == "LookupError: the other half is not there"


async def fail(_due: DueMessage) -> None:
    raise ConnectionError("no route\x00to host")


async def test_a_failure_is_tried_again_after_a_growing_pause_and_ends_as_a_visible_dead_letter(
    database: Database,
) -> None:
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
    dead = await row(database, message_id)
    assert dead.attempts == 3
    assert dead.dead_lettered_at is not None
    assert dead.last_error == "ConnectionError: no route�to host"
    assert await relay(database, broker) == 0
    assert await handled(database, message_id) == []


async def test_a_kind_nobody_handles_is_a_failure_that_names_it(database: Database) -> None:
    async with database.write() as session:
        await outbox.add(session, "from the future", "one", priority=OutboxPriority.NORMAL)
    async with database.read() as session:
        message_id = await session.scalar(select(OutboxMessageRow.id))
    assert message_id is not None
    await handled(database, message_id)
    assert (await row(database, message_id)).last_error == "KeyError: 'from the future'"


async def test_a_message_about_no_row_does_nothing(database: Database) -> None:
    assert await handled(database, 10**6) == []
