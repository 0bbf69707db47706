"""Users whose rows their signed grants confirm: a row of `users` alone gives no right.

The row says what the user may do now; the chain of grants says whether a super_admin wanted that. The chain is verified once:
its head, which a request reads beside the user's row, commits to every grant before it. So a request costs no signature check.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import structlog

from paimon.application.identity.store import (
    ChainHead,
    UserRecord,
    find_chain_head,
    find_user_row,
    list_first_super_admins,
    list_grants,
    list_user_rows,
)
from paimon.domain.kernel.chain import Address, Hash32, checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.user.grants import GrantChain, SignedGrant
from paimon.domain.user.roles import Permission, User
from paimon.infrastructure.database.sessions import Database, ReadSession, WriteSession

log = structlog.get_logger(__name__)

_REMEMBERED: Final = 10_000
"""Grants whose signature is verified once in a process; a grant's content is the key."""


@lru_cache(maxsize=_REMEMBERED)
def _recover(signed: SignedGrant, scope: SigningScope) -> tuple[Hash32, Address | None]:
    # Here, because the library takes half a second to load, and `paimon status` checks no signature.
    from paimon.infrastructure.keys.signatures import MalformedSignature, recover_typed, typed_digest

    document = signed.grant.document(scope)
    try:
        return typed_digest(document), recover_typed(document, signed.signature)
    except MalformedSignature:
        return typed_digest(document), None


async def load_chain(session: ReadSession | WriteSession, scope: SigningScope) -> GrantChain:
    """Return the chain of the stored grants, with every signature verified."""
    head = await find_chain_head(session)
    return GrantChain(head.first).extend(await list_grants(session), lambda signed: _recover(signed, scope))


async def list_past_holders(session: ReadSession | WriteSession, permission: Permission, scope: SigningScope) -> set[Address]:
    """Return everyone whom a signed grant ever gave this permission, also under an earlier first super_admin.

    What a person signed while they held it stays valid afterwards.
    """
    grants = await list_grants(session)
    return {
        user.address
        for first in await list_first_super_admins(session)
        for user in GrantChain(first).extend(grants, lambda signed: _recover(signed, scope)).made
        if user.may(permission)
    }


async def find_user(session: ReadSession | WriteSession, address: Address, scope: SigningScope) -> User | None:
    """Return the user of this address if the grants confirm the row, else None."""
    return confirmed(await find_user_row(session, address), await load_chain(session, scope))


async def list_users(session: ReadSession | WriteSession, scope: SigningScope) -> list[User]:
    """List every user that the grants confirm, oldest first."""
    chain = await load_chain(session, scope)
    return [user for user in await list_user_rows(session) if confirmed(user, chain) is not None]


def confirmed(user: User | None, chain: GrantChain) -> User | None:
    """Return the user of a row if the grants made exactly this user, else None."""
    if user is None or chain.users.get(user.address) == user:
        return user
    log.critical("user.not_signed", address=checksum(user.address), role=user.role)
    return None


@dataclass(slots=True)
class SignedUsers:
    """Confirms users for a process that asks often. It keeps the last chain, by the content of its head."""

    scope: SigningScope
    _head: ChainHead | None = field(init=False, default=None)
    _chain: GrantChain = field(init=False, default_factory=lambda: GrantChain(None))

    async def confirm(self, record: UserRecord, database: Database) -> User | None:
        """Return the user of a record if the grants confirm it. The grants are read only when their head is another."""
        if record.user is None:
            return None
        if record.head != self._head:
            async with database.read() as session:
                head, chain = await find_chain_head(session), await load_chain(session, self.scope)
            self._head, self._chain = head, chain
        return confirmed(record.user, self._chain)
