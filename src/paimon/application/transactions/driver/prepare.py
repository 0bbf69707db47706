"""Prepare the oldest due intent: check everything before a nonce is spent, then store signed bytes.

In this order, under the wallet's lock, in one transaction:

1. Nothing of the wallet is unacknowledged, and not too much is in flight.
2. The effect is still due at the latest final block. If someone else brought it about, or it became impossible, the intent
   ends.
3. The fund's contracts are the programs that they were, or an administrator has confirmed what they became. Otherwise the
   intent waits, unless it is a pause.
4. The call passes at the latest block, its price is within the cap, and the wallet can pay the worst case of this call and of
   what is in flight. Otherwise, and if the node does not tell, the intent stays queued with its reason and next check, and
   the next intent gets its turn. So does a plan's call that the approval policy in force keeps from the hot key.
5. The nonce is clear (domain/transaction/nonce.py).
6. The signer signs. Then attempt, nonce counter and intent are written together.

Bytes that were signed in a transaction which did not commit are gone with the process that had them, and can never be sent.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum, auto
from typing import Any, Final

import structlog

from paimon.application.transactions.driver.changed_contracts import find_hold
from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.driver.intent_status import close, hold_simulated, requeue, requeue_state_unknown
from paimon.application.transactions.driver.node_queries import CallQuote, quote_requests, read_quote
from paimon.application.transactions.effect import EffectResult, EffectUnknown, read_effect_with
from paimon.application.transactions.plans.recheck_policy import find_policy_fault
from paimon.application.transactions.statements import InFlightTotals, next_due, save_intents, store_signed
from paimon.application.transactions.store import find_signed_plan, has_attempts, list_votes, lock_wallet
from paimon.domain.kernel.chain import Address, BlockStamp, hex0x
from paimon.domain.kernel.units import Bps
from paimon.domain.transaction.attempt import Attempt
from paimon.domain.transaction.intent import Intent
from paimon.domain.transaction.lifecycle import UNFUNDED_ERROR, BroadcastChannel, IntentKind, IntentStatus, ending
from paimon.domain.transaction.nonce import NonceCounts, WaitForNonce, choose_nonce
from paimon.domain.transaction.signing import SignedTransaction, SignRequest, UnsignedTransaction, add_gas_margin
from paimon.infrastructure.blockchain.contracts.reads import CallReverted
from paimon.infrastructure.database.models.ops.transaction import WalletRow
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.keys.client import SignerUnavailable, SigningRefused

log = structlog.get_logger(__name__)

IN_FLIGHT_MAX: Final = 16
"""What a node keeps executable for one account before it may evict. Source: geth's txpool `AccountSlots`."""


class PrepareOutcome(Enum):
    NEXT = auto()
    """This intent ended or waits; another one may be due."""
    STOP = auto()
    """Nothing is due, or nothing can be sent now."""


async def prepare_next(context: SendingContext, wallet: Address) -> Attempt | PrepareOutcome:
    """Take the oldest due intent as far as it goes. If all is well, that is a stored attempt which must be sent.

    Raises:
        RpcUnavailable, RpcError: nothing was changed.
    """
    async with context.database.write() as session:
        locked = await lock_wallet(session, wallet)
        if locked is None:
            return PrepareOutcome.STOP
        row, now = locked
        due = await next_due(session, wallet, now)
        if due is None:
            return PrepareOutcome.STOP
        intent, in_flight = due
        if in_flight.count >= IN_FLIGHT_MAX or in_flight.has_unacknowledged:
            return PrepareOutcome.STOP
        prepared = await _prepare(context, session, row, intent, in_flight, now)
        if isinstance(prepared, Intent):
            await save_intents(session, [intent], [prepared])
            return PrepareOutcome.STOP if prepared.status is IntentStatus.SIMULATED else PrepareOutcome.NEXT
        await store_signed(session, prepared)
    log.info("transaction.signed", hash=hex0x(prepared.hash), nonce=prepared.nonce, key=intent.idempotency_key)
    return prepared


