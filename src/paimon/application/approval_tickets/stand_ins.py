"""Which stand-ins count now: those that the person's own wallet signed."""

from collections.abc import Iterable
from datetime import datetime

import structlog

from paimon.application.approval_tickets.stand_in_store import SignedStandIn, list_latest, list_since
from paimon.application.common.stored_signature import recover_signer
from paimon.application.identity.signed_users import find_user
from paimon.domain.approval.plan_ticket import AnyTicket
from paimon.domain.approval.stand_in import Pairs, StandIn, lend
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.operations.refusals import UnsignedRow
from paimon.domain.user.roles import User
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import ReadSession, WriteSession
from paimon.infrastructure.observability.metrics import UNSIGNED_ROWS

log = structlog.get_logger(__name__)

STAND_INS_LISTED_MAX = 200


async def find_pairs(
    session: ReadSession | WriteSession, scope: SigningScope, now: datetime, *, ticket: AnyTicket | None = None
) -> Pairs:
    """Return the pairs in force, and those that were at some time since the ticket was opened."""
    since = now if ticket is None else ticket.opened_at
    return Pairs(verified(await list_since(session, since), scope), since=since, now=now)


async def list_stand_ins(session: ReadSession | WriteSession, scope: SigningScope) -> list[StandIn]:
    """List the newest stand-ins, latest first, those that are over too."""
    return verified(await list_latest(session, limit=STAND_INS_LISTED_MAX), scope)


async def with_lent_rights(session: ReadSession | WriteSession, user: User, scope: SigningScope) -> User:
    """Return the user with the rights to decide approvals of the person for whom they stand in now."""
    person = (await find_pairs(session, scope, await database_now(session))).person_of(user.address)
    return user if person is None else lend(user, await find_user(session, person, scope))


def verified(stored: Iterable[SignedStandIn], scope: SigningScope) -> list[StandIn]:
    """Return those that the person signed; another row is reported in the log, and counts for nothing."""
    found = []
    for each in stored:
        pair = each.stand_in.pair
        if recover_signer(pair.content().document(each.stand_in.reason, each.terms, scope), each.signature) == pair.person:
            found.append(each.stand_in)
        else:
            log.critical("stand_in.not_signed", stand_in=each.stand_in.id)
            UNSIGNED_ROWS.labels(UnsignedRow.STAND_IN).inc()
    return found
