"""The leases of the signer's keys, between signers on several machines.

Each key has a lease in a table that only the database role of signers may write. A signer stands by until the lease of a key
is free, and renews it right before each movement, so no other signer signs one with the key at the same time. Who owns the
database can take the lease away or give it twice: then the count of the key's nonces on chain ends the second signer
(service.py). What moves no money needs no lease, so that an outage of the database stops no settlement.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import structlog
from sqlalchemy.exc import SQLAlchemyError

from paimon.domain.kernel.chain import Address, checksum
from paimon.gateway.signer.check_request import RefusalCode, RequestRefused
from paimon.gateway.signer.policy_tables import LeasesTable
from paimon.infrastructure.database.leadership import run_as_leader
from paimon.infrastructure.database.leases import HeldLease, LeaseLost, LeaseTable, find_holder, renew, signer_lease
from paimon.infrastructure.database.rights.check import RightsMissing, require_rights
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.sessions import Database, create_engine

log = structlog.get_logger(__name__)
_CONNECT_SECONDS = 5


class KeyLeases:
    """Hold the leases of keys, and say which are held."""

    def __init__(self, database: Database, times: LeasesTable) -> None:
        self._database = database
        self._times = times
        self._held: dict[Address, HeldLease] = {}

    async def require(self, wallet: Address) -> None:
        """Renew the key's lease.

        Raises:
            RequestRefused: this signer does not hold it, or the database cannot confirm that.
        """
        try:
            async with asyncio.timeout(self._times.ttl_seconds - self._times.renew_seconds):
                if (lease := self._held.get(wallet)) is not None:
                    await renew(self._database, lease, ttl_seconds=self._times.ttl_seconds)
                    return
                async with self._database.read() as session:
                    holder = await find_holder(session, signer_lease(wallet), table=LeaseTable.SIGNERS)
        except LeaseLost:
            reason = "this signer has just lost it"
        except (SQLAlchemyError, TimeoutError) as error:
            reason = f"its database cannot confirm it ({type(error).__name__})"
        else:
            reason = "it is free and about to be taken" if holder is None else f"the signer {holder} holds it"
        raise RequestRefused(
            RefusalCode.LEASE_NOT_HELD, f"one signer at a time moves money with {checksum(wallet)}, by a lease: {reason}"
        )

    async def hold(self, wallet: Address) -> None:
        """Stand by for the key's lease and hold it, again after each loss, until cancelled."""

        async def mark_held(lease: HeldLease) -> None:
            self._held[wallet] = lease
            try:
                await asyncio.Event().wait()
            finally:
                del self._held[wallet]

        await run_as_leader(
            self._database,
            signer_lease(wallet),
            mark_held,
            ttl_seconds=self._times.ttl_seconds,
            renew_seconds=self._times.renew_seconds,
            table=LeaseTable.SIGNERS,
        )


@asynccontextmanager
async def holding_leases(times: LeasesTable, wallets: Iterable[Address]) -> AsyncIterator[KeyLeases]:
    """Hold the leases of these keys while the block runs, and release them at its end.

    Raises:
        RightsMissing: the database answers, and its role is not fit for the signers' role.
    """
    database = Database(
        create_engine(
            times.database_url.get_secret_value(),
            pool_size=2,
            connect_timeout_seconds=_CONNECT_SECONDS,
            application_name="paimon signer",
        )
    )
    await _require_own_role(database)
    leases = KeyLeases(database, times)
    tasks = [asyncio.create_task(leases.hold(wallet)) for wallet in wallets]
    try:
        yield leases
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await database.close()


async def _require_own_role(database: Database) -> None:
    """Check the role while the database answers; one that is away refuses movements, and does not stop the start."""
    try:
        await require_rights(database.engine, DatabaseRole.SIGNER, url_setting="database_url of [leases]")
    except (SQLAlchemyError, OSError) as error:
        log.warning("signer.database_role_not_checked", reason=type(error).__name__)
    except RightsMissing:
        await database.close()
        raise
