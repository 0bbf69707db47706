"""Drives that the node does not let get to their end: shown on the wallet's row, since when and why, until one does.

One intent's trouble is its own reason and interrupts nothing; what is written here holds up all of the wallet.
"""

import structlog

from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.store import lock_wallet
from paimon.domain.kernel.chain import Address, checksum
from paimon.infrastructure.text import strip_nul

log = structlog.get_logger(__name__)


async def update_drive_error(context: SendingContext, wallet: Address, reason: str | None) -> None:
    """What interrupted the drive that has just ended; None, it got to its end. Another driver at work has its own word."""
    async with context.database.write() as session:
        locked = await lock_wallet(session, wallet)
        if locked is None:
            return
        row, now = locked
        if reason is not None:
            row.failing_since, row.last_error = row.failing_since or now, strip_nul(reason)
        elif row.failing_since is not None:
            log.info("wallet.drive_recovered", wallet=checksum(wallet), since=row.failing_since)
            row.failing_since = row.last_error = None
