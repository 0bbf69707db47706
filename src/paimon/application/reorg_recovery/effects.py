"""What left this house because of blocks that are no more: no program can take it back, so a person is told of each.

Published NAV, tickets that people may have voted on, transactions that were queued, and those of ours that were mined in
these blocks: on the chain as it is now they may be missing, or mean another request of the same number. The rows stay as
they are; they are what this house did.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.common.formatting import display
from paimon.application.reorg_recovery.find_fork import ChangedBlock
from paimon.application.reorg_recovery.node_quorum import NodeQuorum
from paimon.domain.kernel.chain import hex0x
from paimon.domain.risk.risk_event import Finding, RiskKind, Severity


@dataclass(frozen=True, slots=True)
class OrphanedEffect:
    """One of them: what it is about, what was done, and what to look at now."""

    subject: str
    what_was_done: str
    follow_up: str
    severity: Severity = Severity.CRITICAL

    def finding(self, changed: ChangedBlock) -> Finding:
        """Named with the block it rests on: after another change it is another finding."""
        rests_on = f"{self.subject}, by blocks from {changed.recorded} on"
        return Finding(RiskKind.ORPHANED_EFFECT, rests_on, self.what_was_done, self.follow_up, self.severity)

    def __str__(self) -> str:
        return f"{self.subject}: {self.what_was_done}; {self.follow_up}"


_POINTS: Final = text("""
    SELECT block_number, nav_per_share, published_at FROM ops.nav_points
     WHERE status = 'PUBLISHED' AND block_number > :above ORDER BY block_number
""")
_TICKETS: Final = text("""
    SELECT id, request_id, status FROM ops.approval_tickets
     WHERE request_id IN (SELECT request_id FROM derived.raw_logs WHERE block_number > :above) ORDER BY request_id
""")
_INTENTS: Final = text("""
    SELECT idempotency_key, status, request_id FROM ops.transaction_intents
     WHERE request_id IN (SELECT request_id FROM derived.raw_logs WHERE block_number > :above)
       AND created_at >= (SELECT min(recorded_at) FROM derived.blocks WHERE number > :above)
     ORDER BY created_at, idempotency_key
""")
_MINED: Final = text("""
    SELECT attempt.hash, attempt.status, attempt.block_number, attempt.block_hash, intent.idempotency_key
      FROM ops.transaction_attempts AS attempt JOIN ops.transaction_intents AS intent ON intent.id = attempt.intent_id
     WHERE attempt.status IN ('MINED', 'FINAL') AND attempt.block_number > :above
     ORDER BY attempt.block_number, attempt.hash
""")
_OUTBOX_MESSAGES: Final = text("""
    SELECT kind, count(*) AS what_was_done FROM ops.outbox
     WHERE done_at IS NOT NULL AND jsonb_typeof(payload -> 'block') = 'number' AND (payload ->> 'block')::bigint > :above
     GROUP BY kind ORDER BY kind
""")


async def list_orphaned_effects(session: AsyncSession, node_quorum: NodeQuorum, *, above: int) -> list[OrphanedEffect]:
    """Everything that rests on recorded blocks above this one.

    Raises:
        NodesDisagree, RpcUnavailable, RpcError.
    """
    values = {"above": above}
    effects = [
        OrphanedEffect(
            f"NAV of block {row.block_number}",
            f"published {row.published_at:%Y-%m-%d %H:%M} UTC as {display(int(row.nav_per_share), 18)}",
            "its block is no more: tell whoever used it",
        )
        for row in await session.execute(_POINTS, values)
    ]
    effects += [
        OrphanedEffect(
            f"ticket {row.id}",
            f"{row.status}, about request {row.request_id}",
            "compare it with the request of that number as it is now: its votes are for what the ticket says",
        )
        for row in await session.execute(_TICKETS, values)
    ]
    effects += [
        OrphanedEffect(
            f"intent {row.idempotency_key}",
            f"queued for request {row.request_id}, {row.status} now",
            "compare it with that request as it is now, and cancel it if it should not happen",
        )
        for row in await session.execute(_INTENTS, values)
    ]
    effects += await _lost_transactions(session, node_quorum, values)
    messages = ", ".join(f"{row.what_was_done} of {row.kind}" for row in await session.execute(_OUTBOX_MESSAGES, values))
    if messages:
        effects.append(OrphanedEffect("messages", f"{messages} done", "live messages may have told of them", Severity.WARNING))
    return effects


async def _lost_transactions(
    session: AsyncSession, node_quorum: NodeQuorum, values: dict[str, int]
) -> Iterable[OrphanedEffect]:
    """Of our own those whose block is not on the chain. What is mined goes on being followed; final is looked at no more."""
    rows = (await session.execute(_MINED, values)).all()
    found = []
    now = {number: await node_quorum.block_hash_at(number) for number in sorted({row.block_number for row in rows})}
    for row in rows:
        if now[row.block_number] != bytes(row.block_hash):
            found.append(
                OrphanedEffect(
                    f"transaction {hex0x(bytes(row.hash))} of {row.idempotency_key}",
                    f"{row.status} in block {row.block_number}, which is no more",
                    "look whether it is mined again; what is `final` here is not sent again by itself",
                )
            )
    return found
