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

from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.driver.intent_status import call_of, tell
from paimon.application.transactions.driver.node_queries import FundsQuote, read_funds_quote
from paimon.application.transactions.driver.operator_actions import end_action
from paimon.application.transactions.driver.prepare import new_attempt
from paimon.application.transactions.effect import EffectUnknown, read_effect
from paimon.application.transactions.store import (
    current_attempts,
    find_plan_name,
    list_in_flight,
    list_requested_actions,
    list_votes,
    lock_wallet,
    unacknowledged,
)
from paimon.domain.kernel.chain import Address, BlockStamp, hex0x
from paimon.domain.kernel.units import Bps
from paimon.domain.transaction.lifecycle import AttemptStatus, BroadcastChannel, Call, EffectStatus, advance_attempt
from paimon.domain.transaction.operator_action import ActionKind, ActionStatus
from paimon.domain.transaction.signing import (
    PLAIN_TRANSFER_GAS,
    GasFees,
    GasFeeType,
    SignRequest,
    UnsignedTransaction,
    replacement_fees,
)
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.keys.client import SignerUnavailable, SigningRefused

log = structlog.get_logger(__name__)

_UNMINED: Final = frozenset({AttemptStatus.SIGNED, AttemptStatus.BROADCAST})


async def replace_stuck(context: SendingContext, wallet: Address, final: BlockStamp) -> AttemptRow | None:
    """Store a dearer attempt for the first nonce in flight that wants one; it now wants to be sent.

    In this order: what is given up and has no self-send yet, what a person wants sped up, and the lowest nonce when it has
    waited too long.
    """
    async with context.database.write() as session:
        locked = await lock_wallet(session, wallet)
        if locked is None:
            return None
        _row, now = locked
        in_flight = _by_nonce(await list_in_flight(session, wallet))
        if not in_flight:
            return None
        speed_ups = {
            each.intent_id: each for each in await list_requested_actions(session, wallet) if each.kind is ActionKind.SPEED_UP
        }
        unacknowledged_attempt = unacknowledged(in_flight)
        for intent in _select_replaceable(in_flight, speed_ups, now, context.options.stuck_seconds):
            if unacknowledged_attempt is not None and unacknowledged_attempt.nonce != current_attempts(intent)[0].nonce:
                continue  # another nonce is on its way out; this one's turn comes when a node has that
            speed_up = speed_ups.get(intent.id)
            replacement = await _replace(context, session, intent, in_flight, final, is_manual=speed_up is not None)
            if speed_up is not None:
                rejection_reason = replacement if isinstance(replacement, str) else None
                end_action(
                    speed_up,
                    ActionStatus.OBSOLETE if rejection_reason else ActionStatus.DONE,
                    rejection_reason or "replaced for a higher fee",
                    now=now,
                )
            if not isinstance(replacement, str):
                return replacement
            tell(intent, replacement)
    return None


def needs_replacement(in_flight: Sequence[IntentRow], now: datetime, stuck_seconds: int) -> bool:
    """Whether any of these may want another attempt without being asked for it; `replace_stuck` looks again."""
    return bool(_select_replaceable(_by_nonce(in_flight), (), now, stuck_seconds))


def _by_nonce(intents: Sequence[IntentRow]) -> list[IntentRow]:
    return sorted(intents, key=lambda each: current_attempts(each)[0].nonce)


def _select_replaceable(
    in_flight: Sequence[IntentRow], speed_ups: Container[UUID | None], now: datetime, stuck_seconds: int
) -> list[IntentRow]:
    """Those whose nonce wants another attempt, the most urgent first; `in_flight` is in the order of nonces."""
    unmined = [each for each in in_flight if all(one.status is not AttemptStatus.MINED for one in current_attempts(each))]
    is_aborting = [each for each in unmined if each.aborting_as is not None and not current_attempts(each)[-1].cancels]
    lowest = unmined[:1]
    sped_up = [each for each in lowest if each.id in speed_ups]
    stuck = [each for each in lowest if _is_stuck(current_attempts(each), now, stuck_seconds)]
    return list(dict.fromkeys([*is_aborting, *sped_up, *stuck]))


