"""Speeding up what is stuck: the same nonce, higher fees, and again the bytes are stored before a node sees them.

Only the wallet's lowest nonce in flight can be what holds the others up. It is replaced by the same call, or, when its
effect has come about or become impossible meanwhile, by a zero-value self-send that only uses up the nonce: the signer
would rightly refuse the call by then. Every hash of the nonce stays watched; which one mined decides what happened.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from paimon.application.transactions.desk import Desk
from paimon.application.transactions.effect import effect_of_intent
from paimon.application.transactions.node import Purse, read_purse
from paimon.application.transactions.notes import call_of, tell
from paimon.application.transactions.prepare import new_attempt, reserved_wei
from paimon.application.transactions.store import (
    call_attempts,
    list_sending,
    list_votes,
    lock_wallet,
    unacknowledged,
)
from paimon.domain.chain import Address, hex0x
from paimon.domain.signing import (
    SELF_SEND_GAS,
    FeeKind,
    Fees,
    SignRequest,
    UnsignedTransaction,
    replacement_fees,
)
from paimon.domain.transaction import AttemptStatus, Call, Effect, advance_attempt
from paimon.domain.units import Bps
from paimon.infrastructure.database.models.owned import TransactionAttempt, TransactionIntent
from paimon.infrastructure.keys.client import SignerUnavailable, SigningRefused

log = structlog.get_logger(__name__)

_WAITING: Final = frozenset({AttemptStatus.SIGNED, AttemptStatus.BROADCAST})


async def replace_stuck(desk: Desk, wallet: Address) -> bool:
    """Store a dearer attempt for the lowest nonce in flight when it has waited too long; whether one now wants to be sent."""
    async with desk.database.write() as session:
        held = await lock_wallet(session, wallet)
        if held is None:
            return False
        in_flight = await list_sending(session, wallet)
        intent = min(in_flight, key=lambda each: call_attempts(each)[0].nonce, default=None)
        if intent is None or not _is_stuck(call_attempts(intent), held[1], desk.options.stuck_seconds):
            return False
        attempts = call_attempts(intent)
        on_its_way = unacknowledged(in_flight)
        if on_its_way is not None and on_its_way.nonce != attempts[0].nonce:
            return False  # a later nonce is on its way out; this one's turn comes when a node has that
        transaction, cancels = await _compose(desk, intent, attempts, in_flight)
        if isinstance(transaction, str):
            tell(intent, transaction)
            return False
        votes = () if cancels else await list_votes(session, intent)
        try:
            signed = await desk.signer.sign(SignRequest(wallet, transaction, votes))
        except (SignerUnavailable, SigningRefused) as error:
            tell(intent, f"stuck at nonce {transaction.nonce}, and the replacement is not signed: {error}")
            return False
        for attempt in attempts:
            if attempt.status in _WAITING:
                attempt.status = advance_attempt(attempt.status, AttemptStatus.REPLACED)
        await session.flush()  # one unacknowledged attempt a wallet: the old one gives way before the new one comes
        session.add(new_attempt(intent, transaction, signed, cancels=cancels))
        intent.reason = None
    log.warning(
        "transaction.replaced", hash=hex0x(signed.hash), nonce=transaction.nonce, attempt=len(attempts) + 1, cancels=cancels
    )
    return True


def _is_stuck(attempts: Sequence[TransactionAttempt], now: datetime, stuck_seconds: int) -> bool:
    newest = attempts[-1]
    waits_since = newest.broadcast_at or newest.created_at
    mined = any(each.status is AttemptStatus.MINED for each in attempts)
    return not mined and waits_since + timedelta(seconds=stuck_seconds) <= now


async def _compose(
    desk: Desk,
    intent: TransactionIntent,
    attempts: Sequence[TransactionAttempt],
    in_flight: Sequence[TransactionIntent],
) -> tuple[UnsignedTransaction | str, bool]:
    """The replacement, or why there is none, and whether it gives the call up."""
    options, wallet, nonce = desk.options, Address(intent.wallet), attempts[0].nonce
    if len(attempts) >= options.attempts_max:
        return f"nonce {nonce} was tried {len(attempts)} times without being mined: a person must look", False
    fee_kind = FeeKind(options.fees)
    purse = await read_purse(desk.rpc, wallet, fee_kind=fee_kind, cap_wei=options.max_fee_wei)
    if purse.used_at_latest != nonce:
        return f"nonce {nonce} waits for the node, which counts {purse.used_at_latest} transactions of this wallet", False
    fees = _fees(desk, attempts, purse)
    if fees is None:
        return f"stuck at nonce {nonce}: the cap of {options.max_fee_wei} wei leaves no room for a higher fee", False
    effect, _found = await effect_of_intent(desk.contracts, desk.chain_id, intent, at=await desk.final_block())
    cancels = effect is not Effect.DUE
    transaction = UnsignedTransaction(
        chain_id=desk.chain_id,
        nonce=nonce,
        gas_limit=SELF_SEND_GAS if cancels else max(each.gas_limit for each in attempts),
        fee_kind=fee_kind,
        fees=fees,
        call=Call(wallet, b"") if cancels else call_of(intent),
    )
    needed = transaction.worst_cost_wei + reserved_wei([each for each in in_flight if each is not intent])
    if purse.balance_wei < needed:
        return f"the wallet has {purse.balance_wei} wei, up to {needed} may be needed: top it up", False
    return transaction, cancels


def _fees(desk: Desk, attempts: Sequence[TransactionAttempt], purse: Purse) -> Fees | None:
    previous = Fees(
        max(each.max_fee_wei for each in attempts),
        max(each.priority_fee_wei for each in attempts),
    )
    return replacement_fees(previous, purse.fees, Bps(desk.options.fee_bump_bps), max_fee_wei=desk.options.max_fee_wei)
