"""Handing stored bytes to the node, and writing down that it holds them.

The same function sends what was signed a moment ago and what a crashed predecessor left: the one unacknowledged attempt of
the wallet, its exact bytes. No lock is held meanwhile, because two workers sending the same bytes do what one does: the
second is told "already known".

A node that does not answer interrupts the drive. A private endpoint that does not answer holds up what wants to be sent, and
says so on its intent; what is in flight already is followed all the same.
"""

import structlog
from sqlalchemy import update

from paimon.application.transactions.driver import node_queries as node
from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.statements import acknowledge
from paimon.application.transactions.store import find_unacknowledged, lock_attempt
from paimon.domain.kernel.chain import Address, hex0x
from paimon.domain.transaction.broadcast_result import BroadcastResult
from paimon.domain.transaction.lifecycle import AttemptStatus, BroadcastChannel, IntentStatus
from paimon.infrastructure.blockchain.rpc.errors import RpcUnavailable
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.text import strip_nul

log = structlog.get_logger(__name__)


async def send_unacknowledged(context: SendingContext, wallet: Address) -> bool:
    """Send the attempt no node has confirmed yet, if there is one; whether its endpoint answered.

    Raises:
        RpcUnavailable: no answer of the node; the attempt stays as it is, and the next drive sends the same bytes again.
    """
    async with context.database.write_single() as session:
        attempt = await find_unacknowledged(session, wallet)
    return attempt is None or await send(context, attempt)


async def send(context: SendingContext, attempt: AttemptRow) -> bool:
    """Send the bytes of this row, which is committed; whether the endpoint of its channel answered.

    Raises:
        RpcUnavailable: as above.
    """
    try:
        answer, message = await node.broadcast(context.endpoint(attempt.channel), attempt.raw)
    except RpcUnavailable as error:
        if attempt.channel is BroadcastChannel.PUBLIC or context.private is None:
            raise
        await _record_no_answer(context, attempt, str(error))
        return False
    await _record(context, attempt, answer, strip_nul(message))
    return True


async def _record(context: SendingContext, sent: AttemptRow, answer: BroadcastResult, message: str) -> None:
    if answer.is_acknowledged:
        async with context.database.write_single() as session:
            await acknowledge(session, sent.hash, message)
    else:
        async with context.database.write() as session:
            attempt = await lock_attempt(session, sent.hash)
            attempt.answer = message
            if answer.needs_operator:
                await _set_reason(session, attempt, f"the node refuses the transaction: {message}")
    write = log.info if answer.is_acknowledged else log.error if answer.needs_operator else log.warning
    write("transaction.broadcast", hash=hex0x(sent.hash), nonce=sent.nonce, answer=answer, message=message)


async def _record_no_answer(context: SendingContext, sent: AttemptRow, message: str) -> None:
    """Shown until the endpoint answers, or the bytes go public."""
    options = context.options
    fallback = (
        f"goes public {options.private_wait_blocks} final blocks after it was signed"
        if options.public_fallback
        else "waits for it"
    )
    async with context.database.write() as session:
        attempt = await lock_attempt(session, sent.hash)
        if attempt.status is AttemptStatus.SIGNED:
            attempt.answer = message
            await _set_reason(session, attempt, f"the private endpoint does not answer; the transaction {fallback}")
    log.error("transaction.private_endpoint_unavailable", hash=hex0x(sent.hash), nonce=sent.nonce, message=message)


async def _set_reason(session: WriteSession, attempt: AttemptRow, reason: str) -> None:
    """Say on the intent in flight what its transaction waits for."""
    await session.execute(
        update(IntentRow)
        .where(IntentRow.id == attempt.intent_id, IntentRow.status == IntentStatus.SENDING)
        .values(reason=reason)
    )


async def resend(context: SendingContext, attempts: list[AttemptRow]) -> None:
    """Give a node that forgot them (a restart, a reorganisation, a full pool) the same bytes once more."""
    for attempt in attempts:
        answer, message = await node.broadcast(context.endpoint(attempt.channel), attempt.raw)
        log.warning("transaction.resent", hash=hex0x(attempt.hash), nonce=attempt.nonce, answer=answer, message=message)
