"""Tests of the outbox relay: every committed message is published, despite crashes, duplicates and refusals."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text
from tests.support.outbox import Broker, add, handled, relay

from paimon.domain.operations.outbox import OutboxPriority
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.queue import outbox
from paimon.infrastructure.queue.relay import PublishFailed, relay_forever, relay_once

pytestmark = pytest.mark.integration


@pytest.fixture
def broker() -> Broker:
    return Broker()


async def test_relay_publishes_committed_messages_once_and_rolled_back_ones_never(database: Database, broker: Broker) -> None:
    (message_id,) = await add(database, "committed")
    with pytest.raises(ZeroDivisionError):
        await _add_and_fail(database)
    assert await relay(database, broker) == 1
    assert await relay(database, broker) == 0
    assert broker.published_ids == [message_id]


async def _add_and_fail(database: Database) -> None:
    async with database.write() as session:
        await outbox.add(session, "test", "rolled back", priority=OutboxPriority.NORMAL)
        await session.flush()
        raise ZeroDivisionError


async def test_relay_publishes_by_priority_then_by_age(database: Database, broker: Broker) -> None:
    priorities = ["reports", "normal", "chain", "critical", "high", "normal", "critical"]
    ids = [(await add(database, f"{index}", priority=OutboxPriority(priority)))[0] for index, priority in enumerate(priorities)]
    await relay(database, broker)
    order = ["critical", "high", "chain", "normal", "reports"]
    expected = sorted(range(len(ids)), key=lambda index: (order.index(priorities[index]), index))
    assert broker.published_ids == [ids[index] for index in expected]


async def test_two_relays_publish_no_message_twice(database: Database) -> None:
    """Both relays hold row locks at the same time: the first cannot finish before the second has claimed its rows."""
    ids = await add(database, *(f"{number}" for number in range(10)))
    first, second = Broker(), Broker()
    first.open.clear()
    slow = asyncio.create_task(relay(database, first, batch=6))
    await asyncio.sleep(0.1)
    assert await relay(database, second, batch=10) == 4
    first.open.set()
    assert await slow == 6
    assert sorted(first.published_ids + second.published_ids) == sorted(ids)


async def test_relay_publishes_again_when_it_crashed_before_its_commit(database: Database, broker: Broker) -> None:
    (message_id,) = await add(database, "one")

    async def publish_and_crash(published: int, priority: OutboxPriority) -> None:
        await broker.publish(published, priority)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await relay_once(database, publish_and_crash, batch=10, republish_seconds=30)
    await relay(database, broker)
    assert broker.published_ids == [message_id, message_id]


async def test_messages_stay_due_when_the_broker_refuses(database: Database, broker: Broker) -> None:
    ids = await add(database, "one", "two")
    broker.rejects = True
    with pytest.raises(PublishFailed):
        await relay(database, broker)
    broker.rejects = False
    await relay(database, broker)
    assert broker.published_ids == ids


async def test_relay_publishes_a_lower_id_that_commits_later(database: Database, broker: Broker) -> None:
    """A cursor over ids would skip it."""
    async with database.write() as early:
        await outbox.add(early, "test", "written first, committed last", priority=OutboxPriority.NORMAL)
        await early.flush()
        (later,) = await add(database, "written last, committed first")
        assert await relay(database, broker) == 1
    assert await relay(database, broker) == 1
    first, second = broker.published_ids
    assert (first, second < first) == (later, True)


async def test_relay_publishes_a_lost_message_again_until_it_is_done(database: Database, broker: Broker) -> None:
    (message_id,) = await add(database, "one")
    await relay(database, broker)
    async with database.write() as session:
        await session.execute(text("UPDATE ops.outbox SET enqueued_at = now() - interval '31 seconds'"))
    assert await relay(database, broker) == 1
    await handled(database, message_id)
    async with database.write() as session:
        await session.execute(text("UPDATE ops.outbox SET enqueued_at = now() - interval '31 seconds'"))
    assert await relay(database, broker) == 0


@asynccontextmanager
async def relaying(database: Database, broker: Broker, *, poll_seconds: float) -> AsyncIterator[None]:
    relaying = relay_forever(database, broker.publish, batch=2, republish_seconds=30, poll_seconds=poll_seconds)
    task = asyncio.create_task(relaying)
    await asyncio.sleep(0.2)  # until it has subscribed to NOTIFY
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_commit_notifies_the_relay_before_its_poll(
    database: Database, broker: Broker, eventually: Callable[..., Any]
) -> None:
    async with relaying(database, broker, poll_seconds=60):
        await add(database, "one")
        await eventually(lambda: broker.has(1), seconds_max=5)


async def test_relay_finds_messages_by_polling_when_not_notified(
    database: Database, broker: Broker, eventually: Callable[..., Any]
) -> None:
    async with relaying(database, broker, poll_seconds=0.1):
        async with database.write() as session:
            session.add(OutboxMessageRow(kind="test", aggregate_id="1", payload={}, priority=OutboxPriority.NORMAL))
        await eventually(lambda: broker.has(1), seconds_max=5)


async def test_relay_publishes_more_than_a_batch_without_waiting_for_its_poll(
    database: Database, broker: Broker, eventually: Callable[..., Any]
) -> None:
    await add(database, *(f"{number}" for number in range(7)))
    async with relaying(database, broker, poll_seconds=60):
        await eventually(lambda: broker.has(7), seconds_max=5)


async def test_relay_waits_for_an_unavailable_broker(
    database: Database, broker: Broker, eventually: Callable[..., Any]
) -> None:
    broker.rejects = True
    async with relaying(database, broker, poll_seconds=0.1):
        await add(database, "one")
        await asyncio.sleep(0.2)
        broker.rejects = False
        await eventually(lambda: broker.has(1), seconds_max=5)
