"""Operator decisions about a dead-lettered outbox message or a quarantined log.

    replay_message   the message is due again                        DONE at once
    release_log      REQUESTED ──► DONE   replay applies the log, as the code handles it today
    skip_log         REQUESTED ──► DONE   replay leaves the log out, now and every later time

The last decision about a log counts: a skipped log may be released once the code can decode it. A decision is a signed
action that covers the problem's text, so a person cannot decide about a problem without having read it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from paimon.domain.kernel.chain import hex0x
from paimon.domain.kernel.signed_action import ActionContent, ActionName, effect_hash
from paimon.errors import Conflict


class OperatorDecisionKind(StrEnum):
    """Kind of an operator decision."""

    REPLAY_MESSAGE = "replay_message"
    RELEASE_LOG = "release_log"
    SKIP_LOG = "skip_log"


LOG_DECISIONS: Final = (OperatorDecisionKind.RELEASE_LOG, OperatorDecisionKind.SKIP_LOG)


class OperatorDecisionStatus(StrEnum):
    """Status of an operator decision."""

    REQUESTED = "REQUESTED"
    DONE = "DONE"


class DecisionNotPossible(Conflict):
    """The present state does not allow this decision."""


class LogKey(NamedTuple):
    """Identify one log by its block's hash, so that a block of another fork with the same number is another one."""

    block_hash: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class DecisionTarget:
    """The target of a decision by its path in the API and by name, and the problem in its own text."""

    resource: str
    name: str
    problem: str


def message_target(outbox_id: int, kind: str, aggregate_id: str, last_error: str | None) -> DecisionTarget:
    problem = f"{kind} {aggregate_id}: {last_error or 'no failure'}"
    return DecisionTarget(f"/system/outbox/{outbox_id}", f"message {outbox_id}", problem)


def quarantined_log_target(key: LogKey, block_number: int, reason: str | None) -> DecisionTarget:
    name = f"log {key.log_index} of block {block_number} ({hex0x(key.block_hash)})"
    resource = f"/system/quarantine/{block_number}/{key.log_index}"
    return DecisionTarget(resource, name, reason or "skipped by an earlier decision")


def skipped_logs(decisions: Iterable[tuple[LogKey, OperatorDecisionKind]]) -> frozenset[LogKey]:
    """Return the logs whose last decision, in the given order, is to skip them."""
    last = dict(decisions)
    return frozenset(key for key, kind in last.items() if kind is OperatorDecisionKind.SKIP_LOG)


def log_decision_rejection(kind: OperatorDecisionKind, *, is_quarantined: bool, is_skipped: bool) -> str | None:
    """Explain why the decision does not fit a log in this state; None when it fits."""
    if is_skipped:
        return None if kind is OperatorDecisionKind.RELEASE_LOG else "the log is already skipped"
    return None if is_quarantined else "the log is not in quarantine: it was decoded and applied"


def message_replay_rejection(*, is_dead_lettered: bool, is_done: bool) -> str | None:
    """Explain why an outbox message cannot be replayed; None when it can."""
    if is_done:
        return "the message is done"
    return None if is_dead_lettered else "the message is due and is retried anyway; only a dead-lettered one can be replayed"


_VERBS: Final = {
    OperatorDecisionKind.REPLAY_MESSAGE: "Replay",
    OperatorDecisionKind.RELEASE_LOG: "Release",
    OperatorDecisionKind.SKIP_LOG: "Skip",
}


def decision_content(kind: OperatorDecisionKind, target: DecisionTarget) -> ActionContent:
    """Return what a person signs for the decision. The hash covers the whole problem, however long its text is."""
    return ActionContent(
        action=ActionName(kind),
        resource=target.resource,
        statement=f"{_VERBS[kind]} {target.name}: {target.problem}",
        effect=effect_hash(kind, target.name, target.problem),
    )
