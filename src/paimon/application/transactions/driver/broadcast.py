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
from paimon.application.transactions.driver.context import Desk
from paimon.application.transactions.statements import acknowledge
from paimon.application.transactions.store import find_unacknowledged, lock_attempt
from paimon.domain.kernel.chain import Address, hex0x
from paimon.domain.transaction.broadcast_result import NodeAnswer
from paimon.domain.transaction.lifecycle import AttemptStatus, IntentStatus, TxChannel
from paimon.infrastructure.blockchain.rpc import RpcUnavailable
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.text import storable

log = structlog.get_logger(__name__)


async def send_unacknowledged(desk: Desk, wallet: Address) -> bool:
    """Send the attempt no node has confirmed yet, if there is one; whether its endpoint answered.

    Raises:
        RpcUnavailable: no answer of the node; the attempt stays as it is, and the next drive sends the same bytes again.
    """
    async with desk.database.write_one() as session:
        attempt = await find_unacknowledged(session, wallet)
    return attempt is None or await send(desk, attempt)


async def send(desk: Desk, attempt: AttemptRow) -> bool:
    """Send the bytes of this row, which is committed; whether the endpoint of its channel answered.

    Raises:
        RpcUnavailable: as above.
    """
    try:
        answer, words = await node.broadcast(desk.endpoint(attempt.channel), attempt.raw)
    except RpcUnavailable as error:
        if attempt.channel is TxChannel.PUBLIC or desk.private is None:
            raise
        await _record_silence(desk, attempt, str(error))
        return False
    await _record(desk, attempt, answer, storable(words))
    return True


async def _record(desk: Desk, sent: AttemptRow, answer: NodeAnswer, words: str) -> None:
    if answer.is_acknowledged:
        async with desk.database.write_one() as session:
            await acknowledge(session, sent.hash, words)
    else:
        async with desk.database.write() as session:
            attempt = await lock_attempt(session, sent.hash)
            attempt.answer = words
            if answer.needs_a_person:
                await _show(session, attempt, f"the node refuses the transaction: {words}")
    write = log.info if answer.is_acknowledged else log.error if answer.needs_a_person else log.warning
    write("transaction.broadcast", hash=hex0x(sent.hash), nonce=sent.nonce, answer=answer, words=words)


async def _record_silence(desk: Desk, sent: AttemptRow, words: str) -> None:
    """Shown until the endpoint answers, or the bytes go public."""
    options = desk.options
    then = (
        f"goes public {options.private_blocks} final blocks after it was signed" if options.public_fallback else "waits for it"
    )
    async with desk.database.write() as session:
        attempt = await lock_attempt(session, sent.hash)
        if attempt.status is AttemptStatus.SIGNED:
            attempt.answer = words
            await _show(session, attempt, f"the private endpoint does not answer; the transaction {then}")
    log.error("transaction.private_endpoint_down", hash=hex0x(sent.hash), nonce=sent.nonce, words=words)


async def _show(session: WriteSession, attempt: AttemptRow, reason: str) -> None:
    """Say on the intent in flight what its transaction waits for."""
    await session.execute(
        update(IntentRow)
        .where(IntentRow.id == attempt.intent_id, IntentRow.status == IntentStatus.SENDING)
        .values(reason=reason)
    )


async def send_again(desk: Desk, attempts: list[AttemptRow]) -> None:
    """Give a node that forgot them (a restart, a reorganisation, a full pool) the same bytes once more."""
    for attempt in attempts:
        answer, words = await node.broadcast(desk.endpoint(attempt.channel), attempt.raw)
        log.warning("transaction.sent_again", hash=hex0x(attempt.hash), nonce=attempt.nonce, answer=answer, words=words)
