"""Users and sign-in challenges in the database. A user's role is read anew at every request."""

from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import bindparam, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.user.roles import User, UserRole
from paimon.infrastructure.database.clock import as_utc
from paimon.infrastructure.database.models.ops.user import SignInChallengeRow, UserRow
from paimon.infrastructure.database.row_query import RowQuery
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)

_ONE_ROW: Final = select(literal(1)).subquery()

USER_WITH_CLOCK: Final = RowQuery(
    select(func.now().label("now"), UserRow.address, UserRow.role, UserRow.name).select_from(
        _ONE_ROW.outerjoin(UserRow, UserRow.address == bindparam("address"))
    ),
    lambda row: (None if row.role is None else User(Address(row.address), row.role, row.name), as_utc(row.now)),
)
"""The user, or None, and the database's time in one query, because every request needs both."""


async def find_user(session: AsyncSession, address: Address) -> User | None:
    row = await session.get(UserRow, address, populate_existing=True)
    return User(Address(row.address), row.role, row.name) if row else None


async def list_users(session: AsyncSession) -> list[User]:
    """List every user, oldest first."""
    rows = await session.scalars(select(UserRow).order_by(UserRow.created_at))
    return [User(Address(row.address), row.role, row.name) for row in rows]


async def seed_user(session: WriteSession, address: Address, role: UserRole, name: str) -> User:
    """Let this wallet sign in with this role; a second call changes role and name."""
    values = {"role": role, "name": name}
    statement = insert(UserRow).values(address=address, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=[UserRow.address], set_=values))
    log.info("user.seeded", address=checksum(address), role=role)
    return User(address, role, name)


async def insert_challenge(
    session: WriteSession, nonce: str, address: Address, message: str, *, now: datetime, expires_at: datetime
) -> None:
    """Insert a challenge, and delete the challenges that have expired."""
    await session.execute(delete(SignInChallengeRow).where(SignInChallengeRow.expires_at < now))
    session.add(SignInChallengeRow(nonce=nonce, address=address, message=message, expires_at=expires_at))


async def consume_challenge(session: WriteSession, nonce: str, address: Address, *, now: datetime) -> datetime | None:
    """Mark the address's challenge as used and return its expiry. Of two calls at once only one gets it.

    Returns None when the challenge was never issued to this address, or is used.
    """
    statement = (
        update(SignInChallengeRow)
        .where(SignInChallengeRow.nonce == nonce, SignInChallengeRow.address == address, SignInChallengeRow.used_at.is_(None))
        .values(used_at=now)
        .returning(SignInChallengeRow.expires_at)
        .execution_options(synchronize_session=False)
    )
    return (await session.execute(statement)).scalar_one_or_none()
