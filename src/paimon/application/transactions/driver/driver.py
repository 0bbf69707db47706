"""One wallet's work, brought as far as it goes now. Level-triggered: any number of callers, at any time, after any crash.

    do what people asked ► look at the wallet ► make public what was private too long ► finish what a predecessor left
    ► follow what is in flight ► replace what is stuck ► prepare and send what is due

**When the nonce counter advances.** In the very transaction that stores the signed bytes: afterwards the counter is one
more than the highest nonce of any stored attempt, always. No nonce is ever handed out to memory alone, so none is lost
with a process. The next nonce is signed only when a node has acknowledged this one: the database allows a wallet one
attempt in state `signed`.

Why there is no gap and no second payment, wherever a process dies:

- Before the commit, though the signer may have answered: bytes and nonce were never stored nor sent. The next drive
  starts anew with the same nonce.
- After the commit, before the broadcast: the attempt is `signed`. The next drive sends the very same bytes.
- After the broadcast, before it is recorded: the same. The node says "already known" or "nonce too low", and the receipt
  tells what happened.
- While following: what was committed stays; every hash is looked up again.
- After a replacement is stored: the older attempt is `replaced`, the newer `signed` and sent next. Both hold one nonce,
  so one of them can be mined.

One intent has at most one nonce in flight, and gets another only when the first is spent on chain without the effect.
Two drives at once: the wallet's row lock lets one of them prepare or follow, the other returns; both may broadcast the
same bytes, which is one transaction. The counter never goes down; where the chain is ahead of it at a final block, the
key was used elsewhere: that is written on the wallet's row and logged as an error, and sending goes on from there.
"""

from typing import Final

import structlog

from paimon.application.transactions.driver.broadcast import send, send_unacknowledged
from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.driver.driver_errors import update_drive_error
from paimon.application.transactions.driver.follow import follow
from paimon.application.transactions.driver.operator_actions import apply_actions
from paimon.application.transactions.driver.prepare import PrepareOutcome, prepare_next
from paimon.application.transactions.driver.private_fallback import fall_back_to_public
from paimon.application.transactions.driver.replace import needs_replacement, replace_stuck
from paimon.application.transactions.driver.wallet_status import is_refresh_due, refresh_wallet_status
from paimon.domain.kernel.chain import Address, checksum
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.finality import ChainAdapter
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.models.ops.transaction import AttemptRow
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.client import SignerClient
from paimon.settings import SendingSettings

log = structlog.get_logger(__name__)

_INTENTS_MAX: Final = 64
"""Looked at in one drive; what is left is the next one's."""


async def drive(
    wallet: Address,
    *,
    database: Database,
    contracts: FundContracts,
    chain: ChainAdapter,
    signer: SignerClient,
    options: SendingSettings,
    chain_id: int,
    private: Rpc | None = None,
) -> None:
    """Do everything that is due for this wallet. Returns early, with all state kept, while the node is out of reach or behind.

    What the node does not tell of one intent is that intent's reason. What it fails at as a whole is shown on the wallet.
    """
    context = SendingContext(database, contracts, chain, signer, options, chain_id, private)
    try:
        had_error = await _drive(context, wallet)
    except (RpcUnavailable, RpcError) as error:
        log.warning("wallet.drive_failed", wallet=checksum(wallet), reason=str(error))
        await update_drive_error(context, wallet, str(error))
        return
    if had_error:
        await update_drive_error(context, wallet, None)


async def _drive(context: SendingContext, wallet: Address) -> bool:
    """Whether the drives before this one, which gets to its end, did not."""
    options = context.options
    drive_start = await apply_actions(context, wallet)
    if drive_start is None or is_refresh_due(drive_start.row, drive_start.now, options.wallet_refresh_seconds):
        await refresh_wallet_status(context, wallet)
    await fall_back_to_public(context, wallet)
    can_send = await send_unacknowledged(context, wallet)
    in_flight = await follow(context, wallet)
    if can_send and in_flight is not None:
        is_speed_up_requested = drive_start is not None and drive_start.is_speed_up_requested
        if is_speed_up_requested or needs_replacement(in_flight.intents, in_flight.now, options.stuck_seconds):
            replacement = await replace_stuck(context, wallet, in_flight.final)
            can_send = replacement is None or await send(context, replacement)
    if can_send:
        await _send_due(context, wallet)
    return drive_start is not None and drive_start.row.failing_since is not None


async def _send_due(context: SendingContext, wallet: Address) -> None:
    for _ in range(_INTENTS_MAX):
        prepared = await prepare_next(context, wallet)
        if prepared is PrepareOutcome.STOP:
            return
        if isinstance(prepared, AttemptRow) and not await send(context, prepared):
            return
