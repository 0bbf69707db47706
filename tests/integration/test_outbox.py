"""The outbox: whatever commits is relayed and handled once, whoever dies, doubles or fails on the way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import select, text

from paimon.infrastructure.database.models.owned import OutboxMessage, OutboxPriority
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.infrastructure.queue import outbox
from paimon.infrastructure.queue.inbox import Due, Handler, handle
from paimon.infrastructure.queue.relay import PublishFailed, relay_forever, relay_once

pytestmark = pytest.mark.integration


class Broker:
    """Where published ids arrive. It may refuse, or hold everyone up."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.refuses = False
        self.open = asyncio.Event()
        self.open.set()

    async def publish(self, message_id: int, _priority: OutboxPriority) -> None:
        await self.open.wait()
        if self.refuses:
            raise PublishFailed("the broker is away")
        self.taken.append(message_id)

    async def has(self, number: int) -> bool:
        return len(self.taken) >= number


@pytest.fixture
def broker() -> Broker:
    return Broker()


async def add(database: Database, *aggregates: str, priority: OutboxPriority = OutboxPriority.NORMAL) -> list[int]:
    async with database.write() as session:
        for aggregate in aggregates:
            await outbox.add(session, "test", aggregate, priority=priority)
    async with database.read() as session:
        rows = await session.scalars(select(OutboxMessage))
        ids = {each.aggregate_id: each.id for each in rows}
    return [ids[each] for each in aggregates]


async def row(database: Database, message_id: int) -> OutboxMessage:
    async with database.read() as session:
        return await session.get_one(OutboxMessage, message_id)


async def relay(database: Database, broker: Broker, *, batch: int = 100, republish_seconds: int = 30) -> int:
    return await relay_once(database, broker.publish, batch=batch, republish_seconds=republish_seconds)


async def test_a_committed_row_is_relayed_once_and_a_rolled_back_one_never(database: Database, broker: Broker) -> None:
    (message_id,) = await add(database, "committed")
    with pytest.raises(ZeroDivisionError):
        await _add_and_fail(database)
    assert await relay(database, broker) == 1
    assert await relay(database, broker) == 0
    assert broker.taken == [message_id]


async def _add_and_fail(database: Database) -> None:
    async with database.write() as session:
        await outbox.add(session, "test", "rolled back", priority=OutboxPriority.NORMAL)
        await session.flush()
        raise ZeroDivisionError


async def test_the_most_urgent_leave_first_and_among_equals_the_oldest(database: Database, broker: Broker) -> None:
    priorities = ["reports", "normal", "chain", "critical", "high", "normal", "critical"]
    ids = [(await add(database, f"{at}", priority=OutboxPriority(each)))[0] for at, each in enumerate(priorities)]
    await relay(database, broker)
    order = ["critical", "high", "chain", "normal", "reports"]
    expected = sorted(range(len(ids)), key=lambda at: (order.index(priorities[at]), at))
    assert broker.taken == [ids[at] for at in expected]


async def test_two_relays_share_the_rows_and_publish_none_twice(database: Database) -> None:
    """Both hold their rows' locks at the same time: the first may not finish before the second has chosen."""
    ids = await add(database, *(f"{number}" for number in range(10)))
    first, second = Broker(), Broker()
    first.open.clear()
    slow = asyncio.create_task(relay(database, first, batch=6))
    await asyncio.sleep(0.1)
    assert await relay(database, second, batch=10) == 4
    first.open.set()
    assert await slow == 6
    assert sorted(first.taken + second.taken) == sorted(ids)


async def test_a_relay_that_dies_between_publishing_and_its_commit_publishes_again(database: Database, broker: Broker) -> None:
    (message_id,) = await add(database, "one")

    async def publish_and_die(published: int, priority: OutboxPriority) -> None:
        await broker.publish(published, priority)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await relay_once(database, publish_and_die, batch=10, republish_seconds=30)
    await relay(database, broker)
    assert broker.taken == [message_id, message_id]


async def test_a_refusing_broker_leaves_every_row_due(database: Database, broker: Broker) -> None:
    ids = await add(database, "one", "two")
    broker.refuses = True
    with pytest.raises(PublishFailed):
        await relay(database, broker)
    broker.refuses = False
    await relay(database, broker)
    assert broker.taken == ids


async def test_a_lower_id_that_commits_later_is_relayed_all_the_same(database: Database, broker: Broker) -> None:
    """A cursor over ids would have passed it by."""
    async with database.write() as early:
        await outbox.add(early, "test", "written first, committed last", priority=OutboxPriority.NORMAL)
        await early.flush()
        (later,) = await add(database, "written last, committed first")
        assert await relay(database, broker) == 1
    assert await relay(database, broker) == 1
    first, second = broker.taken
    assert (first, second < first) == (later, True)


async def test_what_was_lost_on_the_way_is_published_again_until_it_is_done(database: Database, broker: Broker) -> None:
    (message_id,) = await add(database, "one")
    await relay(database, broker)
    async with database.write() as session:
        await session.execute(text("UPDATE owned.outbox SET enqueued_at = now() - interval '31 seconds'"))
    assert await relay(database, broker) == 1
    await handled(database, message_id)
    async with database.write() as session:
        await session.execute(text("UPDATE owned.outbox SET enqueued_at = now() - interval '31 seconds'"))
    assert await relay(database, broker) == 0