async def _prepare(
    context: SendingContext,
    session: WriteSession,
    row: WalletRow,
    intent: Intent,
    in_flight: InFlightTotals,
    now: datetime,
) -> Attempt | Intent:
    """Return a signed attempt, or the intent as it ends or waits. An intent that waits for the signer only is SIMULATED."""
    recheck_seconds = context.options.recheck_seconds
    final = await context.final_block()
    found, answers = await _read_effect_and_quote(context, intent, final)
    if isinstance(found, EffectUnknown):
        return requeue_state_unknown(intent, str(found), now=now, wait_seconds=recheck_seconds)
    effect, description = found
    if (end_status := ending(effect, ours_succeeded=False)) is not None:
        return close(intent, end_status, description, now=now)
    if (change := await find_hold(context, session, intent)) is not None:
        return requeue(intent, change, now=now, wait_seconds=recheck_seconds)
    try:
        quoted = _quoted(context, intent, answers)
    except CallReverted as reverted:
        is_unfunded = intent.kind is IntentKind.SETTLE_REDEMPTION and reverted.error_name == UNFUNDED_ERROR
        return requeue(intent.with_unfunded(is_unfunded), str(reverted), now=now, wait_seconds=recheck_seconds)
    funded = intent.with_unfunded(False)
    planner = context.options.planner
    fault = await find_policy_fault(session, intent, context.contracts, context.scope, planner=planner, at=final)
    if fault is not None:
        return requeue(funded, f"the approval policy does not let it be sent: {fault}", now=now, wait_seconds=recheck_seconds)
    transaction = await _build_transaction(context, session, row, intent, in_flight, quoted)
    if isinstance(transaction, str):
        return requeue(funded, transaction, now=now, wait_seconds=recheck_seconds)
    votes, plan = await list_votes(session, intent), await find_signed_plan(session, intent)
    try:
        signed = await context.signer.sign(SignRequest(intent.wallet, transaction, votes, plan))
    except SignerUnavailable as unavailable:
        return hold_simulated(funded, str(unavailable))
    except SigningRefused as refused:
        return requeue(funded, f"the signer refuses: {refused}", now=now, wait_seconds=recheck_seconds)
    return new_attempt(intent, transaction, signed, channel=context.channel, at=final, now=now)


async def _read_effect_and_quote(
    context: SendingContext, intent: Intent, final: BlockStamp
) -> tuple[EffectResult | EffectUnknown, list[Any]]:
    """Read the effect at the final block, and what the call would do and cost at the latest block."""
    gas_fee_type = context.options.gas_fee_type
    requests = quote_requests(intent.wallet, intent.call, final=final, gas_fee_type=gas_fee_type)
    return await read_effect_with(context.contracts, context.chain_id, intent, requests, at=final)


def _quoted(context: SendingContext, intent: Intent, answers: Sequence[Any]) -> CallQuote:
    """Raises as `read_quote`."""
    gas_fee_type, cap_wei = context.options.gas_fee_type, context.options.max_fee_wei
    return read_quote(context.contracts, intent.call, answers, gas_fee_type=gas_fee_type, cap_wei=cap_wei)


async def _build_transaction(
    context: SendingContext,
    session: WriteSession,
    row: WalletRow,
    intent: Intent,
    in_flight: InFlightTotals,
    quoted: CallQuote,
) -> UnsignedTransaction | str:
    """Return the transaction to sign, or the reason why there is none now."""
    chosen = choose_nonce(NonceCounts(row.next_nonce, in_flight.lowest, quoted.final_nonce, quoted.latest_nonce))
    if isinstance(chosen, WaitForNonce):
        return chosen.reason
    if chosen.external:
        await _record_external_nonces(session, row, chosen.external)
    if quoted.fees is None:
        return f"the present gas price is above the cap of {context.options.max_fee_wei} wei"
    transaction = UnsignedTransaction(
        chain_id=context.chain_id,
        nonce=chosen.nonce,
        gas_limit=add_gas_margin(quoted.gas_estimate, Bps(context.options.gas_margin_bps)),
        gas_fee_type=context.options.gas_fee_type,
        fees=quoted.fees,
        call=intent.call,
    )
    needed = transaction.cost_wei_max + in_flight.reserved_wei
    if quoted.balance_wei < needed:
        return f"the wallet has {quoted.balance_wei} wei, up to {needed} may be needed: top it up"
    return transaction


async def _record_external_nonces(session: WriteSession, row: WalletRow, external: range) -> None:
    """Record that someone else uses the key. A key that was in use before this database knew it is adopted without a fault."""
    used = f"nonces {external.start} to {external.stop - 1}"
    if row.next_nonce == 0 and not await has_attempts(session, Address(row.address)):
        log.info("wallet.adopted", wallet=row.name, used=used)
        return
    row.fault = f"{used} were used by transactions that are not ours: someone else has this key"
    log.error("wallet.used_externally", wallet=row.name, used=used)


def new_attempt(
    intent: Intent,
    transaction: UnsignedTransaction,
    signed: SignedTransaction,
    *,
    channel: BroadcastChannel,
    at: BlockStamp,
    now: datetime,
    is_cancellation: bool = False,
) -> Attempt:
    """Return the attempt of freshly signed bytes. It is stored before any node sees them."""
    return Attempt(
        hash=signed.hash,
        intent_id=intent.id,
        wallet=intent.wallet,
        nonce=transaction.nonce,
        gas_limit=transaction.gas_limit,
        max_fee_wei=transaction.fees.max_fee_wei,
        priority_fee_wei=transaction.fees.priority_fee_wei,
        raw=signed.raw,
        is_cancellation=is_cancellation,
        channel=channel,
        signed_at_block=at.number,
        created_at=now,
    )
