"""Erase the personal data of a former user: forget their data key, as a super_admin signed it."""

import structlog

from paimon.application.common.signed_action import ProposedAction
from paimon.application.identity.accept_action import SignedRequest, SigningContext, accept_action
from paimon.application.identity.signed_users import find_user
from paimon.application.identity.subject_key_store import erase_key, find_live_key
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.kernel.signed_action import ActionContent, ActionName, effect_hash
from paimon.domain.user.roles import Permission
from paimon.errors import Conflict, NotFound
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

log = structlog.get_logger(__name__)


class PersonIsUser(Conflict):
    """The person is a user, so the next sign-in would store anew what is erased: remove the user first."""


class NoPersonalData(NotFound):
    """There is no personal data of this address: none was stored, or it is erased already."""


async def propose_erasure(session: ReadSession | WriteSession, person: Address, scope: SigningScope) -> ProposedAction:
    """Return what a super_admin signs to erase the personal data of this person.

    Raises:
        NoPersonalData
    """
    content, _key = await _erasure(session, person)
    is_user = await find_user(session, person, scope) is not None
    return ProposedAction(content, Permission.MANAGE_USERS, PersonIsUser() if is_user else None)


async def erase_person(person: Address, request: SignedRequest, context: SigningContext) -> None:
    """Forget the data key of this person. What was encrypted under it is unreadable from then on, on every replica.

    Raises:
        NoPersonalData, PersonIsUser, MalformedSignature, InvalidExpiry, NonceUsed, SignerMismatch, NotPermitted, ActionChanged.
    """
    scope = context.rules.scope
    async with context.database.write() as session:  # on the primary: a replica may lag behind
        proposed = await propose_erasure(session, person, scope)
    accepted = await accept_action(request, proposed, context)
    async with context.database.write() as session:
        await accepted.record(session, await propose_erasure(session, person, scope))
        _content, key = await _erasure(session, person)
        await erase_key(session, key, request.user.address, await database_now(session))
    log.info("user.erased", address=checksum(person), by=checksum(request.user.address))


async def _erasure(session: ReadSession | WriteSession, person: Address) -> tuple[ActionContent, int]:
    key = await find_live_key(session, person)
    if key is None:
        raise NoPersonalData
    name = checksum(person)
    statement = f"Erase the personal data of {name}: where their sessions and API keys were used from. This cannot be undone"
    return ActionContent(ActionName.ERASE_PERSON, f"/users/{name}", statement, effect_hash(name, str(key))), key
