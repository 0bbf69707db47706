"""Sessions and refresh tokens in the database: the truth of what was ended, which no cache may forget."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.identity.store import to_session
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.user.session import Session, SessionEnd
from paimon.infrastructure.database.arrays import in_values
from paimon.infrastructure.database.clock import as_utc
from paimon.infrastructure.database.models.ops.user import RefreshTokenRow, SessionRow
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.keys.envelope import SubjectCipher

_COLUMNS: Final = tuple(getattr(SessionRow, field.name) for field in fields(Session))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a session began: the program's name of itself, and the network address."""

    client: str
    network_address: str


@dataclass(frozen=True, slots=True)
class ListedSession:
    """A session as its owner reads it. `origin` is None where it was erased."""

    session: Session
    origin: Origin | None


async def insert_session(database_session: WriteSession, session: Session, origin: Origin, cipher: SubjectCipher) -> None:
    sealed = {name: cipher.seal(text, _place(session.id, name)) for name, text in asdict(origin).items()}
    await database_session.execute(insert(SessionRow).values(asdict(session) | sealed))


async def list_last_seen(database_session: AsyncSession) -> dict[Address, datetime]:
    """Return when each person last used a session; a person without one is absent."""
    query = select(SessionRow.address, func.max(SessionRow.used_at)).group_by(SessionRow.address)
    return {Address(address): as_utc(used_at) for address, used_at in await database_session.execute(query)}


async def insert_refresh_token(database_session: WriteSession, token_hash: Hash32, session: UUID, now: datetime) -> None:
    await database_session.execute(insert(RefreshTokenRow).values(hash=token_hash, session_id=session, issued_at=now))


async def lock_session_of_token(database_session: WriteSession, token_hash: Hash32) -> tuple[Session, datetime | None] | None:
    """Lock the session of a refresh token, and return it with the time at which the token was first used, if it was.

    Of two refreshes at once the second waits here until the first has committed, and then sees the token as used.
    """
    of_token = select(RefreshTokenRow.session_id).where(RefreshTokenRow.hash == token_hash).scalar_subquery()
    locked = select(*_COLUMNS).where(SessionRow.id == of_token).with_for_update()
    row = (await database_session.execute(locked)).mappings().one_or_none()
    if row is None:
        return None
    query = select(RefreshTokenRow.used_at).where(RefreshTokenRow.hash == token_hash)
    used_at = (await database_session.execute(query)).scalar_one()
    return to_session(dict(row)), None if used_at is None else as_utc(used_at)


async def mark_token_used(database_session: WriteSession, token_hash: Hash32, now: datetime) -> None:
    await database_session.execute(update(RefreshTokenRow).where(RefreshTokenRow.hash == token_hash).values(used_at=now))


async def touch_session(database_session: WriteSession, session: UUID, now: datetime) -> None:
    """Record that the session was used, unless a later use is recorded already."""
    is_earlier = SessionRow.id == session, SessionRow.used_at < now
    await database_session.execute(update(SessionRow).where(*is_earlier).values(used_at=now))


async def list_sessions_of(
    database_session: AsyncSession, address: Address, cipher: SubjectCipher, *, limit: int
) -> list[ListedSession]:
    """List the newest sessions of a person, ended ones too."""
    query = select(SessionRow).where(SessionRow.address == address).order_by(SessionRow.created_at.desc()).limit(limit)
    return [
        ListedSession(to_session({field.name: getattr(row, field.name) for field in fields(Session)}), _origin(row, cipher))
        for row in await database_session.scalars(query)
    ]


def _origin(row: SessionRow, cipher: SubjectCipher) -> Origin | None:
    client = cipher.open(row.client, _place(row.id, "client"))
    network_address = cipher.open(row.network_address, _place(row.id, "network_address"))
    return None if client is None or network_address is None else Origin(client, network_address)


def _place(session: UUID, column: str) -> str:
    return f"sessions/{session}/{column}"


async def end_sessions(
    database_session: WriteSession, address: Address | None, reason: SessionEnd, now: datetime, *, only: UUID | None = None
) -> int:
    """End the sessions of a person, or one of them, and return how many were open."""
    conditions = [SessionRow.ended_at.is_(None), SessionRow.expires_at > now]
    if address is not None:
        conditions.append(SessionRow.address == address)
    if only is not None:
        conditions.append(SessionRow.id == only)
    ended = update(SessionRow).where(*conditions).values(ended_at=now, end_reason=reason).returning(SessionRow.id)
    return len((await database_session.execute(ended)).all())


async def delete_old_sessions(database_session: WriteSession, *, before: datetime) -> None:
    """Delete what has expired before this time, with its refresh tokens."""
    await database_session.execute(delete(SessionRow).where(SessionRow.expires_at < before))


async def list_active_ids(database_session: AsyncSession, ids: Collection[UUID], *, idle: timedelta) -> set[UUID]:
    """Return those of the sessions that give access now."""
    query = select(SessionRow.id).where(
        in_values(SessionRow.__table__.c.id, ids),
        SessionRow.ended_at.is_(None),
        SessionRow.expires_at > func.now(),
        SessionRow.used_at > func.now() - idle,
    )
    return set((await database_session.execute(query)).scalars())
