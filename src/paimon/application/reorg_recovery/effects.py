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
from paimon.application.reorg_recovery.find_fork import Changed
from paimon.application.reorg_recovery.node_quorum import Witnesses
from paimon.domain.kernel.chain import hex0x
from paimon.domain.risk.risk_event import Finding, RiskKind, Severity


@dataclass(frozen=True, slots=True)
class Effect:
    """One of them: what it is about, what was done, and what to look at now."""

    subject: str
    done: str
    look: str
    severity: Severity = Severity.CRITICAL

    def finding(self, changed: Changed) -> Finding:
        """Named with the block it rests on: after another change it is another finding."""
        rests_on = f"{self.subject}, by blocks from {changed.recorded} on"
        return Finding(RiskKind.ORPHANED_EFFECT, rests_on, self.done, self.look, self.severity)

    def __str__(self) -> str:
        return f"{self.subject}: {self.done}; {self.look}"


_POINTS: Final = text("""
    SELECT block_number, nav_per_share, published_at FROM owned.nav_points
     WHERE status = 'PUBLISHED' AND block_number > :above ORDER BY block_number
""")
_TICKETS: Final = text("""
    SELECT id, request_id, status FROM owned.approval_tickets
     WHERE request_id IN (SELECT request_id FROM derived.raw_logs WHERE block_number > :above) ORDER BY request_id
""")
_INTENTS: Final = text("""
    SELECT idempotency_key, status, request_id FROM owned.transaction_intents
     WHERE request_id IN (SELECT request_id FROM derived.raw_logs WHERE block_number > :above)
       AND created_at >= (SELECT min(recorded_at) FROM derived.blocks WHERE number > :above)
     ORDER BY created_at, idempotency_key
""")
_MINED: Final = text("""
    SELECT attempt.hash, attempt.status, attempt.block_number, attempt.block_hash, intent.idempotency_key
      FROM owned.transaction_attempts AS attempt JOIN owned.transaction_intents AS intent ON intent.id = attempt.intent_id
     WHERE attempt.status IN ('mined', 'final') AND attempt.block_number > :above
     ORDER BY attempt.block_number, attempt.hash
""")
_REACTIONS: Final = text("""
    SELECT kind, count(*) AS done FROM owned.outbox
     WHERE done_at IS NOT NULL AND jsonb_typeof(payload -> 'block') = 'number' AND (payload ->> 'block')::bigint > :above
     GROUP BY kind ORDER BY kind
""")


async def list_effects(session: AsyncSession, witnesses: Witnesses, *, above: int) -> list[Effect]:
    """Everything that rests on recorded blocks above this one.

    Raises:
        NodesDisagree, RpcUnavailable, RpcError.
    """
    values = {"above": above}
    effects = [
        Effect(
            f"NAV of block {row.block_number}",
            f"published {row.published_at:%Y-%m-%d %H:%M} UTC as {display(int(row.nav_per_share), 18)}",
            "its block is no more: tell whoever used it",
        )
        for row in await session.execute(_POINTS, values)
    ]
    effects += [
        Effect(
            f"ticket {row.id}",
            f"{row.status}, about request {row.request_id}",
            "compare it with the request of that number as it is now: its votes are for what the ticket says",
        )
        for row in await session.execute(_TICKETS, values)
    ]
    effects += [
        Effect(
            f"intent {row.idempotency_key}",
            f"queued for request {row.request_id}, {row.status} now",
            "compare it with that request as it is now, and cancel it if it should not happen",
        )
        for row in await session.execute(_INTENTS, values)
    ]
    effects += await _lost_transactions(session, witnesses, values)
    reactions = ", ".join(f"{row.done} of {row.kind}" for row in await session.execute(_REACTIONS, values))
    if reactions:
        effects.append(Effect("reactions", f"{reactions} done", "live messages may have told of them", Severity.WARNING))
    return effects


async def _lost_transactions(session: AsyncSession, witnesses: Witnesses, values: dict[str, int]) -> Iterable[Effect]:
    """Of our own those whose block is not on the chain. What is mined goes on being followed; final is looked at no more."""
    rows = (await session.execute(_MINED, values)).all()
    found = []
    now = {number: await witnesses.hash_at(number) for number in sorted({row.block_number for row in rows})}
    for row in rows:
        if now[row.block_number] != bytes(row.block_hash):
            found.append(
                Effect(
                    f"transaction {hex0x(bytes(row.hash))} of {row.idempotency_key}",
                    f"{row.status} in block {row.block_number}, which is no more",
                    "look whether it is mined again; what is `final` here is not sent again by itself",
                )
            )
    return found
