"""The timeline of one redemption: chain events, votes, and what the system did about them.

Chain time and database time are never compared. Entries are ordered by `known_at`, when the database recorded them: a chain
event when its block was recorded, everything else when it was written. `at` is the entry's own time.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from paimon.domain.approval.ticket import RedemptionTicket, TicketStatus, Verdict
from paimon.domain.transaction.attempt import Attempt
from paimon.domain.transaction.intent import IntentWithAttempts


class TimelineSource(StrEnum):
    CHAIN = "chain"
    USERS = "users"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One entry: `at` by the clock of its source, `known_at` by the database's, which orders the list."""

    at: datetime
    known_at: datetime
    source: TimelineSource
    kind: str
    title: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChainEvent:
    """A recorded log about the request, with its block."""

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


def timeline(
    events: Iterable[ChainEvent], ticket: RedemptionTicket | None, intents: Iterable[IntentWithAttempts]
) -> list[TimelineEntry]:
    """List all entries by the time they became known. Events of one block keep the block's order."""
    entries = [*_event_entries(events)]
    if ticket is not None:
        entries += _ticket_entries(ticket)
    for intent in intents:
        entries += _intent_entries(intent)
    return sorted(entries, key=lambda entry: entry.known_at)


def _event_entries(events: Iterable[ChainEvent]) -> Iterator[TimelineEntry]:
    for event in events:
        yield TimelineEntry(
            at=event.block_at,
            known_at=event.recorded_at,
            source=TimelineSource.CHAIN,
            kind=event.event,
            title=_EVENT_TITLES.get(event.event, event.event),
            details={"tx_hash": event.tx_hash, "block_number": event.block_number, "args": event.args},
        )


def _ticket_entries(ticket: RedemptionTicket) -> Iterator[TimelineEntry]:
    yield TimelineEntry(
        at=ticket.opened_at,
        known_at=ticket.opened_at,
        source=TimelineSource.SYSTEM,
        kind="ticket.opened",
        title=f"Ticket {ticket.id} opened: needs {ticket.required_approvals} approval(s)",
        details={"ticket_id": ticket.id, "type": ticket.type},
    )
    for vote in ticket.votes:
        yield TimelineEntry(
            at=vote.decided_at,
            known_at=vote.decided_at,
            source=TimelineSource.USERS,
            kind=f"vote.{vote.verdict.lower()}",
            title="Voted to approve" if vote.verdict is Verdict.APPROVE else "Voted to reject",
            details={"ticket_id": ticket.id, "voter": vote.voter, "reason": vote.reason},
        )
    if ticket.closed_at is not None:
        externally = ", decided externally" if ticket.decided_externally else ""
        cancelled = ticket.status is TicketStatus.CANCELLED
        outcome = "its request was cancelled" if cancelled else ticket.status.lower()
        yield TimelineEntry(
            at=ticket.closed_at,
            known_at=ticket.closed_at,
            source=TimelineSource.SYSTEM,
            kind="ticket.closed",
            title=f"Ticket {ticket.id} closed: {outcome}{externally}",
            details={"ticket_id": ticket.id, "status": ticket.status, "decided_externally": ticket.decided_externally},
        )


def _intent_entries(intent: IntentWithAttempts) -> Iterator[TimelineEntry]:
    intent_details = {"intent_id": intent.id, "intent_kind": intent.kind}
    label = intent.kind.replace("_", " ")
    yield TimelineEntry(
        at=intent.created_at,
        known_at=intent.created_at,
        source=TimelineSource.SYSTEM,
        kind="intent.queued",
        title=f"Queued: {label}",
        details=intent_details,
    )
    for attempt in intent.attempts:
        yield _attempt_entry(attempt, intent_details)
    if intent.closed_at is not None:
        yield TimelineEntry(
            at=intent.closed_at,
            known_at=intent.closed_at,
            source=TimelineSource.SYSTEM,
            kind=f"intent.{intent.status.lower()}",
            title=f"{label.capitalize()}: {intent.status.lower().replace('_', ' ')}",
            details=intent_details | {"reason": intent.reason},
        )


def _attempt_entry(attempt: Attempt, intent_details: dict[str, Any]) -> TimelineEntry:
    return TimelineEntry(
        at=attempt.created_at,
        known_at=attempt.created_at,
        source=TimelineSource.SYSTEM,
        kind="attempt.signed",
        title=f"Transaction signed with nonce {attempt.nonce}, now {attempt.status.lower()}",
        details=intent_details
        | {
            "tx_hash": attempt.hash,
            "nonce": attempt.nonce,
            "status": attempt.status,
            "block_number": attempt.block_number,
        },
    )
