"""One-use links that acknowledge a risk event for a person, so that a message to a phone can carry one.

A link is an opaque token for one event and one person; the database has its hash only. To show it changes nothing, since mail
scanners open what they find. To use it acknowledges the event in the person's name, once, before it expires, and as long as
they are a user. It gives no other right. A person makes links for themselves only.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from paimon.application.identity.signed_users import find_user
from paimon.application.risk_control.store import find_link, get_event, insert_link, lock_event, save_triage, use_link
from paimon.domain.kernel.chain import Address, Hash32, checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.risk.risk_event import RiskEvent, acknowledge, require_unresolved
from paimon.domain.user.roles import User
from paimon.errors import Forbidden, Unauthenticated
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database, ReadSession, WriteSession

log = structlog.get_logger(__name__)

LINK_LIFETIME: Final = timedelta(hours=24)
_TOKEN_BYTES: Final = 32


class InvalidLink(Unauthenticated):
    """The link does not count: it is unknown, used or expired, for another event, or its person is no user any more."""


class LinkOfAnother(Forbidden):
    """The link belongs to another person than the signed-in one."""


@dataclass(frozen=True, slots=True)
class IssuedLink:
    """A link as its person gets it. The token is shown once."""

    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class OpenLink:
    """A link that counts now: its event and its person."""

    event: RiskEvent
    person: User
    expires_at: datetime


async def create_link(database: Database, event_id: int, *, person: User) -> IssuedLink:
    """Make a link for this person.

    Raises:
        RiskEventNotFound, RiskEventClosed.
    """
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    async with database.write() as session:
        require_unresolved(await get_event(session, event_id))
        expires_at = await database_now(session) + LINK_LIFETIME
        await insert_link(session, _hash(token), event_id, person.address, expires_at)
    log.info("risk.link_created", event_id=event_id, person=checksum(person.address))
    return IssuedLink(token, expires_at)


async def show_link(database: Database, event_id: int, token: str, *, caller: Address | None, scope: SigningScope) -> OpenLink:
    """Return what the link would acknowledge, and for whom. Nothing changes.

    Raises:
        InvalidLink, LinkOfAnother.
    """
    async with database.write() as session:  # the primary: a replica may not know that a link is used
        return await _open(session, event_id, token, caller=caller, scope=scope)


async def acknowledge_by_link(
    database: Database, event_id: int, token: str, *, caller: Address | None, note: str | None, scope: SigningScope
) -> RiskEvent:
    """Acknowledge the event in the name of the link's person, who becomes its owner.

    Of two uses at once, one succeeds: the row of the link decides. A resolved event uses no link up.

    Raises:
        InvalidLink, LinkOfAnother, RiskEventClosed.
    """
    async with database.write() as session:
        link = await _open(session, event_id, token, caller=caller, scope=scope)
        now = await database_now(session)
        if not await use_link(session, _hash(token), now=now):
            raise InvalidLink
        event = acknowledge(await lock_event(session, event_id), link.person, now=now, note=note)
        await save_triage(session, event)
    log.info("risk.acknowledged", event_id=event_id, by=checksum(link.person.address), by_link=True)
    return event


async def _open(
    session: ReadSession | WriteSession, event_id: int, token: str, *, caller: Address | None, scope: SigningScope
) -> OpenLink:
    link = await find_link(session, _hash(token))
    if link is None or link.event_id != event_id or link.used_at is not None or link.expires_at <= await database_now(session):
        raise InvalidLink
    if caller is not None and caller != link.person:
        raise LinkOfAnother
    person = await find_user(session, link.person, scope)
    if person is None:
        raise InvalidLink
    return OpenLink(await get_event(session, event_id), person, link.expires_at)


def _hash(token: str) -> Hash32:
    return Hash32(hashlib.sha256(token.encode()).digest())
