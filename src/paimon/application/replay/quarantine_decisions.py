"""Operators' decisions about single logs, as a rebuild takes them into account.

A replay takes up every requested decision and closes it in the transaction of its swap, under the cursor's lock. So each is
applied exactly once, however many replays run. If another replay applied decisions in the meantime,
what was rebuilt without them is discarded. A check goes by the applied decisions alone, as the live tables do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from paimon.application.common.topics import RECONCILE, WHOLE_FUND
from paimon.application.event_listener.record.outbox_messages import AppliedEvent, messages_for
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.risk.operator_decision import LogKey
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.queue import outbox


@dataclass(frozen=True, slots=True)
class QuarantineDecisions:
    """The logs that decisions skip.

    `applied` are those of the applied decisions, `skipped` those of the requested ones too; `requested_ids` names the latter.
    """

    applied: frozenset[LogKey] = frozenset()
    skipped: frozenset[LogKey] = frozenset()
    requested_ids: tuple[int, ...] = ()


async def add_due_messages(
    session: WriteSession, newly_applied: Sequence[AppliedEvent], decisions_applied: int, *, at: int
) -> None:
    """Queue what follows from newly applied logs, and a reconciliation that shows the effect of the decisions."""
    for message in messages_for(newly_applied):
        await outbox.add(session, message.kind, message.aggregate_id, priority=message.priority, payload=message.payload)
    if newly_applied or decisions_applied:
        await outbox.add(session, RECONCILE, WHOLE_FUND, priority=OutboxPriority.HIGH, payload={"block": at})
