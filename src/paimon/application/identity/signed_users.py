"""Users as their signed grants make them: nothing else in the database gives anyone a right.

The chain of grants is verified once in a process. Its head, which a request reads, commits to every grant before it. So a
request costs no signature check.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from paimon.application.identity.store import (
    ChainHead,
    find_chain_head,
    list_first_super_admins,
    list_grants,
)
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.user.grants import GrantChain, SignedGrant
from paimon.domain.user.roles import Permission, User
from paimon.infrastructure.database.sessions import Database, ReadSession, WriteSession

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
    """Return the user of this address, or None if the grants make none."""
    return (await load_chain(session, scope)).users.get(address)


async def list_users(session: ReadSession | WriteSession, scope: SigningScope) -> list[User]:
    """List every user, oldest first."""
    return list((await load_chain(session, scope)).users.values())


@dataclass(slots=True)
class SignedUsers:
    """Finds users for a process that asks often. It keeps the last chain, by the content of its head."""

    scope: SigningScope
    _head: ChainHead | None = field(init=False, default=None)
    _chain: GrantChain = field(init=False, default_factory=lambda: GrantChain(None))

    async def find(self, address: Address, head: ChainHead, database: Database) -> User | None:
        """Return the user of this address at a head that was just read. The grants are read only when the head is another."""
        if head != self._head:
            async with database.write() as session:  # the primary: a removal may not be on a replica yet
                head, chain = await find_chain_head(session), await load_chain(session, self.scope)
            self._head, self._chain = head, chain
        return self._chain.users.get(address)
