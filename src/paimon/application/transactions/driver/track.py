"""Track what is in flight: read the receipts of every attempt at each nonce, and advance the attempts to mined or final.

The cases of one nonce, in this order:

1. No receipt, and the final chain is past the nonce: a transaction that is not ours used it. All attempts are dropped.
2. No receipt: pending. A node that does not know the newest hash gets its bytes once more. (In 1 and 2, what was mined before
   was reorganised away and counts as broadcast again.)
3. A receipt above the final block: mined, which is not final.
4. A receipt at or below the final block, in the chain's own block: final, and the other attempts at the nonce are replaced for
   good.

In 1 and 4 the nonce is spent, which is never undone; finalize.py decides how the intent ends. An error of the node about one
nonce is the reason shown on its intent, with a next check. The other nonces go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from paimon.application.transactions.driver.broadcast import resend
from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.driver.finalize import finalize_intents
from paimon.application.transactions.driver.intent_status import mark_state_unknown
from paimon.application.transactions.driver.node_queries import NonceReceipts, canonical_blocks, read_nonce_receipts
from paimon.application.transactions.store import list_sending, lock_wallet, save_changes
from paimon.domain.kernel.chain import Address, BlockStamp, hex0x
from paimon.domain.transaction.attempt import (
    Attempt,
    AttemptReceipt,
    mark_dropped,
    mark_final,
    mark_mined,
    mark_reorganised,
)
from paimon.domain.transaction.intent import IntentWithAttempts
from paimon.domain.transaction.lifecycle import AttemptStatus, BroadcastChannel, IntentStatus
from paimon.domain.transaction.nonce import NonceOutcome, nonce_outcome
from paimon.infrastructure.blockchain.rpc.errors import RpcError
from paimon.infrastructure.database.models.ops.transaction import WalletRow

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class InFlightIntents:
    """What is still in flight at this final block."""

    intents: list[IntentWithAttempts]
    final: BlockStamp
    now: datetime


async def track_in_flight(context: SendingContext, wallet: Address) -> InFlightIntents | None:
    """Bring what is in flight up to what the chain shows, unless another driver holds the wallet. None: nothing is in flight.

    Raises:
        RpcUnavailable, RpcError: nothing was changed.
    """
    async with context.database.write() as session:
        locked = await lock_wallet(session, wallet)
        intents = await list_sending(session, wallet) if locked is not None else []
        if locked is None or not intents:
            return None
        row, now = locked
        final = await context.final_block()
        current = {intent.id: intent for intent in intents}
        tracked = [intent for intent in intents if intent.next_check_at <= now and not intent.is_nonce_spent]
        updated = await _update_nonces(context, row, tracked, final, now)
        current |= {intent.id: intent for intent in updated.intents}
        spent = [intent for intent in current.values() if intent.next_check_at <= now and intent.is_nonce_spent]
        current |= {intent.id: intent for intent in await finalize_intents(context, spent, final, now)}
        after = [current[intent.id] for intent in intents]
        await save_changes(session, intents, after)
    await resend(context, updated.to_resend)
    in_flight = [intent for intent in after if intent.status is IntentStatus.SENDING and not intent.is_nonce_spent]
    return InFlightIntents(in_flight, final, now) if in_flight else None


@dataclass(frozen=True, slots=True)
class _UpdatedNonces:
    """The tracked intents as the node shows their nonces, and the attempts whose bytes it has forgotten."""

    intents: list[IntentWithAttempts]
    to_resend: list[Attempt]


async def _update_nonces(
    context: SendingContext, row: WalletRow, tracked: Sequence[IntentWithAttempts], final: BlockStamp, now: datetime
) -> _UpdatedNonces:
    wait_seconds = context.options.recheck_seconds
    updated: list[IntentWithAttempts] = []
    to_resend: list[Attempt] = []
    mined_final: list[tuple[int, AttemptReceipt]] = []
    hashes = [[attempt.hash for attempt in intent.current_attempts] for intent in tracked]
    all_receipts = await read_nonce_receipts(context.rpc, Address(row.address), hashes, final=final)
    for index, (intent, receipts) in enumerate(zip(tracked, all_receipts, strict=True)):
        if isinstance(receipts, RpcError):
            updated.append(mark_state_unknown(intent, str(receipts), now=now, wait_seconds=wait_seconds))
            continue
        shown = _with_receipt(intent.state_known(), receipts.receipt)
        match _outcome(intent.nonce, receipts, final):
            case NonceOutcome.USED_EXTERNALLY:
                shown = shown.with_current(mark_dropped)
                _record_used_externally(row, intent.nonce)
            case NonceOutcome.PENDING:
                to_resend += _unknown_to_node(shown, receipts)
            case NonceOutcome.FINAL if receipts.receipt is not None:
                mined_final.append((index, receipts.receipt))
        updated.append(shown)
    blocks = await canonical_blocks(context.rpc, [receipt.block_number for _, receipt in mined_final])
    for index, receipt in mined_final:
        block = blocks[receipt.block_number]
        if isinstance(block, RpcError):
            updated[index] = mark_state_unknown(updated[index], str(block), now=now, wait_seconds=wait_seconds)
        elif block.hash == receipt.block_hash:
            updated[index] = updated[index].with_current(mark_final)
    return _UpdatedNonces(updated, to_resend)


def _with_receipt(intent: IntentWithAttempts, receipt: AttemptReceipt | None) -> IntentWithAttempts:
    """Record the receipt, or that no attempt has one any more."""
    if receipt is None:
        shown = intent.with_current(mark_reorganised)
    else:
        shown = intent.with_current(lambda attempts: mark_mined(attempts, receipt))
    for before, after in zip(intent.current_attempts, shown.current_attempts, strict=True):
        if before.status is AttemptStatus.MINED and after.status is AttemptStatus.BROADCAST:
            log.warning("transaction.reorganised", hash=hex0x(after.hash), nonce=after.nonce)
        if after.block_hash is not None and after.block_hash != before.block_hash:
            log.info("transaction.mined", hash=hex0x(after.hash), nonce=after.nonce, block=after.block_number)
    return shown


def _outcome(nonce: int, receipts: NonceReceipts, final: BlockStamp) -> NonceOutcome:
    mined_block = None if receipts.receipt is None else receipts.receipt.block_number
    return nonce_outcome(nonce, mined_block=mined_block, final_number=final.number, final_nonce=receipts.final_nonce)


def _unknown_to_node(intent: IntentWithAttempts, receipts: NonceReceipts) -> list[Attempt]:
    """Return the newest attempt if the node has forgotten its bytes. The public node never knew a private attempt."""
    newest = intent.current_attempts[-1]
    is_forgotten = newest.status is AttemptStatus.BROADCAST and not receipts.knows_newest
    return [newest] if is_forgotten and newest.channel is BroadcastChannel.PUBLIC else []


def _record_used_externally(row: WalletRow, nonce: int) -> None:
    row.fault = f"nonce {nonce} was used by a transaction that is not ours: someone else has this key"
    log.error("wallet.used_externally", wallet=row.name, used=f"nonce {nonce}")
