"""Replace what is stuck: the same nonce, higher fees, and again the bytes are stored before a node sees them.

Only the wallet's lowest nonce that is not mined can hold up the others. Three things replace a transaction:

- an operator or a deadline aborts the intent: a zero-value self-send takes the nonce at once, also above the lowest one;
- an operator speeds up the lowest nonce;
- the lowest nonce has waited too long.

The replacement makes the same call. If the effect has come or become impossible meanwhile, the replacement is a self-send
that only uses up the nonce, because the signer would rightly refuse the call. While an unconfirmed change of a contract holds
the call back (driver/changed_contracts.py), there is no replacement but the self-send. Every hash of the nonce stays watched;
the one that is mined decides what happened.
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from paimon.application.transactions.driver.changed_contracts import find_hold
from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.driver.intent_status import block
from paimon.application.transactions.driver.node_queries import FundsQuote, read_funds_quote
from paimon.application.transactions.driver.operator_actions import end_action
from paimon.application.transactions.driver.prepare import new_attempt
from paimon.application.transactions.effect import EffectUnknown, read_effect
from paimon.application.transactions.statements import store_replacement
from paimon.application.transactions.store import (
    find_signed_plan,
    list_in_flight,
    list_requested_actions,
    list_votes,
    lock_wallet,
    save_changes,
)
from paimon.domain.kernel.chain import Address, BlockStamp, hex0x
from paimon.domain.kernel.units import Bps
from paimon.domain.transaction.attempt import Attempt, mark_replaced
from paimon.domain.transaction.intent import IntentWithAttempts
from paimon.domain.transaction.lifecycle import AttemptStatus, BroadcastChannel, Call, EffectStatus
from paimon.domain.transaction.operator_action import ActionKind, ActionStatus
from paimon.domain.transaction.signing import (
    PLAIN_TRANSFER_GAS,
    GasFees,
    SignRequest,
    UnsignedTransaction,
    replacement_fees,
)
from paimon.infrastructure.database.models.ops.operator_action import OperatorActionRow
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.keys.client import SignerUnavailable, SigningRefused

log = structlog.get_logger(__name__)


async def replace_stuck(context: SendingContext, wallet: Address, final: BlockStamp) -> Attempt | None:
    """Store a dearer attempt for the most urgent nonce that needs one, and return it to be sent.

    In this order: intents that are aborting and have no self-send yet, the intent that an operator speeds up, and the lowest
    nonce if it has waited too long.
    """
    async with context.database.write() as session:
        locked = await lock_wallet(session, wallet)
        if locked is None:
            return None
        _row, now = locked
        in_flight = _by_nonce(await list_in_flight(session, wallet))
        if not in_flight:
            return None
        requested_actions = await list_requested_actions(session, wallet)
        speed_ups = {action.intent_id: action for action in requested_actions if action.kind is ActionKind.SPEED_UP}
        unacknowledged_nonce = _unacknowledged_nonce(in_flight)
        after = {intent.id: intent for intent in in_flight}
        replacement: Attempt | None = None
        for intent in _select_replaceable(in_flight, speed_ups, now, context.options.stuck_seconds):
            if unacknowledged_nonce not in (None, intent.nonce):
                continue  # bytes of another nonce are on their way; this nonce has its turn when a node holds them
            speed_up = speed_ups.get(intent.id)
            signed = await _sign_replacement(context, session, intent, in_flight, final, now, is_manual=speed_up is not None)
            rejection_reason = signed if isinstance(signed, str) else None
            if speed_up is not None:
                _end_speed_up(speed_up, rejection_reason, now=now)
            if not isinstance(signed, str):
                after[intent.id], replacement = intent.with_current(mark_replaced).unblocked(), signed
                break
            after[intent.id] = block(intent, signed)
        await save_changes(session, in_flight, [after[intent.id] for intent in in_flight])
        if replacement is not None:  # after the older attempts: the database allows a wallet one unacknowledged attempt
            await store_replacement(session, replacement)
    return replacement


def needs_replacement(in_flight: Sequence[IntentWithAttempts], now: datetime, stuck_seconds: int) -> bool:
    """Return whether an intent may need another attempt without an operator's request; `replace_stuck` decides."""
    return bool(_select_replaceable(_by_nonce(in_flight), (), now, stuck_seconds))


def list_stuck(in_flight: Sequence[IntentWithAttempts], now: datetime, stuck_seconds: int) -> list[Attempt]:
    """Return the attempts that wait for a block and for another attempt, which they may not get."""
    waiting = _select_replaceable(_by_nonce(in_flight), (), now, stuck_seconds)
    newest = [intent.current_attempts[-1] for intent in waiting]
    return [attempt for attempt in newest if attempt.status is AttemptStatus.BROADCAST]


def _by_nonce(intents: Iterable[IntentWithAttempts]) -> list[IntentWithAttempts]:
    return sorted(intents, key=lambda intent: intent.nonce)


def _unacknowledged_nonce(in_flight: Iterable[IntentWithAttempts]) -> int | None:
    """Return the nonce whose bytes no node has confirmed to hold; there is at most one."""
    attempts = (attempt for intent in in_flight for attempt in intent.attempts)
    return next((attempt.nonce for attempt in attempts if attempt.status is AttemptStatus.SIGNED), None)


def _end_speed_up(action: OperatorActionRow, rejection_reason: str | None, *, now: datetime) -> None:
    status = ActionStatus.OBSOLETE if rejection_reason else ActionStatus.DONE
    end_action(action, status, rejection_reason or "replaced for a higher fee", now=now)


