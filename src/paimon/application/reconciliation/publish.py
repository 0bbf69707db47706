"""A comparison and what follows from it: NAV published, or withheld. On the clock, when something odd was seen, or by hand."""

from redis.asyncio import Redis
from sqlalchemy import func, select

from paimon.application.nav.publication import publish_nav
from paimon.application.reconciliation.reconcile import Reconciliation, reconcile
from paimon.domain.kernel.units import Bps
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.models.ops.reconciliation import ReconciliationRow
from paimon.infrastructure.database.sessions import Database


async def reconcile_and_publish(database: Database, contracts: FundContracts, redis: Redis, *, material: Bps) -> Reconciliation:
    """Raises NothingRecorded, CallReverted, RpcUnavailable, RpcError."""
    result = await reconcile(database, contracts, material=material)
    await publish_nav(database, redis)
    return result


async def reconcile_if_due(database: Database, contracts: FundContracts, redis: Redis, *, since: int, material: Bps) -> None:
    """The same, unless a comparison at or after that block has been made already: one does for a burst of oddities.

    Raises:
        NothingRecorded, CallReverted, RpcUnavailable, RpcError.
    """
    async with database.read() as session:
        newest = (
            await session.execute(select(func.max(ReconciliationRow.block_number)).where(~ReconciliationRow.orphaned))
        ).scalar()
    if newest is None or newest < since:
        await reconcile_and_publish(database, contracts, redis, material=material)