async def _replace(
    context: SendingContext,
    session: WriteSession,
    intent: IntentRow,
    in_flight: Sequence[IntentRow],
    final: BlockStamp,
    *,
    is_manual: bool,
) -> AttemptRow | str:
    """Store a dearer attempt; or why there is none."""
    attempts = current_attempts(intent)
    transaction, cancels = await _build_transaction(context, intent, attempts, in_flight, final, is_manual=is_manual)
    if isinstance(transaction, str):
        return transaction
    votes = () if cancels else await list_votes(session, intent)
    plan = await find_plan_name(session, intent)
    try:
        signed = await context.signer.sign(SignRequest(Address(intent.wallet), transaction, votes, plan))
    except (SignerUnavailable, SigningRefused) as error:
        return f"stuck at nonce {transaction.nonce}, and the replacement is not signed: {error}"
    for attempt in attempts:
        if attempt.status in _UNMINED:
            attempt.status = advance_attempt(attempt.status, AttemptStatus.REPLACED)
    await session.flush()  # one unacknowledged attempt a wallet: the old one gives way before the new one comes
    was_public = any(each.channel is BroadcastChannel.PUBLIC for each in attempts)
    channel = BroadcastChannel.PUBLIC if was_public else context.channel  # what everyone has seen is no secret any more
    replacement = new_attempt(intent, transaction, signed, channel=channel, at=final, cancels=cancels)
    session.add(replacement)
    intent.reason = intent.abort_reason
    log.warning(
        "transaction.replaced", hash=hex0x(signed.hash), nonce=transaction.nonce, attempt=len(attempts) + 1, cancels=cancels
    )
    return replacement


def _is_stuck(attempts: Sequence[AttemptRow], now: datetime, stuck_seconds: int) -> bool:
    newest = attempts[-1]
    waits_since = newest.broadcast_at or newest.created_at
    return waits_since + timedelta(seconds=stuck_seconds) <= now


async def _build_transaction(
    context: SendingContext,
    intent: IntentRow,
    attempts: Sequence[AttemptRow],
    in_flight: Sequence[IntentRow],
    final: BlockStamp,
    *,
    is_manual: bool,
) -> tuple[UnsignedTransaction | str, bool]:
    """The replacement, or why there is none, and whether it gives the call up. Tries beyond the last are for people to ask."""
    options, wallet, nonce = context.options, Address(intent.wallet), attempts[0].nonce
    aborts_now = intent.aborting_as is not None and not attempts[-1].cancels
    if len(attempts) >= options.attempts_max and not (is_manual or aborts_now):
        return f"nonce {nonce} was tried {len(attempts)} times without being mined: a person must look", False
    gas_fee_type = GasFeeType(options.fees)
    funds = await read_funds_quote(context.rpc, wallet, gas_fee_type=gas_fee_type, cap_wei=options.max_fee_wei)
    lowest = current_attempts(in_flight[0])[0].nonce
    if not lowest <= funds.latest_nonce <= nonce:
        return f"nonce {nonce} waits for the node, which counts {funds.latest_nonce} transactions of this wallet", False
    fees = _fees(context, attempts, funds)
    if fees is None:
        return f"stuck at nonce {nonce}: the cap of {options.max_fee_wei} wei leaves no room for a higher fee", False
    try:
        cancels = intent.aborting_as is not None or await _is_call_obsolete(context, intent, final)
    except EffectUnknown as unknown:
        return f"stuck at nonce {nonce}, and the node does not tell whether it is still due: {unknown}", False
    transaction = UnsignedTransaction(
        chain_id=context.chain_id,
        nonce=nonce,
        gas_limit=PLAIN_TRANSFER_GAS if cancels else max(each.gas_limit for each in attempts),
        gas_fee_type=gas_fee_type,
        fees=fees,
        call=Call(wallet, b"") if cancels else call_of(intent),
    )
    needed = transaction.cost_wei_max + _reserved_wei([each for each in in_flight if each is not intent])
    if funds.balance_wei < needed:
        return f"the wallet has {funds.balance_wei} wei, up to {needed} may be needed: top it up", False
    return transaction, cancels


async def _is_call_obsolete(context: SendingContext, intent: IntentRow, final: BlockStamp) -> bool:
    effect, _found = await read_effect(context.contracts, context.chain_id, intent, at=final)
    return effect is not EffectStatus.DUE


def _reserved_wei(in_flight: Sequence[IntentRow]) -> int:
    """The most that what is in flight may still cost: of each nonce, its dearest attempt."""
    return sum(
        max(each.gas_limit * each.max_fee_wei for each in current_attempts(intent)) + intent.value_wei for intent in in_flight
    )


def _fees(context: SendingContext, attempts: Sequence[AttemptRow], funds: FundsQuote) -> GasFees | None:
    previous = GasFees(
        max(each.max_fee_wei for each in attempts),
        max(each.priority_fee_wei for each in attempts),
    )
    return replacement_fees(previous, funds.fees, Bps(context.options.fee_bump_bps), max_fee_wei=context.options.max_fee_wei)
