"""Speeding up what is stuck: the same nonce, higher fees, and again the bytes are stored before a node sees them.

Only the wallet's lowest nonce that is not mined can be what holds the others up. It is replaced by the same call, or, when its
effect has come about or become impossible meanwhile, by a zero-value self-send that only uses up the nonce: the signer
would rightly refuse the call by then. What was given up, by a person or its deadline, is replaced by a self-send at once,
whichever its nonce; and a person may ask for more speed before the time is up. Every hash of the nonce stays watched; which
one mined decides what happened.
"""

from collections.abc import Container, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from paimon.application.transactions.driver.context import Desk
from paimon.application.transactions.driver.intent_status import call_of, tell
from paimon.application.transactions.driver.node_queries import Purse, read_purse
from paimon.application.transactions.driver.operator_actions import end_deed
from paimon.application.transactions.driver.prepare import new_attempt
from paimon.application.transactions.effect import EffectUnknown, effect_of_intent
from paimon.application.transactions.store import (
    call_attempts,
    find_plan,
    list_asked,
    list_in_flight,
    list_votes,
    lock_wallet,
    unacknowledged,
)
from paimon.domain.kernel.chain import Address, BlockStamp, hex0x
from paimon.domain.kernel.units import Bps
from paimon.domain.transaction.lifecycle import AttemptStatus, Call, Effect, TxChannel, advance_attempt
from paimon.domain.transaction.operator_action import DeedKind, DeedState
from paimon.domain.transaction.signing import (
    SELF_SEND_GAS,
    FeeKind,
    Fees,
    SignRequest,
    UnsignedTransaction,
    replacement_fees,
)
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.keys.client import SignerUnavailable, SigningRefused

log = structlog.get_logger(__name__)

_WAITING: Final = frozenset({AttemptStatus.SIGNED, AttemptStatus.BROADCAST})


async def replace_stuck(desk: Desk, wallet: Address, final: BlockStamp) -> AttemptRow | None:
    """Store a dearer attempt for the first nonce in flight that wants one; it now wants to be sent.

    In this order: what is given up and has no self-send yet, what a person wants sped up, and the lowest nonce when it has
    waited too long.
    """
    async with desk.database.write() as session:
        held = await lock_wallet(session, wallet)
        if held is None:
            return None
        _row, now = held
        in_flight = _in_order(await list_in_flight(session, wallet))
        if not in_flight:
            return None
        wishes = {each.intent_id: each for each in await list_asked(session, wallet) if each.kind is DeedKind.SPEED_UP}
        on_its_way = unacknowledged(in_flight)
        for intent in _wanting(in_flight, wishes, now, desk.options.stuck_seconds):
            if on_its_way is not None and on_its_way.nonce != call_attempts(intent)[0].nonce:
                continue  # another nonce is on its way out; this one's turn comes when a node has that
            wish = wishes.get(intent.id)
            dearer = await _replace(desk, session, intent, in_flight, final, by_hand=wish is not None)
            if wish is not None:
                why_not = dearer if isinstance(dearer, str) else None
                end_deed(wish, DeedState.MOOT if why_not else DeedState.DONE, why_not or "replaced for a higher fee", now=now)
            if not isinstance(dearer, str):
                return dearer
            tell(intent, dearer)
    return None


def wants_replacing(in_flight: Sequence[IntentRow], now: datetime, stuck_seconds: int) -> bool:
    """Whether any of these may want another attempt without being asked for it; `replace_stuck` looks again."""
    return bool(_wanting(_in_order(in_flight), (), now, stuck_seconds))


def _in_order(intents: Sequence[IntentRow]) -> list[IntentRow]:
    return sorted(intents, key=lambda each: call_attempts(each)[0].nonce)


def _wanting(
    in_flight: Sequence[IntentRow], wishes: Container[UUID | None], now: datetime, stuck_seconds: int
) -> list[IntentRow]:
    """Those whose nonce wants another attempt, the most urgent first; `in_flight` is in the order of nonces."""
    unmined = [each for each in in_flight if all(one.status is not AttemptStatus.MINED for one in call_attempts(each))]
    given_up = [each for each in unmined if each.giving_up is not None and not call_attempts(each)[-1].cancels]
    lowest = unmined[:1]
    wished = [each for each in lowest if each.id in wishes]
    stuck = [each for each in lowest if _is_stuck(call_attempts(each), now, stuck_seconds)]
    return list(dict.fromkeys([*given_up, *wished, *stuck]))


