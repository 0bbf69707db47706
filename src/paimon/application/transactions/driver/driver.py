"""Drive one wallet: bring its intents as far as they can go now. Level-triggered: any caller may run it at any time.

    carry out operator actions ► refresh the wallet ► make public what was private too long ► send what a predecessor left
    ► track what is in flight ► replace what is stuck ► prepare and send what is due

**When the nonce counter advances.** In the transaction that stores the signed bytes. Afterwards the counter is one more than
the highest nonce of any stored attempt, always. No nonce exists in memory alone, so that none is lost with a process. The
next nonce is signed only when a node has acknowledged this one: the database allows a wallet one attempt in status SIGNED.

Why there is no gap and no second payment, wherever a process dies:

- Before the commit, though the signer may have answered: bytes and nonce were never stored nor sent. The next drive starts
  anew with the same nonce.
- After the commit, before the broadcast: the attempt is SIGNED. The next drive sends the very same bytes.
- After the broadcast, before it is recorded: as above. The node answers "already known" or "nonce too low", and the receipt
  shows what happened.
- While tracking: what was committed stays; the next drive looks up every hash again.
- After a replacement is stored: the older attempt is REPLACED, the newer one is SIGNED and sent next. Both hold one nonce, so
  that one of them can be mined.

One intent has at most one nonce in flight. It gets another one only when the first is spent on chain without the effect. Two
drives at once: the lock on the wallet's row lets one of them prepare or track, the other returns; both may broadcast the same
bytes, which is one transaction. The counter never goes down. Where the chain is ahead of it at a final block, someone else
used the key: that is written on the wallet's row and logged as an error, and sending goes on from there.
"""

from typing import Final

import structlog

from paimon.application.transactions.driver.broadcast import resend_stuck, send, send_unacknowledged
from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.driver.driver_errors import update_drive_error
from paimon.application.transactions.driver.operator_actions import apply_actions
from paimon.application.transactions.driver.prepare import PrepareOutcome, prepare_next
from paimon.application.transactions.driver.private_fallback import fall_back_to_public
from paimon.application.transactions.driver.replace import list_stuck, needs_replacement, replace_stuck
from paimon.application.transactions.driver.track import track_in_flight
from paimon.application.transactions.driver.wallet_status import is_refresh_due, refresh_wallet_status
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.transaction.attempt import Attempt
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable

log = structlog.get_logger(__name__)

_INTENTS_MAX: Final = 64
"""Prepared in one drive; the next drive takes the rest."""


async def drive(wallet: Address, context: SendingContext) -> None:
    """Do everything that is due for this wallet. Return early, with all state kept, while the node is out of reach or behind.

    An error of the node about one intent is that intent's reason. An error that ends the drive is shown on the wallet.
    """
    try:
        had_error = await _drive(context, wallet)
    except (RpcUnavailable, RpcError) as error:
        log.warning("wallet.drive_failed", wallet=checksum(wallet), reason=str(error))
        await update_drive_error(context, wallet, str(error))
        return
    if had_error:
        await update_drive_error(context, wallet, None)


async def _drive(context: SendingContext, wallet: Address) -> bool:
    """Drive the wallet to the end. Return whether the drives before this one failed."""
    options = context.options
    drive_start = await apply_actions(context, wallet)
    if drive_start is None or is_refresh_due(drive_start.row, drive_start.now, options.wallet_refresh_seconds):
        await refresh_wallet_status(context, wallet)
    await fall_back_to_public(context, wallet)
    can_send = await send_unacknowledged(context, wallet)
    in_flight = await track_in_flight(context, wallet)
    if can_send and in_flight is not None:
        is_speed_up_requested = drive_start is not None and drive_start.is_speed_up_requested
        if is_speed_up_requested or needs_replacement(in_flight.intents, in_flight.now, options.stuck_seconds):
            replacement = await replace_stuck(context, wallet, in_flight.final)
            if replacement is None:
                await resend_stuck(context, list_stuck(in_flight.intents, in_flight.now, options.stuck_seconds))
            else:
                can_send = await send(context, replacement, everywhere=True)
    if can_send:
        await _send_due(context, wallet)
    return drive_start is not None and drive_start.row.failing_since is not None


async def _send_due(context: SendingContext, wallet: Address) -> None:
    for _ in range(_INTENTS_MAX):
        prepared = await prepare_next(context, wallet)
        if prepared is PrepareOutcome.STOP:
            return
        if isinstance(prepared, Attempt) and not await send(context, prepared):
            return
