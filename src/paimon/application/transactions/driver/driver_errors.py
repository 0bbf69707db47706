"""Show a failing drive on the wallet's row: the time of the first failure in a row, and the last error.

An error about one intent is the reason of that intent and ends no drive. What is written here holds up the whole wallet.
"""

import structlog

from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.store import lock_wallet
from paimon.domain.kernel.chain import Address, checksum
from paimon.infrastructure.text import strip_nul

log = structlog.get_logger(__name__)


async def update_drive_error(context: SendingContext, wallet: Address, reason: str | None) -> None:
    """Record the error that ended the drive; None when the drive got to its end.

    Nothing changes while another driver holds the wallet: that driver records its own result.
    """
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
