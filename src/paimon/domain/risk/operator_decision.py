"""What people decide about something this house could not do by itself: a reaction it gave up, a log it could not apply.

    replay_message   the reaction is due again; done with its asking
    release_log       asked ──► done   the books are rebuilt, and the log is read and applied as the code does it today
    skip_log          asked ──► done   the books are rebuilt without it, now and by every later replay

Of several decisions about one log the last counts: what was skipped may be released once the code can read it. A remedy is
EIP-712 typed data that names what is wrong in its own words, so that nobody remedies what they have not read.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from paimon.domain.kernel.chain import hex0x
from paimon.domain.kernel.eip712 import DocumentType, SignatureTerms, SigningScope
from paimon.errors import Conflict

_DOCUMENT: Final = DocumentType(
    "OperatorDecision", {"action": "string", "target": "string", "problem": "string", "reason": "string"}
)


class OperatorDecisionKind(StrEnum):
    REPLAY_MESSAGE = "replay_message"
    RELEASE_LOG = "release_log"
    SKIP_LOG = "skip_log"


LOG_DECISIONS: Final = (OperatorDecisionKind.RELEASE_LOG, OperatorDecisionKind.SKIP_LOG)


class OperatorDecisionStatus(StrEnum):
    REQUESTED = "REQUESTED"
    DONE = "DONE"


class DecisionNotPossible(Conflict):
    """What is asked makes no sense in the present state."""


class LogKey(NamedTuple):
    """One log, whatever block of another chain may have its number."""

    block_hash: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class DecisionTarget:
    """What a remedy is for, by name, and what is wrong with it, in its own words."""

    name: str
    problem: str


def message_target(outbox_id: int, kind: str, aggregate_id: str, last_error: str | None) -> DecisionTarget:
    return DecisionTarget(f"message {outbox_id}", f"{kind} {aggregate_id}: {last_error or 'no failure'}")


def quarantined_log_target(key: LogKey, block_number: int, reason: str | None) -> DecisionTarget:
    name = f"log {key.log_index} of block {block_number} ({hex0x(key.block_hash)})"
    return DecisionTarget(name, reason or "left out by an earlier decision")


def skipped_logs(decisions: Iterable[tuple[LogKey, OperatorDecisionKind]]) -> frozenset[LogKey]:
    """The logs whose last verdict, in the order they were given, is to skip them."""
    last = dict(decisions)
    return frozenset(key for key, kind in last.items() if kind is OperatorDecisionKind.SKIP_LOG)


def log_decision_rejection(kind: OperatorDecisionKind, *, is_quarantined: bool, is_skipped: bool) -> str | None:
    """Why this remedy makes no sense for a log that stands so; None when it does."""
    if is_skipped:
        return None if kind is OperatorDecisionKind.RELEASE_LOG else "the log is left out already"
    return None if is_quarantined else "the log is not in quarantine: it was read, and what follows from it is in the books"


def message_replay_rejection(*, is_dead_lettered: bool, is_done: bool) -> str | None:
    if is_done:
        return "the reaction is done"
    return (
        None
        if is_dead_lettered
        else "the reaction is due and will be tried by itself; only one that was given up can be replayed"
    )


def decision_document(
    kind: OperatorDecisionKind, target: DecisionTarget, reason: str, terms: SignatureTerms, scope: SigningScope
) -> dict[str, Any]:
    """Build the EIP-712 document of the decision."""
    return _DOCUMENT.build({"action": kind, "target": target.name, "problem": target.problem, "reason": reason}, terms, scope)