async def _replace(
    desk: Desk,
    session: WriteSession,
    intent: IntentRow,
    in_flight: Sequence[IntentRow],
    final: BlockStamp,
    *,
    by_hand: bool,
) -> AttemptRow | str:
    """Store a dearer attempt; or why there is none."""
    attempts = call_attempts(intent)
    transaction, cancels = await _compose(desk, intent, attempts, in_flight, final, by_hand=by_hand)
    if isinstance(transaction, str):
        return transaction
    votes = () if cancels else await list_votes(session, intent)
    plan = await find_plan(session, intent)
    try:
        signed = await desk.signer.sign(SignRequest(Address(intent.wallet), transaction, votes, plan))
    except (SignerUnavailable, SigningRefused) as error:
        return f"stuck at nonce {transaction.nonce}, and the replacement is not signed: {error}"
    for attempt in attempts:
        if attempt.status in _WAITING:
            attempt.status = advance_attempt(attempt.status, AttemptStatus.REPLACED)
    await session.flush()  # one unacknowledged attempt a wallet: the old one gives way before the new one comes
    was_public = any(each.channel is TxChannel.PUBLIC for each in attempts)
    channel = TxChannel.PUBLIC if was_public else desk.channel  # what everyone has seen is no secret any more
    dearer = new_attempt(intent, transaction, signed, channel=channel, at=final, cancels=cancels)
    session.add(dearer)
    intent.reason = intent.giving_up_because
    log.warning(
        "transaction.replaced", hash=hex0x(signed.hash), nonce=transaction.nonce, attempt=len(attempts) + 1, cancels=cancels
    )
    return dearer


def _is_stuck(attempts: Sequence[AttemptRow], now: datetime, stuck_seconds: int) -> bool:
    newest = attempts[-1]
    waits_since = newest.broadcast_at or newest.created_at
    return waits_since + timedelta(seconds=stuck_seconds) <= now


async def _compose(
    desk: Desk,
    intent: IntentRow,
    attempts: Sequence[AttemptRow],
    in_flight: Sequence[IntentRow],
    final: BlockStamp,
    *,
    by_hand: bool,
) -> tuple[UnsignedTransaction | str, bool]:
    """The replacement, or why there is none, and whether it gives the call up. Tries beyond the last are for people to ask."""
    options, wallet, nonce = desk.options, Address(intent.wallet), attempts[0].nonce
    gives_up_now = intent.giving_up is not None and not attempts[-1].cancels
    if len(attempts) >= options.attempts_max and not (by_hand or gives_up_now):
        return f"nonce {nonce} was tried {len(attempts)} times without being mined: a person must look", False
    fee_kind = FeeKind(options.fees)
    purse = await read_purse(desk.rpc, wallet, fee_kind=fee_kind, cap_wei=options.max_fee_wei)
    lowest = call_attempts(in_flight[0])[0].nonce
    if not lowest <= purse.used_at_latest <= nonce:
        return f"nonce {nonce} waits for the node, which counts {purse.used_at_latest} transactions of this wallet", False
    fees = _fees(desk, attempts, purse)
    if fees is None:
        return f"stuck at nonce {nonce}: the cap of {options.max_fee_wei} wei leaves no room for a higher fee", False
    try:
        cancels = intent.giving_up is not None or await _is_pointless(desk, intent, final)
    except EffectUnknown as unknown:
        return f"stuck at nonce {nonce}, and the node does not tell whether it is still due: {unknown}", False
    transaction = UnsignedTransaction(
        chain_id=desk.chain_id,
        nonce=nonce,
        gas_limit=SELF_SEND_GAS if cancels else max(each.gas_limit for each in attempts),
        fee_kind=fee_kind,
        fees=fees,
        call=Call(wallet, b"") if cancels else call_of(intent),
    )
    needed = transaction.worst_cost_wei + _reserved_wei([each for each in in_flight if each is not intent])
    if purse.balance_wei < needed:
        return f"the wallet has {purse.balance_wei} wei, up to {needed} may be needed: top it up", False
    return transaction, cancels


async def _is_pointless(desk: Desk, intent: IntentRow, final: BlockStamp) -> bool:
    effect, _found = await effect_of_intent(desk.contracts, desk.chain_id, intent, at=final)
    return effect is not Effect.DUE


def _reserved_wei(in_flight: Sequence[IntentRow]) -> int:
    """The most that what is in flight may still cost: of each nonce, its dearest attempt."""
    return sum(
        max(each.gas_limit * each.max_fee_wei for each in call_attempts(intent)) + intent.value_wei for intent in in_flight
    )


def _fees(desk: Desk, attempts: Sequence[AttemptRow], purse: Purse) -> Fees | None:
    previous = Fees(
        max(each.max_fee_wei for each in attempts),
        max(each.priority_fee_wei for each in attempts),
    )
    return replacement_fees(previous, purse.fees, Bps(desk.options.fee_bump_bps), max_fee_wei=desk.options.max_fee_wei)
