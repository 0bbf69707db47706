"""The users table: wallets that may sign in, with the off-chain role that is read anew at every request."""

from typing import Final

import structlog
from sqlalchemy import bindparam, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.user.roles import REQUIRED_ROLE, Permission, User, UserRole
from paimon.errors import Forbidden
from paimon.infrastructure.database.clock import as_utc
from paimon.infrastructure.database.models.ops.user import UserRow
from paimon.infrastructure.database.row_query import RowQuery
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)


class NotPermitted(Forbidden):
    """The user's role does not reach for what was asked."""


def require_permission(user: User, permission: Permission) -> None:
    """Raises NotPermitted, naming the role that would do."""
    if not user.may(permission):
        raise NotPermitted(f"this needs the role {REQUIRED_ROLE[permission]} or above; {checksum(user.address)} is {user.role}")


async def find_user(session: AsyncSession, address: Address) -> User | None:
    row = await session.get(UserRow, address, populate_existing=True)
    return User(Address(row.address), row.role, row.name) if row else None


async def list_users(session: AsyncSession) -> list[User]:
    """List every user, oldest first."""
    rows = await session.scalars(select(UserRow).order_by(UserRow.created_at))
    return [User(Address(row.address), row.role, row.name) for row in rows]


_ONE_ROW: Final = select(literal(1)).subquery()

USER_WITH_CLOCK: Final = RowQuery(
    select(func.now().label("now"), UserRow.address, UserRow.role, UserRow.name).select_from(
        _ONE_ROW.outerjoin(UserRow, UserRow.address == bindparam("address"))
    ),
    lambda row: (None if row.role is None else User(Address(row.address), row.role, row.name), as_utc(row.now)),
)
"""The user and the database's clock in one query: it is asked at every request."""


async def seed_user(session: WriteSession, address: Address, role: UserRole, name: str) -> User:
    """Let this wallet sign in with this role; called again, it changes role and name."""
    values = {"role": role, "name": name}
    statement = insert(UserRow).values(address=address, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=[UserRow.address], set_=values))
    log.info("user.seeded", address=checksum(address), role=role)
    return User(address, role, name)
