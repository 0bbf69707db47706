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

from paimon.application.transactions.driver.broadcast import send_again
from paimon.application.transactions.driver.context import Desk
from paimon.application.transactions.driver.finalize import conclude
from paimon.application.transactions.driver.intent_status import can_tell, cannot_tell
from paimon.application.transactions.driver.node_queries import Receipt, Sighting, canonical_blocks, sight
from paimon.application.transactions.store import call_attempts, is_spent, list_sending, lock_wallet
from paimon.domain.kernel.chain import Address, BlockStamp, hex0x
from paimon.domain.transaction.lifecycle import OPEN_ATTEMPTS, AttemptStatus, IntentStatus, TxChannel, advance_attempt
from paimon.domain.transaction.nonce import NonceOutcome, nonce_outcome
from paimon.infrastructure.blockchain.rpc import RpcError
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow, WalletRow
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Flying:
    """What is still in flight, as it was at this final block."""

    intents: list[IntentRow]
    final: BlockStamp
    now: datetime


async def follow(desk: Desk, wallet: Address) -> Flying | None:
    """Bring what is in flight up to what the chain shows, unless another driver has the wallet. What still is; None: nothing.

    Raises:
        RpcUnavailable, RpcError: nothing was changed.
    """
    async with desk.database.write() as session:
        held = await lock_wallet(session, wallet)
        intents = await list_sending(session, wallet) if held is not None else []
        if held is None or not intents:
            return None
        row, now = held
        final = await desk.final_block()
        watched = [each for each in intents if each.next_check_at <= now and not is_spent(each)]
        forgotten = await _watch(desk, session, row, watched, final, now)
        spent = [each for each in intents if each.next_check_at <= now and is_spent(each)]
        await conclude(desk, spent, final, now)
    await send_again(desk, forgotten)
    flying = [each for each in intents if each.status is IntentStatus.SENDING and not is_spent(each)]
    return Flying(flying, final, now) if flying else None


async def _watch(
    desk: Desk, session: WriteSession, row: WalletRow, intents: Sequence[IntentRow], final: BlockStamp, now: datetime
) -> list[AttemptRow]:
    """Write down what the node shows of each nonce; the attempts whose bytes it has forgotten."""
    forgotten: list[AttemptRow] = []
    final_ones: list[tuple[IntentRow, Receipt]] = []
    hashes = [[each.hash for each in call_attempts(intent)] for intent in intents]
    for intent, seen in zip(intents, await sight(desk.rpc, Address(row.address), hashes, final=final), strict=True):
        if isinstance(seen, RpcError):
            cannot_tell(intent, str(seen), now=now, wait_seconds=desk.options.recheck_seconds)
            continue
        can_tell(intent)
        attempts = call_attempts(intent)
        if seen.receipt is not None:
            await _record_mined(session, attempts, seen.receipt)
        match _outcome(attempts, seen, final):
            case NonceOutcome.USED_ELSEWHERE:
                _drop(row, attempts)
            case NonceOutcome.PENDING:
                forgotten += _unknown_to_node(attempts, seen)
            case NonceOutcome.FINAL if seen.receipt is not None:
                final_ones.append((intent, seen.receipt))
    blocks = await canonical_blocks(desk.rpc, [receipt.block_number for _, receipt in final_ones])
    for intent, receipt in final_ones:
        block = blocks[receipt.block_number]
        if isinstance(block, RpcError):
            cannot_tell(intent, str(block), now=now, wait_seconds=desk.options.recheck_seconds)
        elif block.hash == receipt.block_hash:
            _finish(call_attempts(intent))
    return forgotten


def _outcome(attempts: Sequence[AttemptRow], seen: Sighting, final: BlockStamp) -> NonceOutcome:
    mined_at = None if seen.receipt is None else seen.receipt.block_number
    if seen.receipt is None:
        _unmine(attempts)
    return nonce_outcome(attempts[0].nonce, mined_at=mined_at, final_number=final.number, used_at_final=seen.used_at_final)


def _unmine(attempts: Sequence[AttemptRow]) -> bool:
    """Whether one of them had been mined."""
    reorganised = [each for each in attempts if each.status is AttemptStatus.MINED]
    for attempt in reorganised:
        log.warning("transaction.reorganised", hash=hex0x(attempt.hash), nonce=attempt.nonce)
        attempt.status = advance_attempt(attempt.status, AttemptStatus.BROADCAST)
        attempt.block_number = attempt.block_hash = attempt.succeeded = attempt.gas_used = None
    return bool(reorganised)


def _unknown_to_node(attempts: Sequence[AttemptRow], seen: Sighting) -> list[AttemptRow]:
    newest = attempts[-1]
    forgotten = newest.status is AttemptStatus.BROADCAST and not seen.knows_newest
    return [newest] if forgotten and newest.channel is TxChannel.PUBLIC else []  # a private one this node never knew


async def _record_mined(session: WriteSession, attempts: Sequence[AttemptRow], receipt: Receipt) -> None:
    mined = next(each for each in attempts if each.hash == receipt.hash)
    if _unmine([each for each in attempts if each is not mined]):
        await session.flush()  # the database allows one mined attempt a nonce: the one before it must be gone first
    if mined.block_hash != receipt.block_hash:
        log.info("transaction.mined", hash=hex0x(mined.hash), nonce=mined.nonce, block=receipt.block_number)
    mined.status = advance_attempt(mined.status, AttemptStatus.MINED)
    mined.block_number = receipt.block_number
    mined.block_hash = receipt.block_hash
    mined.succeeded = receipt.succeeded
    mined.gas_used = receipt.gas_used


def _finish(attempts: Sequence[AttemptRow]) -> None:
    for attempt in attempts:
        if attempt.status is AttemptStatus.MINED:
            attempt.status = advance_attempt(attempt.status, AttemptStatus.FINAL)
        elif attempt.status in OPEN_ATTEMPTS:
            attempt.status = advance_attempt(attempt.status, AttemptStatus.REPLACED)


def _drop(row: WalletRow, attempts: Sequence[AttemptRow]) -> None:
    for attempt in attempts:
        attempt.status = advance_attempt(attempt.status, AttemptStatus.DROPPED)
    row.trouble = f"nonce {attempts[0].nonce} was used by a transaction that is not ours: someone else has this key"
    log.error("wallet.used_elsewhere", wallet=row.name, used=f"nonce {attempts[0].nonce}")
