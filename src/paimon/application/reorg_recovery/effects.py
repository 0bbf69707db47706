"""Effects that rest on orphaned blocks: what left the system because of them. No program can take it back.

Effects are published NAV, tickets that people may have voted on, queued transactions, and our transactions that were mined in
these blocks. On the present chain they may be missing, or mean another request of the same number. Each becomes a risk event
for an operator. Its rows stay as they are: they are what this system did.
"""

from dataclasses import dataclass

from paimon.application.common.formatting import display
from paimon.application.reorg_recovery.find_fork import ChangedBlock
from paimon.application.reorg_recovery.node_quorum import NodeQuorum
from paimon.application.reorg_recovery.queries import (
    count_done_messages,
    list_intents,
    list_mined_attempts,
    list_published_points,
    list_tickets,
)
from paimon.domain.kernel.chain import hex0x
from paimon.domain.risk.risk_event import Finding, RiskKind, Severity
from paimon.infrastructure.database.sessions import ReadSession, WriteSession


@dataclass(frozen=True, slots=True)
class OrphanedEffect:
    """One effect: its subject, what was done, and what to check now."""

    subject: str
    what_was_done: str
    follow_up: str
    severity: Severity = Severity.CRITICAL

    def finding(self, changed: ChangedBlock) -> Finding:
        """Return the finding, named with the block it rests on: after another change it is another finding."""
        rests_on = f"{self.subject}, by blocks from {changed.recorded} on"
        return Finding(RiskKind.ORPHANED_EFFECT, rests_on, self.what_was_done, self.follow_up, self.severity)

    def __str__(self) -> str:
        return f"{self.subject}: {self.what_was_done}; {self.follow_up}"


async def list_orphaned_effects(
    session: ReadSession | WriteSession, node_quorum: NodeQuorum, *, above: int
) -> list[OrphanedEffect]:
    """Return everything that rests on recorded blocks above a block.

    Raises:
        NodesDisagree, RpcUnavailable, RpcError.
    """
    effects = [
        OrphanedEffect(
            f"NAV of block {point.block_number}",
            f"published {point.published_at:%Y-%m-%d %H:%M} UTC as {display(int(point.nav_per_share), 18)}",
            "its block is orphaned: inform everyone who used it",
        )
        for point in await list_published_points(session, above=above)
    ]
    effects += [
        OrphanedEffect(
            f"ticket {ticket.id}",
            f"{ticket.status}, about request {ticket.request_id}",
            "compare it with the present request of that number: its votes are for what the ticket says",
        )
        for ticket in await list_tickets(session, above=above)
    ]
    effects += [
        OrphanedEffect(
            f"intent {intent.idempotency_key}",
            f"queued for request {intent.request_id}, {intent.status} now",
            "compare it with that request as it is now, and cancel it if it should not happen",
        )
        for intent in await list_intents(session, above=above)
    ]
    effects += await _lost_transactions(session, node_quorum, above=above)
    done = await count_done_messages(session, above=above)
    if done:
        messages = ", ".join(f"{count} of {kind}" for kind, count in done.items())
        follow_up = "live messages may have reported them"
        effects.append(OrphanedEffect("messages", f"{messages} done", follow_up, Severity.WARNING))
    return effects


async def _lost_transactions(
    session: ReadSession | WriteSession, node_quorum: NodeQuorum, *, above: int
) -> list[OrphanedEffect]:
    """Return our transactions whose block is not on the chain.

    The driver goes on following a mined transaction. It does not check a final one again.
    """
    attempts = await list_mined_attempts(session, above=above)
    numbers = sorted({attempt.block_number for attempt in attempts})
    chain_hashes = {number: await node_quorum.block_hash_at(number) for number in numbers}
    return [
        OrphanedEffect(
            f"transaction {hex0x(bytes(attempt.hash))} of {attempt.idempotency_key}",
            f"{attempt.status} in block {attempt.block_number}, which is orphaned",
            "check whether it is mined again; a transaction that is FINAL here is not sent again",
        )
        for attempt in attempts
        if chain_hashes[attempt.block_number] != bytes(attempt.block_hash)
    ]
