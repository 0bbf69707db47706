"""Leases: one holder at a time, by a row with owner, expiry (database clock) and an epoch that only grows.

A takeover raises the epoch. A former holder that resumes too late still has the old epoch; each of its writes depends on
the epoch, so it writes nothing.

A holder may pause in the middle of a transaction and keep locks that its successor needs. So each transaction that takes such
locks also lets the server end it after a few idle seconds (IDLE_TIMEOUT_SQL).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import TextClause, text

from paimon.domain.kernel.chain import Address, checksum
from paimon.infrastructure.database.sessions import Database, ReadSession, WriteSession


class LeaseLost(Exception):
    """Another process holds the lease; this one must stop writing at once."""


class LeaseTable(StrEnum):
    """A table of leases. The rights in the database say which processes may write which."""

    PROCESSES = "ops.leases"
    SIGNERS = "ops.signer_leases"


def signer_lease(wallet: Address) -> str:
    """Return the name of the lease of a signer's key, in the table of signers."""
    return f"signer of {checksum(wallet)}"


@dataclass(frozen=True, slots=True)
class HeldLease:
    name: str
    owner: str
    epoch: int
    table: LeaseTable = LeaseTable.PROCESSES


IDLE_TIMEOUT_SQL: Final = "set_config('idle_in_transaction_session_timeout', '5s', true)"
"""Column that makes the server end the statement's transaction after this idle time.

The time is shorter than a lease's duration and longer than any holder computes between two statements. It is local to the
transaction, so the pooled connection does not keep it.
"""


def _by_table(template: str) -> Mapping[LeaseTable, TextClause]:
    return {table: text(template.format(table=table, idle_timeout=IDLE_TIMEOUT_SQL)) for table in LeaseTable}


_TAKE: Final = _by_table("""
    INSERT INTO {table} AS held (name, owner, epoch, expires_at)
    VALUES (:name, :owner, 1, now() + make_interval(secs => :ttl))
    ON CONFLICT (name) DO UPDATE
       SET owner = excluded.owner, epoch = held.epoch + 1, expires_at = excluded.expires_at
     WHERE held.expires_at < now()
    RETURNING epoch, {idle_timeout}
""")

_RENEW: Final = _by_table("""
    UPDATE {table} SET expires_at = now() + make_interval(secs => :ttl)
     WHERE name = :name AND owner = :owner AND epoch = :epoch AND expires_at >= now()
    RETURNING epoch, {idle_timeout}
""")

_SEIZE: Final = _by_table("""
    INSERT INTO {table} AS held (name, owner, epoch, expires_at) VALUES (:name, :owner, 1, now())
    ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, epoch = held.epoch + 1, expires_at = excluded.expires_at
    RETURNING epoch
""")

_RELEASE: Final = _by_table("UPDATE {table} SET expires_at = now() WHERE name = :name AND owner = :owner AND epoch = :epoch")

_FENCE: Final = _by_table("SELECT 1, {idle_timeout} FROM {table} WHERE name = :name AND epoch = :epoch FOR SHARE")

_HOLDER: Final = _by_table("SELECT owner FROM {table} WHERE name = :name AND expires_at >= now()")


async def try_acquire(
    database: Database, name: str, owner: str, *, ttl_seconds: float, table: LeaseTable = LeaseTable.PROCESSES
) -> HeldLease | None:
    """Take the lease if it is free or expired; else return None."""
    async with database.write() as session:
        epoch = (await session.execute(_TAKE[table], {"name": name, "owner": owner, "ttl": ttl_seconds})).scalar()
    return None if epoch is None else HeldLease(name, owner, int(epoch), table)


async def renew(database: Database, lease: HeldLease, *, ttl_seconds: float) -> None:
    """Extend the lease. Raises LeaseLost if it expired or another process took it."""
    values = {"name": lease.name, "owner": lease.owner, "epoch": lease.epoch, "ttl": ttl_seconds}
    async with database.write() as session:
        if (await session.execute(_RENEW[lease.table], values)).scalar() is None:
            raise LeaseLost(f"lease {lease.name!r} (epoch {lease.epoch}) is no longer held by this process")


async def find_holder(session: ReadSession, name: str, *, table: LeaseTable = LeaseTable.PROCESSES) -> str | None:
    """Return the name of the process that holds the lease now, or None."""
    return (await session.execute(_HOLDER[table], {"name": name})).scalar_one_or_none()


async def force_acquire(session: WriteSession, name: str, owner: str) -> int:
    """Take the lease from its holder for this transaction only, and return the new epoch, which fences every earlier holder.

    Any process may take the lease again after this transaction commits.
    """
    return int((await session.execute(_SEIZE[LeaseTable.PROCESSES], {"name": name, "owner": owner})).scalar_one())


async def release(database: Database, lease: HeldLease) -> None:
    """Release the lease, so that a successor can start at once. Harmless if the lease is lost already."""
    async with database.write() as session:
        await session.execute(_RELEASE[lease.table], {"name": lease.name, "owner": lease.owner, "epoch": lease.epoch})


async def fence(session: WriteSession, lease: HeldLease) -> None:
    """Make this transaction depend on the lease: a takeover waits for its commit. Raises LeaseLost after a takeover."""
    if (await session.execute(_FENCE[lease.table], {"name": lease.name, "epoch": lease.epoch})).scalar() is None:
        raise LeaseLost(f"lease {lease.name!r} was taken over (this process holds epoch {lease.epoch})")
