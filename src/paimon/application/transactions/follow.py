"""What became of what was sent: receipts by every hash of a nonce, finality, and the effect on chain.

The cases of one nonce, in this order:

1. no receipt, and the final chain is past the nonce: a transaction that is not ours used it. All attempts are dropped.
2. no receipt: pending; a node that does not know the newest hash gets its bytes once more. (In both: what was mined before
   was reorganised away and counts as broadcast again.)
3. a receipt above the final block: mined, which is not final.
4. a receipt at or below it, in the chain's own block: final, and the other attempts at the nonce are replaced for good.

A final nonce ends its intent by the *effect*: reverted because somebody was faster is `satisfied_elsewhere`, success
without effect is `failed`; one that was given up ends as that, if its effect has not come. The effect of our own success is
read at its own block, that of anything else at the latest final one.
"""

from collections.abc import Sequence
from datetime import datetime

import structlog

from paimon.application.transactions.broadcast import send_again
from paimon.application.transactions.desk import Desk
from paimon.application.transactions.effect import effect_of_intent
from paimon.application.transactions.node import Receipt, canonical_block, explain_failure, sight
from paimon.application.transactions.notes import call_of, close, requeue
from paimon.application.transactions.store import call_attempts, list_sending, lock_wallet
from paimon.domain.chain import Address, BlockStamp, hex0x
from paimon.domain.nonce import NonceOutcome, nonce_outcome
from paimon.domain.transaction import (
    NOT_YET_ERRORS,
    OPEN_ATTEMPTS,
    UNFUNDED_ERROR,
    AttemptStatus,
    Effect,
    IntentStatus,
    TxChannel,
    advance_attempt,
    ending,
)
from paimon.infrastructure.blockchain.rpc import RpcError
from paimon.infrastructure.database.models.owned import TransactionAttempt, TransactionIntent, Wallet
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)


async def follow(desk: Desk, wallet: Address) -> bool:
    """Bring every intent in flight up to what the chain shows, unless another driver has the wallet; whether any still is."""
    forgotten: list[TransactionAttempt] = []
    async with desk.database.write() as session:
        held = await lock_wallet(session, wallet)
        intents = await list_sending(session, wallet) if held is not None else []
        if held is None or not intents:
            return False
        row, now = held
        final = await desk.final_block()
        for intent in intents:
            forgotten += await _follow_intent(desk, session, row, intent, final, now)
    await send_again(desk, forgotten)
    return any(each.status is IntentStatus.SENDING for each in intents)


async def _follow_intent(
    desk: Desk, session: WriteSession, row: Wallet, intent: TransactionIntent, final: BlockStamp, now: datetime
) -> list[TransactionAttempt]:
    """Attempts whose bytes the node has forgotten."""
    attempts = call_attempts(intent)
    nonce = attempts[0].nonce
    seen = await sight(desk.rpc, Address(intent.wallet), [each.hash for each in attempts], final=final)
    receipt = seen.receipt
    mined_at = None if receipt is None else receipt.block_number
    outcome = nonce_outcome(nonce, mined_at=mined_at, final_number=final.number, used_at_final=seen.used_at_final)
    if receipt is None:
        _unmine(attempts)
        if outcome is NonceOutcome.USED_ELSEWHERE:
            await _give_up_nonce(desk, row, intent, attempts, final, now)
            return []
        newest = attempts[-1]
        forgotten = newest.status is AttemptStatus.BROADCAST and not seen.knows_newest
        return [newest] if forgotten and newest.channel is TxChannel.PUBLIC else []  # a private one this node never knew
    mined = await _record_mined(session, attempts, receipt)
    if outcome is NonceOutcome.FINAL and (block := await canonical_block(desk.rpc, receipt)) is not None:
        mined.status = advance_attempt(mined.status, AttemptStatus.FINAL)
        for other in attempts:
            if other.status in OPEN_ATTEMPTS:
                other.status = advance_attempt(other.status, AttemptStatus.REPLACED)
        await _conclude(desk, intent, mined, receipt, block, final, now)
    return []


def _unmine(attempts: Sequence[TransactionAttempt]) -> bool:
    """Whether one of them had been mined."""
    reorganised = [each for each in attempts if each.status is AttemptStatus.MINED]
    for attempt in reorganised:
        log.warning("transaction.reorganised", hash=hex0x(attempt.hash), nonce=attempt.nonce)
        attempt.status = advance_attempt(attempt.status, AttemptStatus.BROADCAST)
        attempt.block_number = attempt.block_hash = attempt.succeeded = attempt.gas_used = None
    return bool(reorganised)


async def _record_mined(session: WriteSession, attempts: Sequence[TransactionAttempt], receipt: Receipt) -> TransactionAttempt:
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
    return mined


async def _conclude(
    desk: Desk,
    intent: TransactionIntent,
    mined: TransactionAttempt,
    receipt: Receipt,
    block: BlockStamp,
    final: BlockStamp,
    now: datetime,
) -> None:
    """The nonce is spent for good; end the intent by the effect, or queue it again while the effect can still come."""
    ours_succeeded = receipt.succeeded and not mined.cancels
    effect, found = await _find_effect(desk, intent, [block, final] if ours_succeeded else [final])
    end = ending(effect, ours_succeeded=ours_succeeded)
    if end is not None:
        close(intent, end, None if end is IntentStatus.FINAL else found, now=now)
    elif intent.giving_up is not None:
        close(intent, intent.giving_up, f"{intent.giving_up_because}; {found}", now=now)
    elif mined.cancels:
        requeue(intent, f"given up by a self-send, yet {found}", now=now, wait_seconds=0)
    else:
        failure = await explain_failure(desk.contracts, Address(intent.wallet), call_of(intent), receipt, mined.gas_limit)
        if failure.error_name in NOT_YET_ERRORS:
            intent.unfunded = failure.error_name == UNFUNDED_ERROR
            requeue(intent, str(failure), now=now, wait_seconds=desk.options.recheck_seconds)
        else:
            close(intent, IntentStatus.REVERTED, str(failure), now=now)


async def _find_effect(desk: Desk, intent: TransactionIntent, blocks: Sequence[BlockStamp]) -> tuple[Effect, str]:
    """How the effect stands, in words too, at the first of these blocks whose state the node still has."""
    *earlier, last = blocks
    for block in earlier:
        try:
            return await effect_of_intent(desk.contracts, desk.chain_id, intent, at=block)
        except RpcError as error:  # full nodes keep the state of recent blocks only
            log.info("effect.state_gone", block=block.number, reason=str(error))
    return await effect_of_intent(desk.contracts, desk.chain_id, intent, at=last)


async def _give_up_nonce(
    desk: Desk,
    row: Wallet,
    intent: TransactionIntent,
    attempts: Sequence[TransactionAttempt],
    final: BlockStamp,
    now: datetime,
) -> None:
    nonce = attempts[0].nonce
    for attempt in attempts:
        attempt.status = advance_attempt(attempt.status, AttemptStatus.DROPPED)
    row.trouble = f"nonce {nonce} was used by a transaction that is not ours: someone else has this key"
    log.error("wallet.used_elsewhere", wallet=row.name, used=f"nonce {nonce}")
    effect, found = await _find_effect(desk, intent, [final])
    if (end := ending(effect, ours_succeeded=False)) is not None:
        close(intent, end, found, now=now)
    elif intent.giving_up is not None:
        close(intent, intent.giving_up, f"{intent.giving_up_because}; nonce {nonce} was used by someone else", now=now)
    else:
        requeue(intent, f"nonce {nonce} was used by someone else, and {found}", now=now, wait_seconds=0)
