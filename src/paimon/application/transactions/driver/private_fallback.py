"""From the private endpoint to the public pool: the same bytes, after so many final blocks, and only if the policy allows it.

A private endpoint shows our transactions to its builders only, so nobody can act on them before they are mined; it may
also withhold them, or be down. Only the row's channel changes here. The next steps hand the bytes to the public node, because
they are unacknowledged, or because that node does not know them.
"""

import structlog
from sqlalchemy import update

from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.store import lock_wallet
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.transaction.lifecycle import AttemptStatus, BroadcastChannel
from paimon.infrastructure.database.models.ops.transaction import AttemptRow

log = structlog.get_logger(__name__)


async def fall_back_to_public(context: SendingContext, wallet: Address) -> None:
    """Let go what the private endpoint has had for long enough. Does nothing while another driver has the wallet."""
    if context.private is None or not context.options.public_fallback:
        return
    async with context.database.write() as session:
        if await lock_wallet(session, wallet) is None:
            return
        final = await context.final_block()
        changed = await session.scalars(
            update(AttemptRow)
            .where(
                AttemptRow.wallet == wallet,
                AttemptRow.channel == BroadcastChannel.PRIVATE,
                AttemptRow.status.in_((AttemptStatus.SIGNED, AttemptStatus.BROADCAST)),
                AttemptRow.signed_at_block <= final.number - context.options.private_wait_blocks,
            )
            .values(channel=BroadcastChannel.PUBLIC)
            .returning(AttemptRow.nonce)
        )
        nonces = sorted(changed)
    if nonces:
        log.warning("transaction.fell_back_to_public", wallet=checksum(wallet), nonces=nonces, block=final.number)
