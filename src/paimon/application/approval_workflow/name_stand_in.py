"""Name a stand-in for a time, by the person's own signature, and end it before its time."""

from dataclasses import dataclass

import structlog

from paimon.application.approval_tickets.stand_in_store import (
    insert_stand_in,
    list_current,
    lock_stand_in,
    lock_stand_ins,
    save_end,
)
from paimon.application.approval_tickets.stand_ins import verified
from paimon.application.common.signed_action import ProposedAction, SignedAction, contract_wallets_refused, verify_signed_action
from paimon.application.common.store import is_nonce_used, use_nonce
from paimon.application.identity.accept_action import SignedRequest, SigningContext, accept_action
from paimon.application.identity.signed_users import find_user
from paimon.domain.approval.stand_in import Pair, StandIn, require_possible
from paimon.domain.kernel.chain import checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.kernel.signed_action import ActionContent, ActionName, effect_hash
from paimon.domain.user.roles import Permission, User
from paimon.errors import Conflict, Forbidden
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)


class StandInOver(Conflict):
    """The stand-in is over already."""


class NotOfThePair(Forbidden):
    """Only the person, the stand-in, and who manages users end it before its time."""


@dataclass(frozen=True, slots=True)
class NameStandIn:
    """The stand-in that a person wants, with the signature over it."""

    pair: Pair
    person: User
    reason: str
    signed: SignedAction


async def require_nameable(session: WriteSession, pair: Pair, person: User, scope: SigningScope) -> None:
    """Raises InvalidStandIn, StandInTaken."""
    now = await database_now(session)
    others = [stand_in.pair for stand_in in verified(await list_current(session, now), scope)]
    require_possible(pair, person, await find_user(session, pair.stand_in, scope), others, now=now)


async def name_stand_in(command: NameStandIn, context: SigningContext, rpc: Rpc) -> StandIn:
    """Record the pair that the person signed. It counts from its start on.

    Raises:
        InvalidStandIn, StandInTaken, MalformedSignature, InvalidExpiry, NonceUsed, SignerMismatch, KeySignatureRequired.
    """
    pair, rules = command.pair, context.rules
    async with contract_wallets_refused(pair.person, rpc), context.database.write() as session:
        await lock_stand_ins(session)
        await require_nameable(session, pair, command.person, rules.scope)
        evidence = verify_signed_action(
            command.signed,
            pair.content().document(command.reason, command.signed.terms, rules.scope),
            signer=pair.person,
            now=await database_now(session),
            rules=rules,
            nonce_used=await is_nonce_used(session, command.signed.terms.nonce),
        )
        await use_nonce(session, evidence, action=ActionName.NAME_STAND_IN, resource=pair.content().resource)
        number = await insert_stand_in(session, pair, command.reason, evidence.terms.nonce)
    log.info("stand_in.named", stand_in=number, person=checksum(pair.person), by=checksum(pair.stand_in))
    return StandIn(number, pair, command.reason)


async def propose_end(session: WriteSession, number: int, user: User) -> ProposedAction:
    """Return what this user signs to end the stand-in.

    Raises:
        StandInNotFound
    """
    found, now = await lock_stand_in(session, number), await database_now(session)
    pair = found.pair
    rejection: Conflict | Forbidden | None = None
    if user.address not in (pair.person, pair.stand_in) and not user.may(Permission.MANAGE_USERS):
        rejection = NotOfThePair()
    elif found.is_over(now):
        rejection = StandInOver()
    content = ActionContent(
        ActionName.END_STAND_IN,
        f"/stand-ins/{number}",
        f"{checksum(pair.stand_in)} no longer decides approvals in the place of {checksum(pair.person)}",
        effect_hash(str(number), checksum(pair.person), checksum(pair.stand_in)),
    )
    return ProposedAction(content, Permission.READ, rejection)


async def end_stand_in(number: int, request: SignedRequest, context: SigningContext) -> StandIn:
    """End it. Signatures that counted through it count no longer.

    Raises:
        StandInNotFound, NotOfThePair, StandInOver, MalformedSignature, InvalidExpiry, NonceUsed, SignerMismatch, WalletNotRead,
        ActionChanged.
    """
    async with context.database.write() as session:
        proposed = await propose_end(session, number, request.user)
    accepted = await accept_action(request, proposed, context)
    async with context.database.write() as session:
        await accepted.record(session, await propose_end(session, number, request.user))
        await save_end(session, number, request.user.address, await database_now(session))
        ended = await lock_stand_in(session, number)
    log.info("stand_in.ended", stand_in=number, by=checksum(request.user.address))
    return ended
