"""The outbox: whatever commits is relayed, whoever dies, doubles or refuses on the way."""

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


async def test_a_committed_row_is_relayed_once_and_a_rolled_back_one_never(database: Database, broker: Broker) -> None:
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


async def test_the_most_urgent_leave_first_and_among_equals_the_oldest(database: Database, broker: Broker) -> None:
    priorities = ["reports", "normal", "chain", "critical", "high", "normal", "critical"]
    ids = [(await add(database, f"{at}", priority=OutboxPriority(each)))[0] for at, each in enumerate(priorities)]
    await relay(database, broker)
    order = ["critical", "high", "chain", "normal", "reports"]
    expected = sorted(range(len(ids)), key=lambda at: (order.index(priorities[at]), at))
    assert broker.published_ids == [ids[at] for at in expected]


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
    assert sorted(first.published_ids + second.published_ids) == sorted(ids)


async def test_a_relay_that_dies_between_publishing_and_its_commit_publishes_again(database: Database, broker: Broker) -> None:
    (message_id,) = await add(database, "one")

    async def publish_and_die(published: int, priority: OutboxPriority) -> None:
        await broker.publish(published, priority)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await relay_once(database, publish_and_die, batch=10, republish_seconds=30)
    await relay(database, broker)
    assert broker.published_ids == [message_id, message_id]


async def test_a_refusing_broker_leaves_every_row_due(database: Database, broker: Broker) -> None:
    ids = await add(database, "one", "two")
    broker.rejects = True
    with pytest.raises(PublishFailed):
        await relay(database, broker)
    broker.rejects = False
    await relay(database, broker)
    assert broker.published_ids == ids


async def test_a_lower_id_that_commits_later_is_relayed_all_the_same(database: Database, broker: Broker) -> None:
    """A cursor over ids would have passed it by."""
    async with database.write() as early:
        await outbox.add(early, "test", "written first, committed last", priority=OutboxPriority.NORMAL)
        await early.flush()
        (later,) = await add(database, "written last, committed first")
        assert await relay(database, broker) == 1
    assert await relay(database, broker) == 1
    first, second = broker.published_ids
    assert (first, second < first) == (later, True)


async def test_what_was_lost_on_the_way_is_published_again_until_it_is_done(database: Database, broker: Broker) -> None:
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
            session.add(OutboxMessageRow(kind="test", aggregate_id="1", payload={}, priority=OutboxPriority.NORMAL))
        await eventually(lambda: broker.has(1), seconds_max=5)


async def test_more_rows_than_a_batch_are_relayed_without_waiting_for_the_next_poll(
    database: Database, broker: Broker, eventually: Callable[..., Any]
) -> None:
    await add(database, *(f"{number}" for number in range(7)))
    async with relaying(database, broker, poll_seconds=60):
        await eventually(lambda: broker.has(7), seconds_max=5)


async def test_a_broker_that_is_away_is_waited_for(database: Database, broker: Broker, eventually: Callable[..., Any]) -> None:
    broker.rejects = True
    async with relaying(database, broker, poll_seconds=0.1):
        await add(database, "one")
        await asyncio.sleep(0.2)
        broker.rejects = False
        await eventually(lambda: broker.has(1), seconds_max=5)
