"""Hand stored bytes to the node, and record that it holds them.

One function sends what was signed a moment ago and what a crashed predecessor left: the exact bytes of the wallet's one
unacknowledged attempt. No lock is held meanwhile, because two workers that send equal bytes do what one does: the node answers
the second with "already known".

A new attempt goes to one endpoint. What may be stuck goes to every write endpoint of its channel: a replacement, bytes that no
endpoint has acknowledged or that the node has forgotten, and a stuck attempt that cannot be replaced. An endpoint may answer
the hash and keep the bytes, and no number of attempts at that endpoint alone would be mined.

A node that does not answer ends the drive. A private endpoint that does not answer delays only what must still be sent, and the
intent shows that as its reason; the driver still tracks what is in flight.
"""

from collections.abc import Iterable

import structlog

from paimon.application.transactions.driver import node_queries as node
from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.statements import acknowledge, record_answer, record_no_answer
from paimon.application.transactions.store import find_unacknowledged
from paimon.domain.kernel.chain import Address, hex0x
from paimon.domain.transaction.attempt import Attempt
from paimon.domain.transaction.broadcast_result import BroadcastResult
from paimon.domain.transaction.lifecycle import BroadcastChannel
from paimon.infrastructure.blockchain.rpc.errors import RpcUnavailable
from paimon.infrastructure.text import strip_nul

log = structlog.get_logger(__name__)


async def send_unacknowledged(context: SendingContext, wallet: Address) -> bool:
    """Send the attempt that no node has confirmed yet, if there is one. Return whether its endpoint answered.

    Raises:
        RpcUnavailable: the node did not answer. The attempt stays as it is, and the next drive sends its bytes again.
    """
    async with context.database.write_single() as session:
        attempt = await find_unacknowledged(session, wallet)
    return attempt is None or await send(context, attempt, everywhere=True)


async def send(context: SendingContext, attempt: Attempt, *, everywhere: bool = False) -> bool:
    """Send the bytes of a committed attempt. Return whether an endpoint of its channel answered.

    `everywhere` sends them to every write endpoint of the channel, not only to the one that ranks first.

    Raises:
        RpcUnavailable: the node did not answer.
    """
    broadcast = node.broadcast_everywhere if everywhere else node.broadcast
    try:
        answer, message = await broadcast(context.endpoint(attempt.channel), attempt.raw)
    except RpcUnavailable as error:
        if attempt.channel is BroadcastChannel.PUBLIC or context.private is None:
            raise
        await _record_no_answer(context, attempt, str(error))
        return False
    await _record(context, attempt, answer, strip_nul(message))
    return True


async def _record(context: SendingContext, attempt: Attempt, answer: BroadcastResult, message: str) -> None:
    async with context.database.write_single() as session:
        if answer.is_acknowledged:
            await acknowledge(session, attempt.hash, message)
        else:
            reason = f"the node refuses the transaction: {message}" if answer.needs_operator else None
            await record_answer(session, attempt.hash, message, reason=reason)
    write = log.info if answer.is_acknowledged else log.error if answer.needs_operator else log.warning
    write("transaction.broadcast", hash=hex0x(attempt.hash), nonce=attempt.nonce, answer=answer, message=message)


async def _record_no_answer(context: SendingContext, attempt: Attempt, message: str) -> None:
    """Show the reason until the endpoint answers, or the bytes go public."""
    options = context.options
    fallback = (
        f"goes public {options.private_wait_blocks} final blocks after it was signed"
        if options.public_fallback
        else "waits for it"
    )
    reason = f"the private endpoint does not answer; the transaction {fallback}"
    async with context.database.write_single() as session:
        await record_no_answer(session, attempt.hash, strip_nul(message), reason=reason)
    log.error("transaction.private_endpoint_unavailable", hash=hex0x(attempt.hash), nonce=attempt.nonce, message=message)


async def resend(context: SendingContext, attempts: Iterable[Attempt]) -> None:
    """Send bytes again that the node has forgotten: after a restart, after a reorganisation, or from a full pool."""
    for attempt in attempts:
        answer, message = await node.broadcast_everywhere(context.endpoint(attempt.channel), attempt.raw)
        log.warning("transaction.resent", hash=hex0x(attempt.hash), nonce=attempt.nonce, answer=answer, message=message)


async def resend_stuck(context: SendingContext, attempts: Iterable[Attempt]) -> None:
    """Send stuck bytes again that cannot be replaced now. An endpoint without an answer is no reason to end the drive."""
    try:
        await resend(context, attempts)
    except RpcUnavailable as error:
        log.warning("transaction.not_resent", reason=str(error))
