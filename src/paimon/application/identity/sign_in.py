"""Sign in with a wallet (EIP-4361): issue a challenge to sign, and verify the signed challenge, which opens a session.

Every address that asks gets a challenge, so that asking does not show which addresses are users. A challenge works once, for
its address, until its expiry by the database's clock. It proves its own origin (`challenge_nonce`); a row is written when it
is used, and the rows of expired challenges are deleted then.

A wallet may sign the text of the challenge, or a message of its own library over the challenge's nonce, this site's domain
and URI, and the chain. The message's own times can only shorten the challenge's life. Clocks differ: the times may be early or
late by a tolerance, and the record of a used challenge is kept for as long.

A wallet is a key, or a contract such as a Safe, which says itself whether a signature is its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from paimon.application.common.contract_wallets import ContractWallets
from paimon.application.identity.challenge_nonce import find_expiry, new_nonce
from paimon.application.identity.permissions import NotPermitted
from paimon.application.identity.session_store import Origin, touch_session
from paimon.application.identity.sessions import IssuedTokens, SessionEnded, open_session, require_active
from paimon.application.identity.signed_users import SignedUsers, find_user
from paimon.application.identity.store import USER_RECORD, use_challenge
from paimon.application.identity.tokens import AccessToken, TokenInvalid, TokenKeys
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.user.roles import User
from paimon.domain.user.siwe import SignInMessage, mismatched_fields, parse, render
from paimon.errors import AuthenticationExpired, Forbidden, InvalidRequest, Unauthenticated
from paimon.infrastructure.database.availability import DatabaseUnavailable
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.signatures import (
    MalformedSignature,
    parse_hex_signature,
    parse_signature,
    recover_text,
    text_digest,
)
from paimon.settings import AuthSettings

log = structlog.get_logger(__name__)

_TOUCH_SECONDS: Final = 60
"""A session's last use is recorded once a minute at most: that is fine enough for half an hour without use."""

_REASON_CHARACTERS_MAX: Final = 200

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
    text: str,
    signature: str,
    origin: Origin,
    *,
    database: Database,
    auth: AuthSettings,
    keys: TokenKeys,
    scope: SigningScope,
    wallets: ContractWallets,
) -> IssuedTokens:
    """Open a session of the user who signed this message, and return its tokens.

    Raises:
        MalformedMessage, MalformedSignature, SignInRefused, ChallengeExpired, NotPermitted, WalletNotRead.
    """
    with _refusal_logged(origin):
        message = parse(text)
        signer = message.address
        expected = replace(message, domain=auth.domain, uri=auth.uri, chain_id=scope.chain_id, scheme=_scheme(auth.uri))
        if wrong := mismatched_fields(message, expected):
            raise SignInRefused(f"the signed message does not fit this site: {', '.join(wrong)}")
        expires_at = find_expiry(message.nonce, signer, secrets=auth.token_secrets())
        if expires_at is None:
            raise SignInRefused("this challenge was not issued here to this wallet; ask for a new one")
        if (fault := _key_fault(signer, text, signature)) is not None and not await _accepts(
            signer, text, signature, database=database, scope=scope, wallets=wallets
        ):
            raise fault
        tolerance = timedelta(seconds=auth.clock_tolerance_seconds)
        issued = None
        async with database.write() as session:
            now = await database_now(session)
            _require_in_time(message, expires_at, now, tolerance)
            if not await use_challenge(session, message.nonce, signer, text, now=now, expires_at=expires_at + tolerance):
                raise SignInRefused("this challenge was used before; ask for a new one")
            user = await find_user(session, signer, scope)
            if user is not None:
                issued = await open_session(session, user, origin, auth=auth, keys=keys, now=now)
        # Outside the transaction: the challenge is used up even when its signer is not a user.
        if issued is None:
            raise NotPermitted(f"{checksum(signer)} is not a user; an administrator must add it first")
        log.info("user.signed_in", address=checksum(signer), role=issued.user.role, session=str(issued.session.id))
        return issued


@contextmanager
def _refusal_logged(origin: Origin) -> Iterator[None]:
    """Log a refused sign-in with its network address and a bounded reason."""
    try:
        yield
    except (Unauthenticated, Forbidden, InvalidRequest) as refusal:
        reason = str(refusal)[:_REASON_CHARACTERS_MAX]
        log.warning("user.sign_in_refused", network_address=origin.network_address, reason=reason)
        raise


def _key_fault(signer: Address, text: str, signature: str) -> MalformedSignature | SignInRefused | None:
    """Return why the signature is not that of the signer's own key, or None where it is."""
    try:
        recovered = recover_text(text, parse_signature(signature))
    except MalformedSignature as fault:
        return fault
    if recovered != signer:
        return SignInRefused(f"{checksum(signer)} did not sign this message, and no user's contract accepts the signature")
    return None


async def _accepts(
    signer: Address, text: str, signature: str, *, database: Database, scope: SigningScope, wallets: ContractWallets
) -> bool:
    """Return whether the signer is a user whose contract accepts the signature (EIP-1271).

    Only users' contracts are asked, so that a stranger's text costs no request to the chain.
    """
    async with database.read() as session:
        user = await find_user(session, signer, scope)
    if user is None:
        return False
    return await wallets.find_accepting_block(signer, text_digest(text), parse_hex_signature(signature)) is not None


def _require_in_time(message: SignInMessage, expires_at: datetime, now: datetime, tolerance: timedelta) -> None:
    """Compare the times of a message and its challenge with the database's. Raises SignInRefused, ChallengeExpired."""
    if message.not_before is not None and now < message.not_before - tolerance:
        raise SignInRefused("the signed message is not valid yet: its `Not Before` is in the future")
    if min(expires_at, message.expires_at or expires_at) <= now - tolerance:
        raise ChallengeExpired


def _scheme(uri: str) -> str:
    return uri.partition(":")[0]


async def authenticate(text: str, *, database: Database, auth: AuthSettings, keys: TokenKeys, users: SignedUsers) -> Caller:
    """Return the caller with this access token. Role and session are read now, so that ending either takes effect at once.

    The role is the one that the signed grants give.

    Raises:
        TokenInvalid, TokenExpired, SessionEnded, SessionExpired.
    """
    token = keys.decode(text)
    record = await database.find_newest(USER_RECORD, address=token.address, session=token.session)
    assert record is not None  # noqa: S101 — the query has one row, with or without a session
    token.require_unexpired(record.now)
    if record.session is None:
        raise SessionEnded
    require_active(record.session, record.now, auth=auth)
    user = await users.find(token.address, record.head, database)
    if user is None:
        raise TokenInvalid(f"{checksum(token.address)} may no longer sign in")
    if record.session.used_at + timedelta(seconds=_TOUCH_SECONDS) <= record.now:
        await _record_use(token, record.now, database)
    return Caller(user, token, (token.expires_at - record.now).total_seconds())


async def _record_use(token: AccessToken, now: datetime, database: Database) -> None:
    """Record that the session is in use. A database that takes no writes still answers reads."""
    try:
        async with database.write_single() as session:
            await touch_session(session, token.session, now)
    except DatabaseUnavailable as error:
        log.warning("session.use_not_recorded", reason=str(error).splitlines()[0])
