"""One redemption's story in order: what the chain said, what people decided, what the house did about it.

Chain time, database time and people's clocks are never compared. The order is that in which the house came to know:
a block by when it was recorded, everything else by when it was written. `at` is each entry's own time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from paimon.domain.approval.ticket import Ticket, TicketStatus, Verdict
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow


class TimelineSource(StrEnum):
    CHAIN = "chain"
    USERS = "people"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """`at` by the source's own clock; `known_at` by the database's, which is the order of the list."""

    at: datetime
    known_at: datetime
    source: TimelineSource
    kind: str
    title: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChainEvent:
    """A recorded log that names the request, with the block it is in."""

    event: str
    args: dict[str, Any]
    tx_hash: bytes
    block_number: int
    block_at: datetime
    recorded_at: datetime


_EVENT_TITLES: Final = {
    "RedemptionRequested": "Redemption requested",
    "RedemptionApproved": "Approved on chain",
    "RedemptionRejected": "Rejected on chain",
    "RedemptionCancelled": "Cancelled by its owner",
    "RedemptionSettled": "Settled: shares burned, money paid",
}


def timeline(events: Iterable[ChainEvent], ticket: Ticket | None, intents: Iterable[IntentRow]) -> list[TimelineEntry]:
    """All entries in the order the house came to know of them; events of one block stay in the block's order."""
    entries = [*_of_chain(events)]
    if ticket is not None:
        entries += _of_ticket(ticket)
    for intent in intents:
        entries += _of_intent(intent)
    return sorted(entries, key=lambda entry: entry.known_at)


def _of_chain(events: Iterable[ChainEvent]) -> Iterator[TimelineEntry]:
    for each in events:
        yield TimelineEntry(
            at=each.block_at,
            known_at=each.recorded_at,
            source=TimelineSource.CHAIN,
            kind=each.event,
            title=_EVENT_TITLES.get(each.event, each.event),
            details={"txHash": hex0x(each.tx_hash), "blockNumber": each.block_number, "args": each.args},
        )


def _of_ticket(ticket: Ticket) -> Iterator[TimelineEntry]:
    yield TimelineEntry(
        at=ticket.opened_at,
        known_at=ticket.opened_at,
        source=TimelineSource.SYSTEM,
        kind="ticket.opened",
        title=f"Ticket {ticket.id} raised: needs {ticket.required_approvals} approval(s)",
        details={"ticketId": ticket.id, "type": ticket.type},
    )
    for vote in ticket.votes:
        yield TimelineEntry(
            at=vote.decided_at,
            known_at=vote.decided_at,
            source=TimelineSource.USERS,
            kind=f"vote.{vote.verdict.lower()}",
            title="Voted to approve" if vote.verdict is Verdict.APPROVE else "Voted to reject",
            details={"ticketId": ticket.id, "voter": checksum(vote.voter), "reason": vote.reason},
        )
    if ticket.closed_at is not None:
        externally = ", decided outside this house" if ticket.decided_externally else ""
        cancelled = ticket.status is TicketStatus.CANCELLED
        outcome = "its request was cancelled" if cancelled else ticket.status.lower()
        yield TimelineEntry(
            at=ticket.closed_at,
            known_at=ticket.closed_at,
            source=TimelineSource.SYSTEM,
            kind="ticket.closed",
            title=f"Ticket {ticket.id} closed: {outcome}{externally}",
            details={"ticketId": ticket.id, "status": ticket.status, "decidedExternally": ticket.decided_externally},
        )


def _of_intent(intent: IntentRow) -> Iterator[TimelineEntry]:
    intent_fields = {"intentId": str(intent.id), "intentKind": intent.kind.value}
    label = intent.kind.replace("_", " ")
    yield TimelineEntry(
        at=intent.created_at,
        known_at=intent.created_at,
        source=TimelineSource.SYSTEM,
        kind="intent.queued",
        title=f"Queued: {label}",
        details=intent_fields,
    )
    for attempt in intent.attempts:
        yield _of_attempt(attempt, intent_fields)
    if intent.closed_at is not None:
        yield TimelineEntry(
            at=intent.closed_at,
            known_at=intent.closed_at,
            source=TimelineSource.SYSTEM,
            kind=f"intent.{intent.status.lower()}",
            title=f"{label.capitalize()}: {intent.status.lower().replace('_', ' ')}",
            details=intent_fields | {"reason": intent.reason},
        )


def _of_attempt(attempt: AttemptRow, intent_fields: dict[str, str]) -> TimelineEntry:
    return TimelineEntry(
        at=attempt.created_at,
        known_at=attempt.created_at,
        source=TimelineSource.SYSTEM,
        kind="attempt.signed",
        title=f"Transaction signed with nonce {attempt.nonce}, now {attempt.status.lower()}",
        details=intent_fields
        | {
            "txHash": hex0x(attempt.hash),
            "nonce": attempt.nonce,
            "status": attempt.status.value,
            "blockNumber": attempt.block_number,
        },
    )
