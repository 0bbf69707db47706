"""A proposed Safe transaction, from its first signature to what became of its nonce.

    COLLECTING ⇄ READY ──► EXECUTING ──► EXECUTED · FAILED
        └─────────┴──► EXPIRED      our own end: signatures themselves never expire
    every state of these ──► EXECUTED · FAILED · REJECTED · SUPERSEDED, by what the chain shows at its nonce

The chain decides: whatever was executed at the proposal's nonce, by whomever, ends it. Before that a proposal is as many
signatures as *present* owners have given; an owner who was replaced counts no longer, and one who comes back counts again.
An expired proposal is not dead: who has its signatures can execute it until its nonce is used, so a rejection at the same
nonce is what kills it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from paimon.domain.kernel.chain import Address, Hash32
from paimon.errors import Conflict, Forbidden, Unavailable


class ProposalOutcome(StrEnum):
    """What became of a proposal, by what was executed at its nonce."""

    EXECUTED = "EXECUTED"
    FAILED = "FAILED"  # the nonce is used, the call failed
    REJECTED = "REJECTED"  # the rejection was executed in its place
    SUPERSEDED = "SUPERSEDED"  # something else was


class ProposalStatus(StrEnum):
    COLLECTING = "COLLECTING"
    READY = "READY"
    EXECUTING = "EXECUTING"
    EXPIRED = "EXPIRED"
    EXECUTED = "EXECUTED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    SUPERSEDED = "SUPERSEDED"


class ProposalClosed(Conflict):
    """The proposal takes no more signatures: its nonce is used, or its time is over."""


class NotASafeOwner(Forbidden):
    """This wallet does not own the Safe at the final block."""

    field = "owner"


class AlreadySigned(Conflict):
    """An owner signs once."""


@dataclass(frozen=True, slots=True)
class SafeInfo:
    """A Safe as it was at one block."""

    owners: tuple[Address, ...]
    threshold: int
    nonce: int


@dataclass(frozen=True, slots=True)
class SignatureTally:
    """Whose consent counts now, whose is missing, and whose was given by somebody who is no owner any more."""

    valid_signers: tuple[Address, ...]
    missing_signers: tuple[Address, ...]
    former_owners: tuple[Address, ...]
    threshold: int

    @property
    def is_reached(self) -> bool:
        return len(self.valid_signers) >= self.threshold


def tally_signatures(signers: Iterable[Address], safe: SafeInfo) -> SignatureTally:
    given = frozenset(signers)
    return SignatureTally(
        valid_signers=tuple(each for each in safe.owners if each in given),
        missing_signers=tuple(each for each in safe.owners if each not in given),
        former_owners=tuple(sorted(given - frozenset(safe.owners))),
        threshold=safe.threshold,
    )


def proposal_status(
    outcome: ProposalOutcome | None, counted: SignatureTally, *, is_executing: bool, expires_at: datetime, now: datetime
) -> ProposalStatus:
    """What the proposal is now. `is_executing`: a transaction of ours that executes it is on its way."""
    if outcome is not None:
        return ProposalStatus(outcome)
    if is_executing:
        return ProposalStatus.EXECUTING
    if now >= expires_at:
        return ProposalStatus.EXPIRED
    return ProposalStatus.READY if counted.is_reached else ProposalStatus.COLLECTING


@dataclass(frozen=True, slots=True)
class SafeExecutionEvent:
    """What a Safe executed at one nonce, by its own event."""

    hash: Hash32
    succeeded: bool
    tx_hash: Hash32


class IncompleteExecutions(Unavailable):
    """The node's logs do not explain the Safe's nonce: they are not complete yet, and nothing may be concluded."""


def executions_by_nonce(executions: Iterable[SafeExecutionEvent], *, before: int, now: int) -> dict[int, SafeExecutionEvent]:
    """Executions in the order of the chain, each with the nonce it used: a Safe uses one for each, and only so.

    Raises:
        IncompleteExecutions.
    """
    found = tuple(executions)
    if len(found) != now - before:
        raise IncompleteExecutions(f"the Safe's nonce went from {before} to {now}, and {len(found)} executions are logged")
    return {before + position: each for position, each in enumerate(found)}


def proposal_outcome(proposed: Hash32, executed: SafeExecutionEvent, *, rejection: Hash32) -> ProposalOutcome:
    """What a proposal became when `executed` used its nonce; `rejection` is the hash of the rejection there."""
    if executed.hash == proposed:
        return ProposalOutcome.EXECUTED if executed.succeeded else ProposalOutcome.FAILED
    return ProposalOutcome.REJECTED if executed.hash == rejection else ProposalOutcome.SUPERSEDED
