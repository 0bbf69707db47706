"""Books brought up to the chain by hand, so that a test needs no listener running beside it."""

from collections.abc import AsyncIterator
from typing import Final

from tests.support.chain.fund import TestFund

from paimon.application.event_listener.ingest.listener import Listener
from paimon.composition import House
from paimon.domain.kernel.chain import BlockStamp
from paimon.infrastructure.database.leases import HeldLease

_LEASE: Final = HeldLease("listener", "tests", 1)


async def record_all(house: House, fund: TestFund) -> None:
    """Everything mined so far, recorded as final."""
    fund.wait_final()
    await record_final(house)


async def record_final(house: House) -> None:
    """Everything that is final now."""
    async for _cursor in following_by_hand(house):
        pass


async def following_by_hand(house: House) -> AsyncIterator[BlockStamp]:
    """Everything that is final now, range by range; where the cursor is after each."""
    listener = Listener(house.database, house.contracts, house.chain, house.settings.chain, house.settings.fund.start_block)
    cursor, followed = await listener._start(_LEASE)
    while (advanced := await listener._advance(cursor, followed, _LEASE)) is not None:
        cursor, followed = advanced
        yield cursor
