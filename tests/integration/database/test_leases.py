"""Tests of leases: one holder at a time, a growing epoch, and no writes by a former holder."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, text

from paimon.infrastructure.database.leases import HeldLease, LeaseLost, fence, release, renew, try_acquire
from paimon.infrastructure.database.models.ops.lease import LeaseRow
from paimon.infrastructure.database.sessions import Database

pytestmark = pytest.mark.integration

NAME = "listener"


async def take(database: Database, owner: str = "first", *, ttl_seconds: float = 30) -> HeldLease:
    lease = await try_acquire(database, NAME, owner, ttl_seconds=ttl_seconds)
    assert lease is not None
    return lease


async def expire(database: Database) -> None:
    async with database.write() as session:
        await session.execute(text("UPDATE ops.leases SET expires_at = now() - interval '1 second'"))


@pytest.mark.parametrize("before", ["never held", "expired"])
async def test_one_of_many_requests_gets_the_lease(database: Database, before: str) -> None:
    if before == "expired":
        await take(database, "previous owner")
        await expire(database)
    results = await asyncio.gather(*(try_acquire(database, NAME, f"owner-{number}", ttl_seconds=30) for number in range(8)))
    (winner,) = [lease for lease in results if lease is not None]
    assert winner.epoch == (2 if before == "expired" else 1)
    async with database.read() as session:
        assert await session.scalar(select(LeaseRow.owner)) == winner.owner


async def test_held_lease_is_given_to_no_one_again(database: Database) -> None:
    await take(database, "first")
    assert await try_acquire(database, NAME, "second", ttl_seconds=30) is None
    assert await try_acquire(database, NAME, "first", ttl_seconds=30) is None


async def test_leases_of_different_names_are_independent(database: Database) -> None:
    await take(database)
    assert await try_acquire(database, "scheduler", "second", ttl_seconds=30) is not None


async def test_takeover_after_expiry_raises_epoch(database: Database) -> None:
    first = await take(database, "first")
    await expire(database)
    second = await take(database, "second")
    assert (first.epoch, second.epoch) == (1, 2)


async def test_expiry_follows_database_clock(database: Database, eventually: Callable[..., Any]) -> None:
    await take(database, "first", ttl_seconds=0.3)

    async def taken_over() -> Any:
        return await try_acquire(database, NAME, "second", ttl_seconds=30)

    assert (await eventually(taken_over)).epoch == 2


async def test_renewal_keeps_lease_and_epoch(database: Database) -> None:
    lease = await take(database, ttl_seconds=0.3)
    await renew(database, lease, ttl_seconds=30)
    await asyncio.sleep(0.35)
    assert await try_acquire(database, NAME, "second", ttl_seconds=30) is None
    async with database.read() as session:
        assert await session.scalar(select(LeaseRow.epoch)) == lease.epoch


async def test_expired_or_taken_lease_cannot_be_renewed(database: Database) -> None:
    first = await take(database, "first")
    await expire(database)
    with pytest.raises(LeaseLost, match=r"'listener' \(epoch 1\) is no longer held by this process"):
        await renew(database, first, ttl_seconds=30)
    await take(database, "second")
    with pytest.raises(LeaseLost):
        await renew(database, first, ttl_seconds=30)


async def test_released_lease_is_free_at_once_and_epoch_grows(database: Database) -> None:
    await release(database, await take(database, "first"))
    assert (await take(database, "second")).epoch == 2


async def test_former_holder_cannot_release_lease_of_successor(database: Database) -> None:
    first = await take(database, "first")
    await expire(database)
    await take(database, "second")
    await release(database, first)
    assert await try_acquire(database, NAME, "third", ttl_seconds=30) is None


async def test_write_is_fenced_by_epoch(database: Database) -> None:
    first = await take(database, "first")
    async with database.write() as session:
        await fence(session, first)
    await expire(database)
    await take(database, "second")
    with pytest.raises(LeaseLost, match="this process holds epoch 1"):
        async with database.write() as session:
            await fence(session, first)


async def test_takeover_waits_for_commit_of_fenced_write(database: Database) -> None:
    """Otherwise the write would commit after the successor has read its starting state."""
    first = await take(database, "first")
    await expire(database)
    async with database.write() as session:
        await fence(session, first)
        taking = asyncio.create_task(try_acquire(database, NAME, "second", ttl_seconds=30))
        await asyncio.sleep(0.2)
        assert not taking.done()
    taken = await taking
    assert taken is not None
    assert taken.epoch == 2


async def test_holder_frozen_during_renewal_delays_takeover_by_its_lease_only(
    database: Database,
) -> None:
    """The server ends its transaction, and the row is free; the setting stays behind on no connection."""
    show_timeout = text("SHOW idle_in_transaction_session_timeout")
    lease = await take(database)
    async with database.write() as session:
        usual = await session.scalar(show_timeout)
        await fence(session, lease)
        assert await session.scalar(show_timeout) == "5s"
    async with database.write() as session:
        assert await session.scalar(show_timeout) == usual != "5s"
