"""Signing in with a wallet (EIP-4361): a challenge to sign, and its verification for an access token.

A challenge is given to every address that asks, known or not, so that asking tells nobody who works here. It counts once
and until its expiry by the database's clock; after that its row is of no use to anyone and is removed.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import delete, update

from paimon.application.identity.tokens import (
    AccessToken,
    TokenInvalid,
    decode_token,
    encode_token,
    new_token,
)
from paimon.application.identity.users import USER_WITH_CLOCK, NotPermitted, find_user
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.user.roles import User
from paimon.domain.user.siwe import SignInMessage, differing_fields, parse, render
from paimon.errors import AuthenticationExpired, Unauthenticated
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.user import SignInChallengeRow
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.infrastructure.keys.signatures import parse_signature, recover_text
from paimon.settings import AuthSettings

log = structlog.get_logger(__name__)

STATEMENT: Final = "Sign in to the operations desk of Paimon Prime Fund. This costs nothing and sends no transaction."
_NONCE_BYTES: Final = 16


class SignInRefused(Unauthenticated):
    """The signed message is not one this house handed out, was used before, or was signed by another wallet."""


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
    """A user who came in, with the token that says so."""

    user: User
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is behind a token now, and for how much longer."""

    user: User
    token: AccessToken
    seconds_left: float


async def create_challenge(address: Address, *, database: Database, auth: AuthSettings, chain_id: int) -> Challenge:
    """A fresh message for this wallet to sign."""
    async with database.write() as session:
        now = (await database_now(session)).replace(microsecond=0)
        message = SignInMessage(
            domain=auth.domain,
            address=address,
            statement=STATEMENT,
            uri=auth.uri,
            chain_id=chain_id,
            nonce=secrets.token_hex(_NONCE_BYTES),
            issued_at=now,
            expires_at=now + timedelta(seconds=auth.challenge_ttl_seconds),
        )
        text = render(message)
        await session.execute(delete(SignInChallengeRow).where(SignInChallengeRow.expires_at < now))
        session.add(SignInChallengeRow(nonce=message.nonce, address=address, message=text, expires_at=message.expires_at))
    return Challenge(text, message.nonce, message.expires_at)


async def verify_challenge(text: str, signature: str, *, database: Database, auth: AuthSettings, chain_id: int) -> SignInResult:
    """Who signed this message, with an access token.

    Raises:
        MalformedMessage, MalformedSignature, SignInRefused, ChallengeExpired, NotPermitted.
    """
    message = parse(text)
    signer = recover_text(text, parse_signature(signature))
    expected = SignInMessage(
        domain=auth.domain,
        address=signer,
        statement=STATEMENT,
        uri=auth.uri,
        chain_id=chain_id,
        nonce=message.nonce,
        issued_at=message.issued_at,
        expires_at=message.expires_at,
    )
    if wrong := differing_fields(message, expected):
        raise SignInRefused(f"the signed message does not fit this site or its signer: {', '.join(wrong)}")
    async with database.write() as session:
        now = await database_now(session)
        if message.expires_at <= now:
            raise ChallengeExpired(ChallengeExpired.__doc__)
        await _consume_challenge(session, message.nonce, text, now=now)
        user = await find_user(session, signer)
    # Outside the transaction: a challenge is spent even when its signer may not come in.
    if user is None:
        raise NotPermitted(f"{checksum(signer)} is nobody's wallet here; an administrator must add it first")
    token = new_token(signer, now=now, ttl_seconds=auth.access_token_ttl_seconds)
    log.info("user.signed_in", address=checksum(signer), role=user.role)
    return SignInResult(user, encode_token(token, auth.token_secret), token.expires_at)


async def _consume_challenge(session: WriteSession, nonce: str, text: str, *, now: datetime) -> None:
    """Use the challenge up; of two at once, the second finds it used."""
    spent = (
        update(SignInChallengeRow)
        .where(SignInChallengeRow.nonce == nonce, SignInChallengeRow.message == text, SignInChallengeRow.used_at.is_(None))
        .values(used_at=now)
        .returning(SignInChallengeRow.nonce)
        .execution_options(synchronize_session=False)
    )
    if (await session.execute(spent)).scalar_one_or_none() is None:
        raise SignInRefused("this challenge was not handed out here, or was used before; ask for a new one")


async def authenticate(text: str, *, database: Database, auth: AuthSettings) -> Caller:
    """Who calls with this token. The role is read now, so that taking it away takes effect at once.

    Raises:
        TokenInvalid, TokenExpired.
    """
    token = decode_token(text, auth.token_secret)
    found = await database.find(USER_WITH_CLOCK, address=token.address)
    assert found is not None  # noqa: S101 — the clock is there without the user
    user, now = found
    token.require_unexpired(now)
    if user is None:
        raise TokenInvalid(f"{checksum(token.address)} may no longer sign in")
    return Caller(user, token, (token.expires_at - now).total_seconds())
