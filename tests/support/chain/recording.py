"""Record the chain without a running listener, with the listener's rights in the database."""

from collections.abc import AsyncIterator
from typing import Final

from tests.support.chain.fund import TestFund
from tests.support.database_roles import acting_as

from paimon.application.event_listener.ingest.listener import Listener
from paimon.composition import AppContext
from paimon.domain.kernel.chain import BlockStamp
from paimon.infrastructure.database.leases import HeldLease
from paimon.infrastructure.database.rights.roles import DatabaseRole

_LEASE: Final = HeldLease("listener", "tests", 1)


async def record_all(app_context: AppContext, fund: TestFund) -> None:
    """Make everything mined so far final, and record it."""
    fund.wait_until_final()
    await record_final(app_context)


async def record_final(app_context: AppContext) -> None:
    """Record everything that is final now."""
    async for _cursor in record_ranges(app_context):
        pass


async def record_ranges(app_context: AppContext) -> AsyncIterator[BlockStamp]:
    """Record everything that is final now, range by range. Yield the cursor after each."""
    async with acting_as(DatabaseRole.LISTENER, app_context.database) as database:
        listener = Listener(
            database,
            app_context.contracts,
            app_context.chain,
            app_context.settings.chain,
            app_context.settings.fund.start_block,
        )
        cursor, tracked = await listener._start(_LEASE)
        while (advanced := await listener._advance(cursor, tracked, _LEASE)) is not None:
            cursor, tracked = advanced
            yield cursor
