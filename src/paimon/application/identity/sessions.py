"""Sessions: open one at sign-in, refresh it, list and end it.

A refresh token is 256 random bits. The database keeps its SHA-256, which gives no access; a slow hash would
protect a guessable secret only.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid4

import structlog

from paimon.application.identity.session_store import (
    ListedSession,
    Origin,
    delete_old_sessions,
    end_sessions,
    insert_refresh_token,
    insert_session,
    list_sessions_of,
    lock_session_of_token,
    mark_token_used,
    touch_session,
)
from paimon.application.identity.signed_users import find_user
from paimon.application.identity.subject_key_store import reading_cipher, writing_cipher
from paimon.application.identity.tokens import TokenInvalid, TokenKeys, new_token
from paimon.domain.kernel.chain import Address, Hash32, checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.user.roles import User
from paimon.domain.user.session import RefreshOutcome, Session, SessionEnd, SessionStatus, refresh_outcome
from paimon.errors import AuthenticationExpired, NotFound, Unauthenticated
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.settings import AuthSettings

log = structlog.get_logger(__name__)

SESSIONS_LISTED_MAX: Final = 200
REFRESH_PREFIX: Final = "paimon_rt_"
"""What a refresh token begins with, so that people and scanners of secrets know one."""
_TOKEN_BYTES: Final = 32
_CLIENT_CHARS_MAX: Final = 200


class RefreshInvalid(Unauthenticated):
    """The refresh token was not issued here, or its session has ended; sign in again."""


class SessionEnded(Unauthenticated):
    """The session has ended; sign in again."""


class SessionExpired(AuthenticationExpired):
    """The session was not used for too long, or its time is over; sign in again."""


class SessionNotFound(NotFound):
    """There is no open session of this person with that id."""


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """An access token for a user, and the refresh token that follows the one that was used.

    `refresh_token` is None when the used one was used a moment before: only its first use gives the next.
    """

    user: User
    session: Session
    access_token: str
    expires_at: datetime
    refresh_token: str | None


async def open_session(
    database_session: WriteSession, user: User, origin: Origin, *, auth: AuthSettings, keys: TokenKeys, now: datetime
) -> IssuedTokens:
    """Open a session of a user who has just proven who they are. Its id is new: no client can choose one."""
    await delete_old_sessions(database_session, before=now - timedelta(days=auth.session_kept_days))
    expires_at = now + timedelta(seconds=auth.refresh_token_ttl_seconds)
    client = "".join(letter if letter.isprintable() else " " for letter in origin.client[:_CLIENT_CHARS_MAX])
    session = Session(uuid4(), user.address, now, now, expires_at)
    cipher = await writing_cipher(database_session, user.address, auth)
    await insert_session(database_session, session, Origin(client, origin.network_address), cipher)
    refresh_token = await _issue_refresh_token(database_session, session, now)
    return _issue(user, session, refresh_token, auth=auth, keys=keys, now=now)


async def refresh_session(
    refresh_token: str, *, database: Database, auth: AuthSettings, keys: TokenKeys, scope: SigningScope
) -> IssuedTokens:
    """Exchange a refresh token for an access token and the next refresh token.

    Raises:
        RefreshInvalid, SessionExpired, TokenInvalid.
    """
    token_hash = _hash(refresh_token)
    async with database.write() as database_session:
        now = await database_now(database_session)
        found = await lock_session_of_token(database_session, token_hash)
        if found is None:
            raise RefreshInvalid
        session, used_at = found
        require_active(session, now, auth=auth)
        outcome = refresh_outcome(used_at, now, grace=timedelta(seconds=auth.refresh_grace_seconds))
        next_token = None
        user = await find_user(database_session, session.address, scope)
        if outcome is RefreshOutcome.REUSED:
            await end_sessions(database_session, session.address, SessionEnd.REFRESH_TOKEN_REUSED, now, only=session.id)
        elif user is not None:
            await touch_session(database_session, session.id, now)
            if outcome is RefreshOutcome.ROTATED:
                await mark_token_used(database_session, token_hash, now)
                next_token = await _issue_refresh_token(database_session, session, now)
    # Outside the transaction: the end of the session commits although the caller is refused.
    if outcome is RefreshOutcome.REUSED:
        log.warning("session.refresh_token_reused", address=checksum(session.address), session=str(session.id))
        raise RefreshInvalid("this refresh token was used before: its session has ended; sign in again")
    if user is None:
        raise TokenInvalid(f"{checksum(session.address)} may no longer sign in")
    return _issue(user, session, next_token, auth=auth, keys=keys, now=now)


def require_active(session: Session, now: datetime, *, auth: AuthSettings) -> None:
    """Refuse a session that gives no access any more.

    Raises:
        SessionEnded, SessionExpired.
    """
    status = session.status(now, idle=timedelta(seconds=auth.session_idle_seconds))
    if status is SessionStatus.ENDED:
        raise SessionEnded
    if status is not SessionStatus.ACTIVE:
        raise SessionExpired


async def list_sessions(
    address: Address, *, database: Database, auth: AuthSettings
) -> tuple[Sequence[ListedSession], datetime]:
    """List a person's newest sessions, with the database's time."""
    async with database.read() as database_session:
        cipher = await reading_cipher(database_session, address, auth)
        found = await list_sessions_of(database_session, address, cipher, limit=SESSIONS_LISTED_MAX)
        return found, await database_now(database_session)


async def end_session(session: UUID, address: Address | None, reason: SessionEnd, *, database: Database) -> None:
    """End one session, of this person if one is given.

    Raises:
        SessionNotFound: it does not exist, has ended, or is another person's.
    """
    async with database.write() as database_session:
        now = await database_now(database_session)
        if not await end_sessions(database_session, address, reason, now, only=session):
            raise SessionNotFound
    log.info("session.ended", session=str(session), reason=reason)


async def end_all_sessions(address: Address, reason: SessionEnd, *, database: Database) -> int:
    """End every session of a person, and return how many were open."""
    async with database.write() as database_session:
        ended = await end_sessions(database_session, address, reason, await database_now(database_session))
    log.info("session.all_ended", address=checksum(address), sessions=ended, reason=reason)
    return ended


async def _issue_refresh_token(database_session: WriteSession, session: Session, now: datetime) -> str:
    text = REFRESH_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
    await insert_refresh_token(database_session, _hash(text), session.id, now)
    return text


def _hash(refresh_token: str) -> Hash32:
    return Hash32(sha256(refresh_token.encode()).digest())


def _issue(
    user: User, session: Session, refresh_token: str | None, *, auth: AuthSettings, keys: TokenKeys, now: datetime
) -> IssuedTokens:
    expires_at = min(now + timedelta(seconds=auth.access_token_ttl_seconds), session.expires_at)
    token = new_token(user.address, session.id, now=now, expires_at=expires_at)
    return IssuedTokens(user, session, keys.encode(token), token.expires_at, refresh_token)
