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

from paimon.application.transactions.driver.context import Desk
from paimon.application.transactions.driver.intent_status import call_of, close, requeue, requeue_untold, tell
from paimon.application.transactions.driver.node_queries import Quote, quote_requests, read_quote
from paimon.application.transactions.effect import EffectUnknown, Found, effect_beside
from paimon.application.transactions.statements import InFlight, next_due, store_signed
from paimon.application.transactions.store import find_plan, has_attempts, list_votes, lock_wallet
from paimon.domain.kernel.chain import Address, BlockStamp, hex0x
from paimon.domain.kernel.units import Bps
from paimon.domain.transaction.lifecycle import (
    UNFUNDED_ERROR,
    AttemptStatus,
    IntentKind,
    IntentStatus,
    TxChannel,
    advance_intent,
    ending,
)
from paimon.domain.transaction.nonce import NonceView, WaitForNonce, choose_nonce
from paimon.domain.transaction.signing import FeeKind, SignedTransaction, SignRequest, UnsignedTransaction, with_margin
from paimon.infrastructure.blockchain.contracts import CallReverted
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow, WalletRow
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.keys.client import SignerUnavailable, SigningRefused

log = structlog.get_logger(__name__)

IN_FLIGHT_MAX: Final = 16
"""What a node keeps executable for one account before it may evict. Source: geth's txpool `AccountSlots`."""


class Step(Enum):
    NEXT = auto()  # this intent ended or waits; another may be due
    STOP = auto()  # nothing is due, or nothing can be sent now


async def prepare_next(desk: Desk, wallet: Address) -> AttemptRow | Step:
    """Take the oldest due intent as far as it goes: to signed bytes that are stored and want to be sent, if all is well.

    Raises:
        RpcUnavailable, RpcError: nothing was changed.
    """
    async with desk.database.write() as session:
        held = await lock_wallet(session, wallet)
        if held is None:
            return Step.STOP
        row, now = held
        due = await next_due(session, wallet, now)
        if due is None:
            return Step.STOP
        intent, in_flight = due
        if in_flight.count >= IN_FLIGHT_MAX or in_flight.has_unacknowledged:
            return Step.STOP

        def wait(reason: str) -> None:
            requeue(intent, reason, now=now, wait_seconds=desk.options.recheck_seconds)

        final = await desk.final_block()
        found, answers = await _ask(desk, intent, final)
        if isinstance(found, EffectUnknown):
            requeue_untold(intent, str(found), now=now, wait_seconds=desk.options.recheck_seconds)
            return Step.NEXT
        intent.untold_since = None
        effect, words = found
        if (end := ending(effect, ours_succeeded=False)) is not None:
            close(intent, end, words, now=now)
            return Step.NEXT
        try:
            quoted = _quoted(desk, intent, answers)
        except CallReverted as reverted:
            intent.unfunded = intent.kind is IntentKind.SETTLE_REDEMPTION and reverted.error_name == UNFUNDED_ERROR
            wait(str(reverted))
            return Step.NEXT
        intent.unfunded = False
        transaction = await _compose(desk, session, row, intent, in_flight, quoted)
        if isinstance(transaction, str):
            wait(transaction)
            return Step.NEXT
        simulated = advance_intent(intent.status, IntentStatus.SIMULATED)
        votes, plan = await list_votes(session, intent), await find_plan(session, intent)
        try:
            signed = await desk.signer.sign(SignRequest(wallet, transaction, votes, plan))
        except SignerUnavailable as unavailable:
            intent.status = simulated
            tell(intent, str(unavailable))
            return Step.STOP
        except SigningRefused as refused:
            wait(f"the signer refuses: {refused}")
            return Step.NEXT
        advance_intent(simulated, IntentStatus.SENDING)
        attempt = new_attempt(intent, transaction, signed, channel=desk.channel, at=final)
        await store_signed(session, attempt)
    log.info("transaction.signed", hash=hex0x(signed.hash), nonce=transaction.nonce, key=intent.idempotency_key)
    return attempt


async def _ask(desk: Desk, intent: IntentRow, final: BlockStamp) -> tuple[Found | EffectUnknown, list[Any]]:
    """How the effect stands at the final block, and what the call would do and cost at the latest."""
    wallet, fee_kind = Address(intent.wallet), FeeKind(desk.options.fees)
    questions = quote_requests(wallet, call_of(intent), final=final, fee_kind=fee_kind)
    return await effect_beside(desk.contracts, desk.chain_id, intent, questions, at=final)


def _quoted(desk: Desk, intent: IntentRow, answers: Sequence[Any]) -> Quote:
    """Raises as `read_quote`."""
    fee_kind, cap_wei = FeeKind(desk.options.fees), desk.options.max_fee_wei
    return read_quote(desk.contracts, call_of(intent), answers, fee_kind=fee_kind, cap_wei=cap_wei)


async def _compose(
    desk: Desk,
    session: WriteSession,
    row: WalletRow,
    intent: IntentRow,
    in_flight: InFlight,
    quoted: Quote,
) -> UnsignedTransaction | str:
    """The transaction to sign, or why there is none now."""
    chosen = choose_nonce(NonceView(row.next_nonce, in_flight.lowest, quoted.used_at_final, quoted.used_at_latest))
    if isinstance(chosen, WaitForNonce):
        return chosen.reason
    if chosen.foreign:
        await _note_foreign(session, row, chosen.foreign)
    if quoted.fees is None:
        return f"the present gas price is above the cap of {desk.options.max_fee_wei} wei"
    transaction = UnsignedTransaction(
        chain_id=desk.chain_id,
        nonce=chosen.nonce,
        gas_limit=with_margin(quoted.gas_estimate, Bps(desk.options.gas_margin_bps)),
        fee_kind=FeeKind(desk.options.fees),
        fees=quoted.fees,
        call=call_of(intent),
    )
    needed = transaction.worst_cost_wei + in_flight.reserved_wei
    if quoted.balance_wei < needed:
        return f"the wallet has {quoted.balance_wei} wei, up to {needed} may be needed: top it up"
    return transaction


async def _note_foreign(session: WriteSession, row: WalletRow, foreign: range) -> None:
    """One key, one owner. A key that was in use before this database knew it is adopted without alarm."""
    used = f"nonces {foreign.start} to {foreign.stop - 1}"
    if row.next_nonce == 0 and not await has_attempts(session, Address(row.address)):
        log.info("wallet.adopted", wallet=row.name, used=used)
        return
    row.trouble = f"{used} were used by transactions that are not ours: someone else has this key"
    log.error("wallet.used_elsewhere", wallet=row.name, used=used)


def new_attempt(
    intent: IntentRow,
    transaction: UnsignedTransaction,
    signed: SignedTransaction,
    *,
    channel: TxChannel,
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