def _select_replaceable(
    in_flight: Sequence[IntentWithAttempts], speed_ups: Container[UUID | None], now: datetime, stuck_seconds: int
) -> list[IntentWithAttempts]:
    """Return the intents that need another attempt, the most urgent first. `in_flight` is in the order of nonces."""
    unmined = [intent for intent in in_flight if not intent.is_mined]
    aborting = [intent for intent in unmined if _aborts_now(intent)]
    lowest = unmined[:1]
    sped_up = [intent for intent in lowest if intent.id in speed_ups]
    stuck = [intent for intent in lowest if _is_stuck(intent.current_attempts[-1], now, stuck_seconds)]
    return list({intent.id: intent for intent in (*aborting, *sped_up, *stuck)}.values())


def _aborts_now(intent: IntentWithAttempts) -> bool:
    """Whether the intent is aborting and no self-send has taken its nonce yet."""
    return intent.is_aborting and not intent.current_attempts[-1].is_cancellation


def _is_stuck(newest: Attempt, now: datetime, stuck_seconds: int) -> bool:
    waits_since = newest.broadcast_at or newest.created_at
    return waits_since + timedelta(seconds=stuck_seconds) <= now


async def _sign_replacement(
    context: SendingContext,
    session: WriteSession,
    intent: IntentWithAttempts,
    in_flight: Sequence[IntentWithAttempts],
    final: BlockStamp,
    now: datetime,
    *,
    is_manual: bool,
) -> Attempt | str:
    """Return a signed, dearer attempt, or the reason why there is none."""
    planned = await _plan_replacement(context, intent, in_flight, final, is_manual=is_manual)
    if isinstance(planned, str):
        return planned
    transaction, is_cancellation = planned.transaction, planned.is_cancellation
    if not is_cancellation and (change := await find_hold(context, session, intent)) is not None:
        return f"stuck at nonce {transaction.nonce}, and not replaced: {change}"
    votes = () if is_cancellation else await list_votes(session, intent)
    plan = None if is_cancellation else await find_signed_plan(session, intent)
    try:
        signed = await context.signer.sign(SignRequest(intent.wallet, transaction, votes, plan))
    except (SignerUnavailable, SigningRefused) as error:
        return f"stuck at nonce {transaction.nonce}, and the replacement is not signed: {error}"
    attempts = intent.current_attempts
    was_public = any(attempt.channel is BroadcastChannel.PUBLIC for attempt in attempts)
    channel = BroadcastChannel.PUBLIC if was_public else context.channel  # what the pool has seen is no secret any more
    log.warning(
        "transaction.replaced",
        hash=hex0x(signed.hash),
        nonce=transaction.nonce,
        attempt=len(attempts) + 1,
        is_cancellation=is_cancellation,
    )
    return new_attempt(intent, transaction, signed, channel=channel, at=final, now=now, is_cancellation=is_cancellation)


@dataclass(frozen=True, slots=True)
class _PlannedReplacement:
    transaction: UnsignedTransaction
    is_cancellation: bool


async def _plan_replacement(
    context: SendingContext,
    intent: IntentWithAttempts,
    in_flight: Sequence[IntentWithAttempts],
    final: BlockStamp,
    *,
    is_manual: bool,
) -> _PlannedReplacement | str:
    """Return the replacement to sign, or the reason why there is none. After the last automatic attempt an operator decides."""
    options, wallet, nonce, attempts = context.options, intent.wallet, intent.nonce, intent.current_attempts
    if len(attempts) >= options.attempts_max and not (is_manual or _aborts_now(intent)):
        return f"nonce {nonce} was tried {len(attempts)} times without being mined: an operator must look"
    gas_fee_type = options.gas_fee_type
    funds = await read_funds_quote(context.rpc, wallet, gas_fee_type=gas_fee_type, cap_wei=options.max_fee_wei)
    if not in_flight[0].nonce <= funds.latest_nonce <= nonce:
        return f"nonce {nonce} waits for the node, which counts {funds.latest_nonce} transactions of this wallet"
    fees = _fees(context, attempts, funds)
    if fees is None:
        return f"stuck at nonce {nonce}: the cap of {options.max_fee_wei} wei leaves no room for a higher fee"
    try:
        is_cancellation = intent.is_aborting or await _is_call_obsolete(context, intent, final)
    except EffectUnknown as unknown:
        return f"stuck at nonce {nonce}, and the node does not tell whether it is still due: {unknown}"
    transaction = UnsignedTransaction(
        chain_id=context.chain_id,
        nonce=nonce,
        gas_limit=PLAIN_TRANSFER_GAS if is_cancellation else max(attempt.gas_limit for attempt in attempts),
        gas_fee_type=gas_fee_type,
        fees=fees,
        call=Call(wallet, b"") if is_cancellation else intent.call,
    )
    others = [other for other in in_flight if other.id != intent.id]
    needed = transaction.cost_wei_max + sum(other.reserved_wei for other in others)
    if funds.balance_wei < needed:
        return f"the wallet has {funds.balance_wei} wei, up to {needed} may be needed: top it up"
    return _PlannedReplacement(transaction, is_cancellation)


async def _is_call_obsolete(context: SendingContext, intent: IntentWithAttempts, final: BlockStamp) -> bool:
    effect, _found = await read_effect(context.contracts, context.chain_id, intent, at=final)
    return effect is not EffectStatus.DUE


def _fees(context: SendingContext, attempts: Sequence[Attempt], funds: FundsQuote) -> GasFees | None:
    previous = GasFees(
        max(attempt.max_fee_wei for attempt in attempts),
        max(attempt.priority_fee_wei for attempt in attempts),
    )
    return replacement_fees(previous, funds.fees, Bps(context.options.fee_bump_bps), max_fee_wei=context.options.max_fee_wei)
