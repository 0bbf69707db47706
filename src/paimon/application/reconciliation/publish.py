"""Reconciliation with its consequence: NAV is published or withheld.

It runs on the clock, when an unexpected event was recorded, and on an operator's command.
"""

from paimon.application.nav.overview import FundPublisher
from paimon.application.nav.publication import publish_nav
from paimon.application.reconciliation.reconcile import Reconciliation, reconcile
from paimon.application.risk_control.store import find_reconciled_block
from paimon.domain.kernel.units import Bps
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.sessions import Database


async def reconcile_and_publish(
    database: Database, contracts: FundContracts, publisher: FundPublisher, *, material_threshold: Bps
) -> Reconciliation:
    """Reconcile, then publish or withhold NAV.

    Raises:
        NothingRecorded, CallReverted, RpcUnavailable, RpcError.
    """
    result = await reconcile(database, contracts, material_threshold=material_threshold)
    await publish_nav(database, publisher)
    return result


async def reconcile_if_due(
    database: Database, contracts: FundContracts, publisher: FundPublisher, *, since: int, material_threshold: Bps
) -> None:
    """Reconcile and publish, unless a reconciliation at or after block `since` was made: one is enough for a burst of events.

    Raises:
        NothingRecorded, CallReverted, RpcUnavailable, RpcError.
    """
    async with database.read() as session:
        reconciled = await find_reconciled_block(session)
    if reconciled is None or reconciled < since:
        await reconcile_and_publish(database, contracts, publisher, material_threshold=material_threshold)
