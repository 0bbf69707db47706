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
from paimon.application.transactions.driver.context import Desk
from paimon.application.transactions.driver.driver_errors import note_interruption
from paimon.application.transactions.driver.follow import follow
from paimon.application.transactions.driver.operator_actions import carry_out_deeds
from paimon.application.transactions.driver.prepare import Step, prepare_next
from paimon.application.transactions.driver.private_fallback import go_public
from paimon.application.transactions.driver.replace import replace_stuck, wants_replacing
from paimon.application.transactions.driver.wallet_status import is_look_due, look_at_wallet
from paimon.domain.kernel.chain import Address, checksum
from paimon.infrastructure.blockchain.contracts import FundContracts
from paimon.infrastructure.blockchain.finality import ChainAdapter
from paimon.infrastructure.blockchain.rpc import Rpc, RpcError, RpcUnavailable
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
    desk = Desk(database, contracts, chain, signer, options, chain_id, private)
    try:
        was_interrupted = await _drive(desk, wallet)
    except (RpcUnavailable, RpcError) as error:
        log.warning("wallet.drive_interrupted", wallet=checksum(wallet), reason=str(error))
        await note_interruption(desk, wallet, str(error))
        return
    if was_interrupted:
        await note_interruption(desk, wallet, None)


async def _drive(desk: Desk, wallet: Address) -> bool:
    """Whether the drives before this one, which gets to its end, did not."""
    options = desk.options
    attended = await carry_out_deeds(desk, wallet)
    if attended is None or is_look_due(attended.row, attended.now, options.look_seconds):
        await look_at_wallet(desk, wallet)
    await go_public(desk, wallet)
    goes_out = await send_unacknowledged(desk, wallet)
    flying = await follow(desk, wallet)
    if goes_out and flying is not None:
        is_hurried = attended is not None and attended.is_hurried
        if is_hurried or wants_replacing(flying.intents, flying.now, options.stuck_seconds):
            dearer = await replace_stuck(desk, wallet, flying.final)
            goes_out = dearer is None or await send(desk, dearer)
    if goes_out:
        await _send_due(desk, wallet)
    return attended is not None and attended.row.interrupted_since is not None


async def _send_due(desk: Desk, wallet: Address) -> None:
    for _ in range(_INTENTS_MAX):
        prepared = await prepare_next(desk, wallet)
        if prepared is Step.STOP:
            return
        if isinstance(prepared, AttemptRow) and not await send(desk, prepared):
            return
