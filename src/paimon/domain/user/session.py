"""Sessions of signed-in people, and the refresh tokens that prolong their access.

    signed in ──► ACTIVE ──┬── signed out, revoked, refresh token reused ──► ENDED
                           ├── no request for a while ─────────────────────► IDLE
                           └── days after the sign-in ─────────────────────► EXPIRED

A session has one refresh token at a time. Using it replaces it. A used one that comes again has been copied: by a thief, or
by the person whom a thief was faster than. Which of the two cannot be known, so the session ends for both.

One copy is honest: two tabs of a browser that share a cookie refresh at the same moment. For a few seconds a used token
therefore still gives an access token. It gives no refresh token, so a thief cannot go on with it, and the session ends when
either side uses an old token after that.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from paimon.domain.kernel.chain import Address


class SessionStatus(StrEnum):
    """Whether a session still gives access, and why not."""

    ACTIVE = "ACTIVE"
    IDLE = "IDLE"
    EXPIRED = "EXPIRED"
    ENDED = "ENDED"


class SessionEnd(StrEnum):
    """Why a session was ended."""

    SIGNED_OUT = "SIGNED_OUT"
    REVOKED = "REVOKED"
    REFRESH_TOKEN_REUSED = "REFRESH_TOKEN_REUSED"  # noqa: S105 — a reason


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in of a wallet. `used_at` is the last request, to the minute; `expires_at` stays as it was at the sign-in."""

    id: UUID
    address: Address
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    end_reason: SessionEnd | None = None

    def status(self, now: datetime, *, idle: timedelta) -> SessionStatus:
        """Return the status at this time; `idle` is how long a session may be without a request."""
        if self.ended_at is not None:
            return SessionStatus.ENDED
        if self.expires_at <= now:
            return SessionStatus.EXPIRED
        return SessionStatus.IDLE if self.used_at + idle <= now else SessionStatus.ACTIVE


class RefreshOutcome(StrEnum):
    """What a refresh token gives."""

    ROTATED = "ROTATED"
    REPEATED = "REPEATED"
    REUSED = "REUSED"


def refresh_outcome(used_at: datetime | None, now: datetime, *, grace: timedelta) -> RefreshOutcome:
    """Decide on a refresh token of an active session that was first used at this time, or never."""
    if used_at is None:
        return RefreshOutcome.ROTATED
    return RefreshOutcome.REPEATED if now < used_at + grace else RefreshOutcome.REUSED
