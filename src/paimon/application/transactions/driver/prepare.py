"""From the oldest due intent to stored, signed bytes: everything that is checked before a nonce is spent.

In this order, under the wallet's lock, in one transaction:

1. nothing of the wallet is unacknowledged, and not too much is in flight;
2. the effect is still due at the latest final block: done by someone else ends the intent, and so does a cancellation;
3. the call passes at the latest block, its price is within the cap, and the wallet can pay the worst case of it and of
   what is in flight; otherwise, as when the node does not tell, the intent stays queued with its reason and next check,
   and the next one gets its turn;
4. the nonce is clear (domain.nonce);
5. the signer signs; then attempt, nonce counter and intent are written together, and the commit makes them true.

Bytes signed in a transaction that did not commit are gone with the process that asked for them: nobody can send them.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Any, Final

import structlog

from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.driver.intent_status import call_of, close, requeue, requeue_status_unknown, tell
from paimon.application.transactions.driver.node_queries import CallQuote, quote_requests, read_quote
from paimon.application.transactions.effect import EffectResult, EffectUnknown, read_effect_with
from paimon.application.transactions.statements import InFlightTotals, next_due, store_signed
from paimon.application.transactions.store import find_plan_name, has_attempts, list_votes, lock_wallet
from paimon.domain.kernel.chain import Address, BlockStamp, hex0x
from paimon.domain.kernel.units import Bps
from paimon.domain.transaction.lifecycle import (
    UNFUNDED_ERROR,
    AttemptStatus,
    BroadcastChannel,
    IntentKind,
    IntentStatus,
    advance_intent,
    ending,
)
from paimon.domain.transaction.nonce import NonceCounts, WaitForNonce, choose_nonce
from paimon.domain.transaction.signing import GasFeeType, SignedTransaction, SignRequest, UnsignedTransaction, add_gas_margin
from paimon.infrastructure.blockchain.contracts.fund import CallReverted
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow, WalletRow
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.keys.client import SignerUnavailable, SigningRefused

log = structlog.get_logger(__name__)

IN_FLIGHT_MAX: Final = 16
"""What a node keeps executable for one account before it may evict. Source: geth's txpool `AccountSlots`."""


class PrepareOutcome(Enum):
    NEXT = auto()  # this intent ended or waits; another may be due
    STOP = auto()  # nothing is due, or nothing can be sent now


