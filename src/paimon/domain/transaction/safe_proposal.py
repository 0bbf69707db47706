"""Safe proposals, from the first signature to the outcome of their nonce.

    COLLECTING ⇄ READY ──► EXECUTING ──► EXECUTED · FAILED
        └─────────┴──► EXPIRED      set by this system: signatures themselves never expire
    every state of these ──► EXECUTED · FAILED · REJECTED · SUPERSEDED, by what the chain shows at its nonce

The chain decides: the execution at the proposal's nonce ends it. Until then, only signatures of *present* owners
count: a replaced owner's signature counts no longer, and counts again when the owner returns. An expired proposal can still
be executed, by anyone with its signatures, until its nonce is used. Only a rejection at the same nonce makes it impossible.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from paimon.domain.kernel.chain import Address, Hash32
from paimon.errors import Conflict, Forbidden, Unavailable


class ProposalOutcome(StrEnum):
    """Outcome of a proposal, by the transaction executed at its nonce."""

    EXECUTED = "EXECUTED"
    FAILED = "FAILED"  # the nonce is used, the call failed
    REJECTED = "REJECTED"  # the rejection was executed instead
    SUPERSEDED = "SUPERSEDED"  # another transaction was executed


class ProposalStatus(StrEnum):
    """Status of a proposal."""

    COLLECTING = "COLLECTING"
    READY = "READY"
    EXECUTING = "EXECUTING"
    EXPIRED = "EXPIRED"
    EXECUTED = "EXECUTED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    SUPERSEDED = "SUPERSEDED"


class ProposalClosed(Conflict):
    """The proposal takes no more signatures: its nonce is used, or it has expired."""


class NotASafeOwner(Forbidden):
    """This wallet does not own the Safe at the final block."""

    field = "owner"


class AlreadySigned(Conflict):
    """This owner has already signed."""


@dataclass(frozen=True, slots=True)
class SafeInfo:
    """A Safe's owners, threshold and nonce at one block."""

    owners: tuple[Address, ...]
    threshold: int
    nonce: int


@dataclass(frozen=True, slots=True)
class SignatureTally:
    """The owners whose signatures count, the owners without one, and signers who are no longer owners."""

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
        valid_signers=tuple(owner for owner in safe.owners if owner in given),
        missing_signers=tuple(owner for owner in safe.owners if owner not in given),
        former_owners=tuple(sorted(given - frozenset(safe.owners))),
        threshold=safe.threshold,
    )


def proposal_status(
    outcome: ProposalOutcome | None, counted: SignatureTally, *, is_executing: bool, expires_at: datetime, now: datetime
) -> ProposalStatus:
    """Derive the proposal's status. `is_executing`: a transaction of this system that executes it is in flight."""
    if outcome is not None:
        return ProposalStatus(outcome)
    if is_executing:
        return ProposalStatus.EXECUTING
    if now >= expires_at:
        return ProposalStatus.EXPIRED
    return ProposalStatus.READY if counted.is_reached else ProposalStatus.COLLECTING


@dataclass(frozen=True, slots=True)
class SafeExecutionEvent:
    """One execution by a Safe, as its own event logs it."""

    hash: Hash32
    succeeded: bool
    tx_hash: Hash32


class IncompleteExecutions(Unavailable):
    """The node's logs do not account for the Safe's nonce: they are incomplete, and no outcome may be derived."""


def executions_by_nonce(executions: Iterable[SafeExecutionEvent], *, before: int, now: int) -> dict[int, SafeExecutionEvent]:
    """Assign a nonce to each execution, in the order of the chain: a Safe uses one nonce for each execution, and only then.

    Raises:
        IncompleteExecutions: the number of executions is not the number of used nonces.
    """
    found = tuple(executions)
    if len(found) != now - before:
        raise IncompleteExecutions(f"the Safe's nonce went from {before} to {now}, and {len(found)} executions are logged")
    return {before + position: execution for position, execution in enumerate(found)}


def proposal_outcome(proposed: Hash32, executed: SafeExecutionEvent, *, rejection: Hash32) -> ProposalOutcome:
    """Derive a proposal's outcome when `executed` used its nonce. `rejection` is the hash of the rejection at that nonce."""
    if executed.hash == proposed:
        return ProposalOutcome.EXECUTED if executed.succeeded else ProposalOutcome.FAILED
    return ProposalOutcome.REJECTED if executed.hash == rejection else ProposalOutcome.SUPERSEDED