@asynccontextmanager
async def relaying(database: Database, broker: Broker, *, poll_seconds: float) -> AsyncIterator[None]:
    relaying = relay_forever(database, broker.publish, batch=2, republish_seconds=30, poll_seconds=poll_seconds)
    task = asyncio.create_task(relaying)
    await asyncio.sleep(0.2)  # until it listens
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_commit_rings_the_relay_long_before_its_poll(
    database: Database, broker: Broker, eventually: Callable[..., Any]
) -> None:
    async with relaying(database, broker, poll_seconds=60):
        await add(database, "one")
        await eventually(lambda: broker.has(1), seconds_max=5)


async def test_a_deaf_relay_finds_rows_by_its_poll(database: Database, broker: Broker, eventually: Callable[..., Any]) -> None:
    async with relaying(database, broker, poll_seconds=0.1):
        async with database.write() as session:
            session.add(OutboxMessage(kind="test", aggregate_id="1", payload={}, priority=OutboxPriority.NORMAL))
        await eventually(lambda: broker.has(1), seconds_max=5)


async def test_more_rows_than_a_batch_are_relayed_without_waiting_for_the_next_poll(
    database: Database, broker: Broker, eventually: Callable[..., Any]
) -> None:
    await add(database, *(f"{number}" for number in range(7)))
    async with relaying(database, broker, poll_seconds=60):
        await eventually(lambda: broker.has(7), seconds_max=5)


async def test_a_broker_that_is_away_is_waited_for(database: Database, broker: Broker, eventually: Callable[..., Any]) -> None:
    broker.refuses = True
    async with relaying(database, broker, poll_seconds=0.1):
        await add(database, "one")
        await asyncio.sleep(0.2)
        broker.refuses = False
        await eventually(lambda: broker.has(1), seconds_max=5)


Told = str


async def handled(
    database: Database, message_id: int, handler: Handler[Told] | None = None, *, attempts_max: int = 3
) -> list[Told]:
    handlers = {"test": handler or Handler()}
    return await handle(database, handlers, message_id, attempts_max=attempts_max, backoff_seconds_max=60)


def effect(done: list[str]) -> Handler[Told]:
    """Writes a lease row named after the aggregate, which can be written only once."""

    async def within(session: WriteSession, due: Due) -> list[Told]:
        done.append(due.aggregate_id)
        await session.execute(text("INSERT INTO owned.leases VALUES (:name, 'tests', 1, now())"), {"name": due.aggregate_id})
        return [f"told of {due.aggregate_id}"]

    return Handler(within=within)


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

    async def look(_due: Due) -> None:
        await both_have_looked.wait()

    within = effect(done).within
    told = await asyncio.gather(*(handled(database, message_id, Handler(before=look, within=within)) for _ in range(2)))
    assert sorted(told) == [[], ["told of one"]]
    assert done == ["one"]
    assert (await row(database, message_id)).attempts == 0


async def test_the_effect_and_the_done_mark_commit_together_or_not_at_all(database: Database) -> None:
    (message_id,) = await add(database, "one")

    async def write_and_fail(session: WriteSession, due: Due) -> list[Told]:
        await session.execute(text("INSERT INTO owned.leases VALUES ('half done', 'tests', 1, now())"))
        raise LookupError("the other half is not there")

    assert await handled(database, message_id, Handler(within=write_and_fail)) == []
    async with database.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM owned.leases")) == 0
    failed = await row(database, message_id)
    assert (failed.done_at, failed.dead_at, failed.attempts) == (None, None, 1)
    assert failed.last_error == "LookupError: the other half is not there"


async def fail(_due: Due) -> None:
    raise ConnectionError("no route\x00to host")


async def test_a_failure_is_tried_again_after_a_growing_pause_and_ends_as_a_visible_dead_letter(
    database: Database, broker: Broker
) -> None:
    (message_id,) = await add(database, "one")
    pauses = []
    for attempt in (1, 2):
        await handled(database, message_id, Handler(before=fail))
        failed = await row(database, message_id)
        assert (failed.attempts, failed.dead_at, failed.enqueued_at) == (attempt, None, None)
        assert await relay(database, broker) == 0, "its pause is not over"
        async with database.write() as session:
            pauses.append(await session.scalar(text("SELECT extract(epoch FROM available_at - now()) FROM owned.outbox")))
            await session.execute(text("UPDATE owned.outbox SET available_at = now()"))
        assert await relay(database, broker) == 1
    assert 0.5 < float(pauses[0]) <= 2
    assert 1.5 < float(pauses[1]) <= 4
    await handled(database, message_id, Handler(before=fail))
    dead = await row(database, message_id)
    assert dead.attempts == 3
    assert dead.dead_at is not None
    assert dead.last_error == "ConnectionError: no route�to host"
    assert await relay(database, broker) == 0
    assert await handled(database, message_id) == []


async def test_a_kind_nobody_handles_is_a_failure_that_names_it(database: Database) -> None:
    async with database.write() as session:
        await outbox.add(session, "from the future", "one", priority=OutboxPriority.NORMAL)
    async with database.read() as session:
        message_id = await session.scalar(select(OutboxMessage.id))
    assert message_id is not None
    await handled(database, message_id)
    assert (await row(database, message_id)).last_error == "KeyError: 'from the future'"


async def test_a_message_about_no_row_does_nothing(database: Database) -> None:
    assert await handled(database, 10**6) == []
