"""Users and sign-in challenges in the database. A user's role is read anew at every request."""

from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import bindparam, delete, func, literal, select
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


async def use_challenge(
    session: WriteSession, nonce: str, address: Address, message: str, *, now: datetime, expires_at: datetime
) -> bool:
    """Record the use of a challenge, and delete the records of expired ones. Of two calls at once only one returns True."""
    await session.execute(delete(SignInChallengeRow).where(SignInChallengeRow.expires_at < now))
    values = {"nonce": nonce, "address": address, "message": message, "expires_at": expires_at, "used_at": now}
    statement = insert(SignInChallengeRow).values(values).on_conflict_do_nothing().returning(SignInChallengeRow.nonce)
    return (await session.execute(statement)).scalar_one_or_none() is not None
