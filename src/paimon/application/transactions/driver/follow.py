"""What became of what was sent: receipts by every hash of a nonce, and finality. Of all nonces at once, each by itself.

The cases of one nonce, in this order:

1. no receipt, and the final chain is past the nonce: a transaction that is not ours used it. All attempts are dropped.
2. no receipt: pending; a node that does not know the newest hash gets its bytes once more. (In both: what was mined before
   was reorganised away and counts as broadcast again.)
3. a receipt above the final block: mined, which is not final.
4. a receipt at or below it, in the chain's own block: final, and the other attempts at the nonce are replaced for good.

In 1 and 4 the nonce is spent, which is never undone; how its intent ends is for conclude.py to say. What the node does not
tell of one nonce is the reason shown of its intent, with a next check; the other nonces go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from paimon.application.transactions.driver.broadcast import resend
from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.driver.finalize import finalize_intents
from paimon.application.transactions.driver.intent_status import mark_status_known, mark_status_unknown
from paimon.application.transactions.driver.node_queries import (
    AttemptReceipt,
    NonceReceipts,
    canonical_blocks,
    read_nonce_receipts,
)
from paimon.application.transactions.store import current_attempts, is_nonce_spent, list_sending, lock_wallet
from paimon.domain.kernel.chain import Address, BlockStamp, hex0x
from paimon.domain.transaction.lifecycle import OPEN_ATTEMPTS, AttemptStatus, BroadcastChannel, IntentStatus, advance_attempt
from paimon.domain.transaction.nonce import NonceOutcome, nonce_outcome
from paimon.infrastructure.blockchain.rpc.errors import RpcError
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow, WalletRow
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class InFlightIntents:
    """What is still in flight, as it was at this final block."""

    intents: list[IntentRow]
    final: BlockStamp
    now: datetime


async def follow(context: SendingContext, wallet: Address) -> InFlightIntents | None:
    """Bring what is in flight up to what the chain shows, unless another driver has the wallet. What still is; None: nothing.

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
        tracked = [each for each in intents if each.next_check_at <= now and not is_nonce_spent(each)]
        to_resend = await _update_nonces(context, session, row, tracked, final, now)
        spent = [each for each in intents if each.next_check_at <= now and is_nonce_spent(each)]
        await finalize_intents(context, spent, final, now)
    await resend(context, to_resend)
    in_flight = [each for each in intents if each.status is IntentStatus.SENDING and not is_nonce_spent(each)]
    return InFlightIntents(in_flight, final, now) if in_flight else None


async def _update_nonces(
    context: SendingContext,
    session: WriteSession,
    row: WalletRow,
    intents: Sequence[IntentRow],
    final: BlockStamp,
    now: datetime,
) -> list[AttemptRow]:
    """Write down what the node shows of each nonce; the attempts whose bytes it has forgotten."""
    to_resend: list[AttemptRow] = []
    finals: list[tuple[IntentRow, AttemptReceipt]] = []
    hashes = [[each.hash for each in current_attempts(intent)] for intent in intents]
    for intent, receipts in zip(
        intents, await read_nonce_receipts(context.rpc, Address(row.address), hashes, final=final), strict=True
    ):
        if isinstance(receipts, RpcError):
            mark_status_unknown(intent, str(receipts), now=now, wait_seconds=context.options.recheck_seconds)
            continue
        mark_status_known(intent)
        attempts = current_attempts(intent)
        if receipts.receipt is not None:
            await _record_mined(session, attempts, receipts.receipt)
        match _outcome(attempts, receipts, final):
            case NonceOutcome.USED_EXTERNALLY:
                _mark_dropped(row, attempts)
            case NonceOutcome.PENDING:
                to_resend += _unknown_to_node(attempts, receipts)
            case NonceOutcome.FINAL if receipts.receipt is not None:
                finals.append((intent, receipts.receipt))
    blocks = await canonical_blocks(context.rpc, [receipt.block_number for _, receipt in finals])
    for intent, receipt in finals:
        block = blocks[receipt.block_number]
        if isinstance(block, RpcError):
            mark_status_unknown(intent, str(block), now=now, wait_seconds=context.options.recheck_seconds)
        elif block.hash == receipt.block_hash:
            _mark_final(current_attempts(intent))
    return to_resend


def _outcome(attempts: Sequence[AttemptRow], receipts: NonceReceipts, final: BlockStamp) -> NonceOutcome:
    mined_block = None if receipts.receipt is None else receipts.receipt.block_number
    if receipts.receipt is None:
        _mark_reorganised(attempts)
    return nonce_outcome(
        attempts[0].nonce, mined_block=mined_block, final_number=final.number, final_nonce=receipts.final_nonce
    )


def _mark_reorganised(attempts: Sequence[AttemptRow]) -> bool:
    """Whether one of them had been mined."""
    reorganised = [each for each in attempts if each.status is AttemptStatus.MINED]
    for attempt in reorganised:
        log.warning("transaction.reorganised", hash=hex0x(attempt.hash), nonce=attempt.nonce)
        attempt.status = advance_attempt(attempt.status, AttemptStatus.BROADCAST)
        attempt.block_number = attempt.block_hash = attempt.succeeded = attempt.gas_used = None
    return bool(reorganised)


def _unknown_to_node(attempts: Sequence[AttemptRow], receipts: NonceReceipts) -> list[AttemptRow]:
    newest = attempts[-1]
    to_resend = newest.status is AttemptStatus.BROADCAST and not receipts.knows_newest
    return [newest] if to_resend and newest.channel is BroadcastChannel.PUBLIC else []  # a private one this node never knew


async def _record_mined(session: WriteSession, attempts: Sequence[AttemptRow], receipt: AttemptReceipt) -> None:
    mined = next(each for each in attempts if each.hash == receipt.hash)
    if _mark_reorganised([each for each in attempts if each is not mined]):
        await session.flush()  # the database allows one mined attempt a nonce: the one before it must be gone first
    if mined.block_hash != receipt.block_hash:
        log.info("transaction.mined", hash=hex0x(mined.hash), nonce=mined.nonce, block=receipt.block_number)
    mined.status = advance_attempt(mined.status, AttemptStatus.MINED)
    mined.block_number = receipt.block_number
    mined.block_hash = receipt.block_hash
    mined.succeeded = receipt.succeeded
    mined.gas_used = receipt.gas_used


def _mark_final(attempts: Sequence[AttemptRow]) -> None:
    for attempt in attempts:
        if attempt.status is AttemptStatus.MINED:
            attempt.status = advance_attempt(attempt.status, AttemptStatus.FINAL)
        elif attempt.status in OPEN_ATTEMPTS:
            attempt.status = advance_attempt(attempt.status, AttemptStatus.REPLACED)


def _mark_dropped(row: WalletRow, attempts: Sequence[AttemptRow]) -> None:
    for attempt in attempts:
        attempt.status = advance_attempt(attempt.status, AttemptStatus.DROPPED)
    row.fault = f"nonce {attempts[0].nonce} was used by a transaction that is not ours: someone else has this key"
    log.error("wallet.used_externally", wallet=row.name, used=f"nonce {attempts[0].nonce}")
