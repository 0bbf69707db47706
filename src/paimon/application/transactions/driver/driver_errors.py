"""Drives that the node does not let get to their end: shown on the wallet's row, since when and why, until one does.

One intent's trouble is its own reason and interrupts nothing; what is written here holds up all of the wallet.
"""

import structlog

from paimon.application.transactions.driver.context import Desk
from paimon.application.transactions.store import lock_wallet
from paimon.domain.kernel.chain import Address, checksum
from paimon.infrastructure.text import storable

log = structlog.get_logger(__name__)


async def note_interruption(desk: Desk, wallet: Address, why: str | None) -> None:
    """What interrupted the drive that has just ended; None, it got to its end. Another driver at work has its own word."""
    async with desk.database.write() as session:
        held = await lock_wallet(session, wallet)
        if held is None:
            return
        row, now = held
        if why is not None:
            row.interrupted_since, row.interrupted_by = row.interrupted_since or now, storable(why)
        elif row.interrupted_since is not None:
            log.info("wallet.drive_goes_on", wallet=checksum(wallet), since=row.interrupted_since)
            row.interrupted_since = row.interrupted_by = None
