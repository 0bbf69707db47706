"""Move transactions from the private endpoint to the public pool: the same bytes, after a number of final blocks.

A private endpoint shows our transactions to its builders only, so that no one else can act on them before they are mined. It
may also withhold them, or be down. The settings decide whether this fallback is allowed. Only the attempt's channel changes
here; the next steps hand the bytes to the public node, because they are unacknowledged or because that node does not know
them.
"""

import structlog

from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.statements import make_public
from paimon.application.transactions.store import lock_wallet
from paimon.domain.kernel.chain import Address, checksum

log = structlog.get_logger(__name__)


async def fall_back_to_public(context: SendingContext, wallet: Address) -> None:
    """Make public what the private endpoint has held for long enough. Does nothing while another driver holds the wallet."""
    if context.private is None or not context.options.public_fallback:
        return
    async with context.database.write() as session:
        if await lock_wallet(session, wallet) is None:
            return
        final = await context.final_block()
        until_block = final.number - context.options.private_wait_blocks
        nonces = await make_public(session, wallet, signed_until_block=until_block)
    if nonces:
        log.warning("transaction.fell_back_to_public", wallet=checksum(wallet), nonces=nonces, block=final.number)
