"""An intent: something that must happen on chain once, and how its state changes.

An intent is a frozen value. Each method returns the next value; `IntentStatus` (in `lifecycle`) has the diagram.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Self
from uuid import UUID

from paimon.domain.kernel.chain import Address
from paimon.domain.transaction.attempt import Attempt
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.domain.transaction.lifecycle import AttemptStatus, Call, IntentKind, IntentStatus, advance_intent

UNKNOWN_PREFIX: Final = "the node does not tell how it stands: "
"""Begins the reason of an intent in flight whose state the node does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """Something that must happen on chain once.

    `reason` says why nothing moves. `aborting_as` is the end that an operator or the deadline asks for: in flight the intent
    cannot simply end, because its nonce must be used up first.
    """

    id: UUID
    idempotency_key: str
    kind: IntentKind
    wallet: Address
    call: Call
    subject: IntentSubject
    ticket_id: str | None
    status: IntentStatus
    unfunded: bool
    reason: str | None
    created_at: datetime
    next_check_at: datetime
    unknown_since: datetime | None
    expires_at: datetime | None
    aborting_as: IntentStatus | None
    abort_reason: str | None
    closed_at: datetime | None

    @property
    def is_aborting(self) -> bool:
        return self.aborting_as is not None

    def blocked(self, reason: str) -> Self:
        """Show why nothing moves."""
        return replace(self, reason=reason)

    def unblocked(self) -> Self:
        """Take the reason away; that of an abort stays."""
        return replace(self, reason=self.abort_reason)

    def with_unfunded(self, unfunded: bool) -> Self:
        """Record whether the fund lacks the money for this settlement."""
        return replace(self, unfunded=unfunded)

    def simulated(self, reason: str) -> Self:
        """Keep an intent whose checks all passed, though the signer did not answer."""
        return replace(self, status=advance_intent(self.status, IntentStatus.SIMULATED), reason=reason, unknown_since=None)

    def requeued(self, reason: str, *, next_check_at: datetime, unknown_since: datetime | None = None) -> Self:
        """Put the intent back in the queue, or keep it there, until its next check."""
        return replace(
            self,
            status=advance_intent(self.status, IntentStatus.QUEUED),
            reason=reason,
            next_check_at=next_check_at,
            unknown_since=unknown_since,
        )

    def state_unknown(self, reason: str, *, now: datetime, next_check_at: datetime) -> Self:
        """Record that the node answers but does not tell the state of this intent."""
        return replace(
            self,
            reason=f"{UNKNOWN_PREFIX}{reason}",
            next_check_at=next_check_at,
            unknown_since=self.unknown_since or now,
        )

    def state_known(self) -> Self:
        """Record that the node tells the state of this intent again."""
        known = replace(self, unknown_since=None)
        return known.unblocked() if (self.reason or "").startswith(UNKNOWN_PREFIX) else known

    def aborting(self, end_status: IntentStatus, reason: str) -> Self:
        """Ask for an end without the effect. The intent closes now if nothing is in flight, else when its nonce is spent."""
        return replace(self, aborting_as=end_status, abort_reason=reason, reason=reason)

    def closed(self, status: IntentStatus, reason: str | None, *, at: datetime) -> Self:
        """End the intent. `reason` is None when there is nothing to explain."""
        return replace(
            self,
            status=advance_intent(self.status, status),
            reason=reason,
            unfunded=False,
            unknown_since=None,
            closed_at=at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentWithAttempts(Intent):
    """An intent with every transaction that tried it, oldest first."""

    attempts: tuple[Attempt, ...]

    @property
    def current_attempts(self) -> tuple[Attempt, ...]:
        """The attempts at the intent's newest nonce, oldest first. Earlier nonces ended without the effect."""
        nonce = self.nonce
        return tuple(each for each in self.attempts if each.nonce == nonce)

    @property
    def nonce(self) -> int:
        """The intent's newest nonce. Only an intent that was sent has one."""
        return max(each.nonce for each in self.attempts)

    @property
    def is_nonce_spent(self) -> bool:
        """Whether the nonce is used up for good: by a final attempt, or by a foreign transaction, which drops every attempt."""
        return any(each.status in (AttemptStatus.FINAL, AttemptStatus.DROPPED) for each in self.current_attempts)

    @property
    def is_mined(self) -> bool:
        return any(each.status is AttemptStatus.MINED for each in self.current_attempts)

    @property
    def final_attempt(self) -> Attempt | None:
        """The attempt that used up the nonce; None when a foreign transaction did."""
        return next((each for each in self.current_attempts if each.status is AttemptStatus.FINAL), None)

    @property
    def reserved_wei(self) -> int:
        """The most that the nonce in flight may still cost: its dearest attempt, and the value of the call."""
        return max(each.gas_cost_wei_max for each in self.current_attempts) + self.call.value_wei

    def with_current(self, change: Callable[[Sequence[Attempt]], Sequence[Attempt]]) -> Self:
        """Change the attempts at the newest nonce together."""
        changed = {each.hash: each for each in change(self.current_attempts)}
        return replace(self, attempts=tuple(changed.get(each.hash, each) for each in self.attempts))
