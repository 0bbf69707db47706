"""Handing stored bytes to the node, and writing down that it holds them.

The same function sends what was signed a moment ago and what a crashed predecessor left: it reads the one unacknowledged
attempt of the wallet and sends its exact bytes. No lock is held meanwhile, because two workers sending the same bytes do
what one does: the second is told "already known".
"""

import structlog
from sqlalchemy import func, update

from paimon.application.transactions import node
from paimon.application.transactions.desk import Desk
from paimon.application.transactions.store import find_unacknowledged, lock_attempt
from paimon.domain.chain import Address, hex0x
from paimon.domain.node_answer import NodeAnswer
from paimon.domain.transaction import AttemptStatus, IntentStatus, advance_attempt
from paimon.infrastructure.database.models.owned import TransactionAttempt, TransactionIntent

log = structlog.get_logger(__name__)


async def send_unacknowledged(desk: Desk, wallet: Address) -> None:
    """Send the attempt no node has confirmed yet, if there is one.

    Raises:
        RpcUnavailable: no answer; the attempt stays as it is, and the next drive sends the same bytes again.
    """
    async with desk.database.write() as session:
        attempt = await find_unacknowledged(session, wallet)
    if attempt is None:
        return
    answer, words = await node.broadcast(desk.endpoint(attempt.channel), attempt.raw)
    await _record(desk, attempt, answer, words)


async def _record(desk: Desk, sent: TransactionAttempt, answer: NodeAnswer, words: str) -> None:
    async with desk.database.write() as session:
        attempt = await lock_attempt(session, sent.hash)
        attempt.answer = words
        if attempt.status is AttemptStatus.SIGNED and answer.is_acknowledged:
            attempt.status = advance_attempt(attempt.status, AttemptStatus.BROADCAST)
            attempt.broadcast_at = func.now()
        if answer.needs_a_person:
            await session.execute(
                update(TransactionIntent)
                .where(TransactionIntent.id == attempt.intent_id, TransactionIntent.status == IntentStatus.SENDING)
                .values(reason=f"the node refuses the transaction: {words}")
            )
    write = log.info if answer.is_acknowledged else log.error if answer.needs_a_person else log.warning
    write("transaction.broadcast", hash=hex0x(sent.hash), nonce=sent.nonce, answer=answer, words=words)


async def send_again(desk: Desk, attempts: list[TransactionAttempt]) -> None:
    """Give a node that forgot them (a restart, a reorganisation, a full pool) the same bytes once more."""
    for attempt in attempts:
        answer, words = await node.broadcast(desk.endpoint(attempt.channel), attempt.raw)
        log.warning("transaction.sent_again", hash=hex0x(attempt.hash), nonce=attempt.nonce, answer=answer, words=words)
