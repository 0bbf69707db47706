"""Leases: one holder at a time, by a row with owner, expiry (database clock) and an epoch that only grows.

A takeover raises the epoch. A former holder that resumes too late still has the old epoch; each of its writes depends on
the epoch, so it writes nothing.

A holder may pause in the middle of a transaction and keep locks that its successor needs. So each transaction that takes such
locks also lets the server end it after a few idle seconds (IDLE_TIMEOUT_SQL).
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from paimon.infrastructure.database.sessions import Database, WriteSession


class LeaseLost(Exception):
    """Another process holds the lease; this one must stop writing at once."""


@dataclass(frozen=True, slots=True)
class HeldLease:
    name: str
    owner: str
    epoch: int


IDLE_TIMEOUT_SQL: Final = "set_config('idle_in_transaction_session_timeout', '5s', true)"
"""Column that makes the server end the statement's transaction after this idle time.

The time is shorter than a lease's duration and longer than any holder computes between two statements. It is local to the
transaction, so the pooled connection does not keep it.
"""

_TAKE = text(f"""
    INSERT INTO ops.leases AS held (name, owner, epoch, expires_at)
    VALUES (:name, :owner, 1, now() + make_interval(secs => :ttl))
    ON CONFLICT (name) DO UPDATE
       SET owner = excluded.owner, epoch = held.epoch + 1, expires_at = excluded.expires_at
     WHERE held.expires_at < now()
    RETURNING epoch, {IDLE_TIMEOUT_SQL}
""")  # noqa: S608 — both parts are constants

_RENEW = text(f"""
    UPDATE ops.leases SET expires_at = now() + make_interval(secs => :ttl)
     WHERE name = :name AND owner = :owner AND epoch = :epoch AND expires_at >= now()
    RETURNING epoch, {IDLE_TIMEOUT_SQL}
""")  # noqa: S608 — both parts are constants

_SEIZE = text("""
    INSERT INTO ops.leases AS held (name, owner, epoch, expires_at) VALUES (:name, :owner, 1, now())
    ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, epoch = held.epoch + 1, expires_at = excluded.expires_at
    RETURNING epoch
""")

_RELEASE = text("UPDATE ops.leases SET expires_at = now() WHERE name = :name AND owner = :owner AND epoch = :epoch")

_FENCE = text(f"SELECT 1, {IDLE_TIMEOUT_SQL} FROM ops.leases WHERE name = :name AND epoch = :epoch FOR SHARE")  # noqa: S608


async def try_acquire(database: Database, name: str, owner: str, *, ttl_seconds: float) -> HeldLease | None:
    """Take the lease if it is free or expired; else return None."""
    async with database.write() as session:
        epoch = (await session.execute(_TAKE, {"name": name, "owner": owner, "ttl": ttl_seconds})).scalar()
    return None if epoch is None else HeldLease(name, owner, int(epoch))


async def renew(database: Database, lease: HeldLease, *, ttl_seconds: float) -> None:
    """Extend the lease. Raises LeaseLost if it expired or another process took it."""
    values = {"name": lease.name, "owner": lease.owner, "epoch": lease.epoch, "ttl": ttl_seconds}
    async with database.write() as session:
        if (await session.execute(_RENEW, values)).scalar() is None:
            raise LeaseLost(f"lease {lease.name!r} (epoch {lease.epoch}) is no longer held by this process")


async def force_acquire(session: WriteSession, name: str, owner: str) -> int:
    """Take the lease from its holder for this transaction only, and return the new epoch, which fences every earlier holder.

    Any process may take the lease again after this transaction commits.
    """
    return int((await session.execute(_SEIZE, {"name": name, "owner": owner})).scalar_one())


async def release(database: Database, lease: HeldLease) -> None:
    """Release the lease, so that a successor can start at once. Harmless if the lease is lost already."""
    async with database.write() as session:
        await session.execute(_RELEASE, {"name": lease.name, "owner": lease.owner, "epoch": lease.epoch})


async def fence(session: WriteSession, lease: HeldLease) -> None:
    """Make this transaction depend on the lease: a takeover waits for its commit. Raises LeaseLost after a takeover."""
    if (await session.execute(_FENCE, {"name": lease.name, "epoch": lease.epoch})).scalar() is None:
        raise LeaseLost(f"lease {lease.name!r} was taken over (this process holds epoch {lease.epoch})")
