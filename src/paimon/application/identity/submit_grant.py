"""Change a user by a signed grant: add one, change role and name, or remove one.

1. the chain of grants is verified, and the next grant is built from the request
2. the signature: its form, its expiry, its nonce, and its signer over exactly this grant (common/signed_action.py)
3. the signer is a super_admin by the grants
4. grant and row commit together, by the role that alone writes users
"""

from dataclasses import dataclass

import structlog

from paimon.application.common.signed_action import SignedAction, verify_signed_action
from paimon.application.common.signing_rules import SigningRules
from paimon.application.common.store import is_nonce_used, use_nonce
from paimon.application.identity.permissions import NotPermitted, require_permission
from paimon.application.identity.signed_users import load_chain
from paimon.application.identity.store import delete_user, insert_grant, lock_grants, save_user
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.signed_action import ActionName
from paimon.domain.user.roles import Permission, User, UserRole
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SubmitGrant:
    """What a super_admin signed: the user, the role (None removes the user) and the name."""

    user: Address
    role: UserRole | None
    name: str
    granted_by: Address
    signed: SignedAction
    granted: frozenset[Permission] = frozenset()
    denied: frozenset[Permission] = frozenset()


async def submit_grant(command: SubmitGrant, *, database: Database, rules: SigningRules) -> User | None:
    """Return the user as the grant made them, None for a removed one. `database` is open as the role `user_admin`.

    Raises:
        MalformedSignature, InvalidExpiry, NonceUsed, SignerMismatch, NotPermitted, FirstSuperAdminFixed,
        InvalidExceptions.
    """
    async with database.write() as session:
        await lock_grants(session)
        now = await database_now(session)
        chain = await load_chain(session, rules.scope)
        grant = chain.next_grant(
            command.user,
            command.role,
            command.name,
            command.signed.terms,
            granted=command.granted,
            denied=command.denied,
        )
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
        if grant.role is None:
            await delete_user(session, grant.user)
            user = None
        else:
            user = User(grant.user, grant.role, grant.name, grant.granted, grant.denied)
            await save_user(session, user)
    log.info("user.granted", address=checksum(grant.user), role=grant.role, by=checksum(command.granted_by))
    return user