async def prepare_next(context: SendingContext, wallet: Address) -> AttemptRow | PrepareOutcome:
    """Take the oldest due intent as far as it goes: to signed bytes that are stored and want to be sent, if all is well.

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

        def wait(reason: str) -> None:
            requeue(intent, reason, now=now, wait_seconds=context.options.recheck_seconds)

        final = await context.final_block()
        found, answers = await _read_effect_and_quote(context, intent, final)
        if isinstance(found, EffectUnknown):
            requeue_status_unknown(intent, str(found), now=now, wait_seconds=context.options.recheck_seconds)
            return PrepareOutcome.NEXT
        intent.unknown_since = None
        effect, description = found
        if (end_status := ending(effect, ours_succeeded=False)) is not None:
            close(intent, end_status, description, now=now)
            return PrepareOutcome.NEXT
        try:
            quoted = _quoted(context, intent, answers)
        except CallReverted as reverted:
            intent.unfunded = intent.kind is IntentKind.SETTLE_REDEMPTION and reverted.error_name == UNFUNDED_ERROR
            wait(str(reverted))
            return PrepareOutcome.NEXT
        intent.unfunded = False
        transaction = await _build_transaction(context, session, row, intent, in_flight, quoted)
        if isinstance(transaction, str):
            wait(transaction)
            return PrepareOutcome.NEXT
        simulated = advance_intent(intent.status, IntentStatus.SIMULATED)
        votes, plan = await list_votes(session, intent), await find_plan_name(session, intent)
        try:
            signed = await context.signer.sign(SignRequest(wallet, transaction, votes, plan))
        except SignerUnavailable as unavailable:
            intent.status = simulated
            tell(intent, str(unavailable))
            return PrepareOutcome.STOP
        except SigningRefused as refused:
            wait(f"the signer refuses: {refused}")
            return PrepareOutcome.NEXT
        advance_intent(simulated, IntentStatus.SENDING)
        attempt = new_attempt(intent, transaction, signed, channel=context.channel, at=final)
        await store_signed(session, attempt)
    log.info("transaction.signed", hash=hex0x(signed.hash), nonce=transaction.nonce, key=intent.idempotency_key)
    return attempt


async def _read_effect_and_quote(
    context: SendingContext, intent: IntentRow, final: BlockStamp
) -> tuple[EffectResult | EffectUnknown, list[Any]]:
    """How the effect stands at the final block, and what the call would do and cost at the latest."""
    wallet, gas_fee_type = Address(intent.wallet), GasFeeType(context.options.fees)
    requests = quote_requests(wallet, call_of(intent), final=final, gas_fee_type=gas_fee_type)
    return await read_effect_with(context.contracts, context.chain_id, intent, requests, at=final)


def _quoted(context: SendingContext, intent: IntentRow, answers: Sequence[Any]) -> CallQuote:
    """Raises as `read_quote`."""
    gas_fee_type, cap_wei = GasFeeType(context.options.fees), context.options.max_fee_wei
    return read_quote(context.contracts, call_of(intent), answers, gas_fee_type=gas_fee_type, cap_wei=cap_wei)


async def _build_transaction(
    context: SendingContext,
    session: WriteSession,
    row: WalletRow,
    intent: IntentRow,
    in_flight: InFlightTotals,
    quoted: CallQuote,
) -> UnsignedTransaction | str:
    """The transaction to sign, or why there is none now."""
    chosen = choose_nonce(NonceCounts(row.next_nonce, in_flight.lowest, quoted.final_nonce, quoted.latest_nonce))
    if isinstance(chosen, WaitForNonce):
        return chosen.reason
    if chosen.external:
        await _record_foreign_nonces(session, row, chosen.external)
    if quoted.fees is None:
        return f"the present gas price is above the cap of {context.options.max_fee_wei} wei"
    transaction = UnsignedTransaction(
        chain_id=context.chain_id,
        nonce=chosen.nonce,
        gas_limit=add_gas_margin(quoted.gas_estimate, Bps(context.options.gas_margin_bps)),
        gas_fee_type=GasFeeType(context.options.fees),
        fees=quoted.fees,
        call=call_of(intent),
    )
    needed = transaction.cost_wei_max + in_flight.reserved_wei
    if quoted.balance_wei < needed:
        return f"the wallet has {quoted.balance_wei} wei, up to {needed} may be needed: top it up"
    return transaction


async def _record_foreign_nonces(session: WriteSession, row: WalletRow, foreign: range) -> None:
    """One key, one owner. A key that was in use before this database knew it is adopted without alarm."""
    used = f"nonces {foreign.start} to {foreign.stop - 1}"
    if row.next_nonce == 0 and not await has_attempts(session, Address(row.address)):
        log.info("wallet.adopted", wallet=row.name, used=used)
        return
    row.fault = f"{used} were used by transactions that are not ours: someone else has this key"
    log.error("wallet.used_externally", wallet=row.name, used=used)


def new_attempt(
    intent: IntentRow,
    transaction: UnsignedTransaction,
    signed: SignedTransaction,
    *,
    channel: BroadcastChannel,
    at: BlockStamp,
    cancels: bool = False,
) -> AttemptRow:
    """The row that makes signed bytes survive this process; written before any node sees them."""
    return AttemptRow(
        hash=signed.hash,
        intent_id=intent.id,
        wallet=intent.wallet,
        nonce=transaction.nonce,
        gas_limit=transaction.gas_limit,
        max_fee_wei=transaction.fees.max_fee_wei,
        priority_fee_wei=transaction.fees.priority_fee_wei,
        raw=signed.raw,
        cancels=cancels,
        channel=channel,
        signed_at_block=at.number,
        status=AttemptStatus.SIGNED,
    )
