"""Sign in with a wallet (EIP-4361): issue a challenge to sign, and verify the signed challenge for an access token.

Every address that asks gets a challenge, so that asking does not show which addresses are users. A challenge works once, for
its address, until its expiry by the database's clock. It proves its own origin (`challenge_nonce`); a row is written when it
is used, and the rows of expired challenges are deleted then.

A wallet may sign the text of the challenge, or a message of its own library over the challenge's nonce, this site's domain
and URI, and the chain. The message's own times can only shorten the challenge's life.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from paimon.application.identity.challenge_nonce import find_expiry, new_nonce
from paimon.application.identity.permissions import NotPermitted
from paimon.application.identity.signed_users import SignedUsers, find_user
from paimon.application.identity.store import USER_RECORD, use_challenge
from paimon.application.identity.tokens import AccessToken, TokenInvalid, decode_token, encode_token, new_token
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.user.roles import User
from paimon.domain.user.siwe import SignInMessage, mismatched_fields, parse, render
from paimon.errors import AuthenticationExpired, Unauthenticated
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.signatures import parse_signature, recover_text
from paimon.settings import AuthSettings

log = structlog.get_logger(__name__)

STATEMENT: Final = "Sign in to the operations backend of Paimon Prime Fund. This costs nothing and sends no transaction."


class SignInRefused(Unauthenticated):
    """The challenge was not issued here to this wallet, or was used before; or the message is another site's or wallet's."""


class ChallengeExpired(AuthenticationExpired):
    """The challenge has expired; ask for a new one."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """The text to sign, once, before `expires_at`."""

    message: str
    nonce: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignInResult:
    """A user who has signed in, with their access token."""

    user: User
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """The user behind an access token now, and how long the token still lasts."""

    user: User
    token: AccessToken
    seconds_left: float


def create_challenge(address: Address, *, auth: AuthSettings, chain_id: int, now: datetime) -> Challenge:
    """Make a fresh message for this wallet to sign. Nothing is stored: a stranger's question costs no database session."""
    issued_at = now.replace(microsecond=0)
    expires_at = issued_at + timedelta(seconds=auth.challenge_ttl_seconds)
    message = SignInMessage(
        domain=auth.domain,
        address=address,
        uri=auth.uri,
        chain_id=chain_id,
        nonce=new_nonce(address, expires_at=expires_at, secret=auth.token_secret),
        issued_at=issued_at,
        expires_at=expires_at,
        statement=STATEMENT,
    )
    return Challenge(render(message), message.nonce, expires_at)


async def verify_challenge(
    text: str, signature: str, *, database: Database, auth: AuthSettings, scope: SigningScope
) -> SignInResult:
    """Return the user who signed this message, with an access token.

    Raises:
        MalformedMessage, MalformedSignature, SignInRefused, ChallengeExpired, NotPermitted.
    """
    message = parse(text)
    signer = recover_text(text, parse_signature(signature))
    expected = replace(
        message, domain=auth.domain, address=signer, uri=auth.uri, chain_id=scope.chain_id, scheme=_scheme(auth.uri)
    )
    if wrong := mismatched_fields(message, expected):
        raise SignInRefused(f"the signed message does not fit this site or its signer: {', '.join(wrong)}")
    expires_at = find_expiry(message.nonce, signer, secret=auth.token_secret)
    if expires_at is None:
        raise SignInRefused("this challenge was not issued here to this wallet; ask for a new one")
    async with database.write() as session:
        now = await database_now(session)
        if message.not_before is not None and now < message.not_before:
            raise SignInRefused("the signed message is not valid yet: its `Not Before` is in the future")
        if expires_at <= now or (message.expires_at is not None and message.expires_at <= now):
            raise ChallengeExpired
        if not await use_challenge(session, message.nonce, signer, text, now=now, expires_at=expires_at):
            raise SignInRefused("this challenge was used before; ask for a new one")
        user = await find_user(session, signer, scope)
    # Outside the transaction: the challenge is used up even when its signer is not a user.
    if user is None:
        raise NotPermitted(f"{checksum(signer)} is not a user; an administrator must add it first")
    token = new_token(signer, now=now, ttl_seconds=auth.access_token_ttl_seconds)
    log.info("user.signed_in", address=checksum(signer), role=user.role)
    return SignInResult(user, encode_token(token, auth.token_secret), token.expires_at)


def _scheme(uri: str) -> str:
    return uri.partition(":")[0]


async def authenticate(text: str, *, database: Database, auth: AuthSettings, users: SignedUsers) -> Caller:
    """Return the caller with this access token. The role is read now, so that removing it takes effect at once.

    It counts only if the signed grants confirm it.

    Raises:
        TokenInvalid, TokenExpired.
    """
    token = decode_token(text, auth.token_secret)
    record = await database.find(USER_RECORD, address=token.address)
    assert record is not None  # noqa: S101 — the query has one row, with or without the user
    token.require_unexpired(record.now)
    user = await users.confirm(record, database)
    if user is None:
        raise TokenInvalid(f"{checksum(token.address)} may no longer sign in")
    return Caller(user, token, (token.expires_at - record.now).total_seconds())
