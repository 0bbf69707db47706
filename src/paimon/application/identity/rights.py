"""What people may do now, for themselves and for the list of users: every right, and why one is missing."""

from collections.abc import Sequence
from dataclasses import dataclass

from paimon.application.identity.signed_users import find_user, load_chain
from paimon.application.identity.store import GrantRecord, list_chain_roles, list_chain_roles_of, list_grant_records
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.user.roles import PERMISSIONS, ChainRole, Permission, User
from paimon.errors import NotFound
from paimon.infrastructure.database.sessions import Database


class UserNotFound(NotFound):
    """No user has this address."""


@dataclass(frozen=True, slots=True)
class Right:
    """One thing that a person may do, or may not, with each reason."""

    permission: Permission
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UserRights:
    """A user with their roles on chain at the last recorded block, and what both allow together."""

    user: User
    held: frozenset[ChainRole]

    def rights(self) -> list[Right]:
        return [Right(permission, tuple(self.user.faults(permission, self.held))) for permission in PERMISSIONS]


@dataclass(frozen=True, slots=True)
class ListedUser:
    """A user in the list. No grant changes the first super_admin."""

    rights: UserRights
    is_first: bool


@dataclass(frozen=True, slots=True)
class UserDetail:
    """A user's rights, and the grants that made them, latest first."""

    rights: UserRights
    grants: Sequence[GrantRecord]


async def read_rights(user: User, database: Database) -> UserRights:
    """Return what this user may do now."""
    async with database.read() as session:
        return UserRights(user, await list_chain_roles(session, user.address))


async def list_user_rights(database: Database, scope: SigningScope) -> list[ListedUser]:
    """List every user with their rights, oldest first."""
    async with database.read() as session:
        chain = await load_chain(session, scope)
        held = await list_chain_roles_of(session, chain.users)
    return [
        ListedUser(UserRights(user, held.get(address, frozenset())), is_first=user == chain.first)
        for address, user in chain.users.items()
    ]


async def get_user_detail(address: Address, database: Database, scope: SigningScope) -> UserDetail:
    """Return one user. Raises UserNotFound."""
    async with database.read() as session:
        user = await find_user(session, address, scope)
        if user is None:
            raise UserNotFound(f"{checksum(address)} is not a user")
        rejected = {grant.id for grant in (await load_chain(session, scope)).rejected}
        grants = [grant for grant in await list_grant_records(session, address) if grant.id not in rejected]
        return UserDetail(UserRights(user, await list_chain_roles(session, address)), grants)
