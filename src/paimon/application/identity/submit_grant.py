"""Change a user by a signed grant: add one, change role and name, or remove one.

1. the chain of grants is verified, and the next grant is built from the request
2. the signature: its form, its expiry, its nonce, and its signer over exactly this grant (common/signed_action.py)
3. the signer is a super_admin by the grants
4. the grant is added; from then on the user is what it says
"""

from dataclasses import dataclass

import structlog

from paimon.application.common.signed_action import SignedAction, verify_signed_action
from paimon.application.common.signing_rules import SigningRules
from paimon.application.common.store import is_nonce_used, use_nonce
from paimon.application.identity.permissions import NotPermitted, require_permission
from paimon.application.identity.rights import UserNotFound
from paimon.application.identity.signed_users import load_chain
from paimon.application.identity.store import insert_grant, lock_grants
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.eip712 import SignatureTerms
from paimon.domain.kernel.signed_action import ActionName
from paimon.domain.user.grants import Grant, GrantChain
from paimon.domain.user.roles import Permission, User, UserRole
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class UserChange:
    """What a super_admin wants of a user: the role (None removes the user), the name, and the exceptions from the role."""

    user: Address
    role: UserRole | None
    name: str
    granted: frozenset[Permission] = frozenset()
    denied: frozenset[Permission] = frozenset()


@dataclass(frozen=True, slots=True)
class SubmitGrant:
    """A change of a user with the signature over the grant that makes it."""

    change: UserChange
    granted_by: Address
    signed: SignedAction


async def propose_grant(change: UserChange, *, database: Database, rules: SigningRules) -> Grant:
    """Return the grant that would make this change now, to be signed, with a fresh nonce and expiry.

    Raises:
        FirstSuperAdminFixed, InvalidExceptions, UserNotFound.
    """
    async with database.write() as session:  # the primary: a replica may not have the newest grant yet
        terms = rules.new_terms(await database_now(session))
        return _next_grant(await load_chain(session, rules.scope), change, terms)


def _next_grant(chain: GrantChain, change: UserChange, terms: SignatureTerms) -> Grant:
    if change.role is None and change.user not in chain.users:
        raise UserNotFound(f"{checksum(change.user)} is not a user")
    return chain.next_grant(change.user, change.role, change.name, terms, granted=change.granted, denied=change.denied)


async def submit_grant(command: SubmitGrant, *, database: Database, rules: SigningRules) -> User | None:
    """Return the user as the grant made them, None for a removed one.

    Raises:
        FirstSuperAdminFixed, InvalidExceptions, UserNotFound, MalformedSignature, InvalidExpiry, NonceUsed, SignerMismatch,
        NotPermitted.
    """
    async with database.write() as session:
        await lock_grants(session)
        now = await database_now(session)
        chain = await load_chain(session, rules.scope)
        grant = _next_grant(chain, command.change, command.signed.terms)
        evidence = verify_signed_action(
            command.signed,
            grant.document(rules.scope),
            signer=command.granted_by,
            now=now,
            rules=rules,
            nonce_used=await is_nonce_used(session, command.signed.terms.nonce),
        )
        granter = chain.users.get(command.granted_by)
        if granter is None:
            raise NotPermitted(f"{checksum(command.granted_by)} is not a user")
        require_permission(granter, Permission.MANAGE_USERS)
        await use_nonce(session, evidence, action=ActionName.GRANT_USER, resource=f"/users/{checksum(grant.user)}")
        await insert_grant(session, grant, evidence)
    log.info("user.granted", address=checksum(grant.user), role=grant.role, by=checksum(command.granted_by))
    return grant.made_user()
