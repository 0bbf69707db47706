"""Access tokens: signed claims of a user's address, their session and an expiry. The role is not in it, but in the users table.

A key pair (Ed25519) is derived from each token secret of the settings. The first secret's key signs; the keys of all verify, so
that a secret is replaced while tokens of the old one are still in use. A token names its key (`kid`, RFC 7638). The key set
(RFC 7517) lets other services verify tokens without a secret.

The expiry is compared with the database's time, which the caller passes, so that all replicas agree.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any, Final
from uuid import UUID, uuid4

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from jwt.utils import base64url_encode
from pydantic import SecretStr

from paimon.domain.kernel.chain import Address, InvalidAddress, checksum, parse_address
from paimon.errors import AuthenticationExpired, Unauthenticated

_ALGORITHM: Final = "EdDSA"
_ISSUER: Final = "paimon"
_AUDIENCE: Final = "paimon-api"
_TYPE: Final = "at+jwt"
"""The type of access tokens (RFC 9068), so that no other token under the same key counts as one."""
_KEY_USE: Final = b"paimon access token key"
_CLAIMS: Final = ("iss", "aud", "sub", "sid", "iat", "exp", "jti")
_SECONDS_MAX: Final = 253_402_300_799  # the end of the year 9999
_REMEMBERED: Final = 10_000
"""Tokens that a process verifies once: a token comes with every request of its fifteen minutes."""


class TokenInvalid(Unauthenticated):
    """The access token was not issued here, or its user may no longer sign in."""


class TokenExpired(AuthenticationExpired):
    """The access token has expired; use the refresh token, or sign in again."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The claims of a token, to the second."""

    address: Address
    session: UUID
    issued_at: datetime
    expires_at: datetime
    id: str

    def require_unexpired(self, now: datetime) -> None:
        """Raises TokenExpired."""
        if self.expires_at <= now:
            raise TokenExpired


def new_token(address: Address, session: UUID, *, now: datetime, expires_at: datetime) -> AccessToken:
    """Make the claims of a token that expires at this time, cut to the second."""
    issued_at = now.replace(microsecond=0)
    return AccessToken(address, session, issued_at, expires_at.replace(microsecond=0), uuid4().hex)


@dataclass(frozen=True, slots=True)
class _Key:
    """A key pair with its public part as a JWK."""

    private: Ed25519PrivateKey
    jwk: dict[str, Any]

    @classmethod
    def derived_from(cls, secret: SecretStr) -> "_Key":
        seed = hmac.digest(secret.get_secret_value().encode(), _KEY_USE, "sha256")
        private = Ed25519PrivateKey.from_private_bytes(seed)
        public = OKPAlgorithm.to_jwk(private.public_key(), as_dict=True)
        required = {name: public[name] for name in ("crv", "kty", "x")}  # in this order: RFC 7638
        thumbprint = base64url_encode(sha256(orjson.dumps(required)).digest()).decode()
        return cls(private, {**required, "kid": thumbprint, "use": "sig", "alg": _ALGORITHM})


class TokenKeys:
    """The keys of access tokens: the first secret's signs, the keys of all verify."""

    def __init__(self, secrets: Sequence[SecretStr]) -> None:
        keys = [_Key.derived_from(secret) for secret in secrets]
        self._signing = keys[0]
        self._public = {key.jwk["kid"]: key.private.public_key() for key in keys}
        self._verified = lru_cache(_REMEMBERED)(self._verify)
        self.key_set = {"keys": [key.jwk for key in keys]}

    def encode(self, token: AccessToken) -> str:
        claims = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": checksum(token.address),
            "sid": token.session.hex,
            "iat": int(token.issued_at.timestamp()),
            "exp": int(token.expires_at.timestamp()),
            "jti": token.id,
        }
        headers = {"typ": _TYPE, "kid": self._signing.jwk["kid"]}
        return jwt.encode(claims, self._signing.private, algorithm=_ALGORITHM, headers=headers)

    def decode(self, text: str) -> AccessToken:
        """Return the claims of a token that was issued here, expired or not.

        Raises:
            TokenInvalid
        """
        return self._verified(text)

    def _verify(self, text: str) -> AccessToken:
        try:
            header = jwt.get_unverified_header(text)
            public = self._public.get(header.get("kid", ""))
            if public is None or header.get("typ") != _TYPE:
                raise TokenInvalid("the access token was not issued here")
            claims = jwt.decode(
                text,
                public,
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                audience=_AUDIENCE,
                options={"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False},
            )
            return AccessToken(
                parse_address(claims["sub"]),
                _session(claims["sid"]),
                _time(claims["iat"]),
                _time(claims["exp"]),
                str(claims["jti"]),
            )
        except (jwt.InvalidTokenError, InvalidAddress) as error:
            raise TokenInvalid("the access token was not issued here") from error


@cache
def token_keys(secrets: tuple[SecretStr, ...]) -> TokenKeys:
    """Return the keys of these secrets, the signing one first."""
    return TokenKeys(secrets)


def _session(text: object) -> UUID:
    """Return the session of a claim. Raises TokenInvalid for what is no session's id."""
    try:
        session = UUID(hex=str(text))
    except ValueError:
        session = None
    if session is None or session.hex != text:
        raise TokenInvalid("the access token was not issued here")
    return session


def _time(seconds: object) -> datetime:
    """Return the time of a claim. Raises TokenInvalid for what is no time."""
    if type(seconds) is not int or not 0 <= seconds <= _SECONDS_MAX:
        raise TokenInvalid("the access token was not issued here")
    return datetime.fromtimestamp(seconds, UTC)
