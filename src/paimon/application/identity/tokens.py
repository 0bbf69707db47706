"""Access tokens: signed claims of a user's address and an expiry. The user's role is not in it, but in the users table.

The expiry is compared with the database's time, which the caller passes, so that all replicas agree.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

import jwt
from pydantic import SecretStr

from paimon.domain.kernel.chain import Address, InvalidAddress, checksum, parse_address
from paimon.errors import AuthenticationExpired, Unauthenticated

_ALGORITHM: Final = "HS256"
_ISSUER: Final = "paimon"
_AUDIENCE: Final = "paimon-api"
_TYPE: Final = "at+jwt"
"""The type of access tokens (RFC 9068), so that no other token under the same key counts as one."""
_SECONDS_MAX: Final = 253_402_300_799  # the end of the year 9999


class TokenInvalid(Unauthenticated):
    """The access token was not issued here, or its user may no longer sign in."""


class TokenExpired(AuthenticationExpired):
    """The access token has expired; sign in again."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The claims of a token, to the second."""

    address: Address
    issued_at: datetime
    expires_at: datetime
    id: str

    def require_unexpired(self, now: datetime) -> None:
        """Raises TokenExpired."""
        if self.expires_at <= now:
            raise TokenExpired


def new_token(address: Address, *, now: datetime, ttl_seconds: int) -> AccessToken:
    issued_at = now.replace(microsecond=0)
    return AccessToken(address, issued_at, issued_at + timedelta(seconds=ttl_seconds), uuid4().hex)


def encode_token(token: AccessToken, secret: SecretStr) -> str:
    claims = {
        "iss": _ISSUER,
        "aud": _AUDIENCE,
        "sub": checksum(token.address),
        "iat": int(token.issued_at.timestamp()),
        "exp": int(token.expires_at.timestamp()),
        "jti": token.id,
    }
    return jwt.encode(claims, secret.get_secret_value(), algorithm=_ALGORITHM, headers={"typ": _TYPE})


def decode_token(text: str, secret: SecretStr) -> AccessToken:
    """Return the claims of a token that was issued here, expired or not.

    Raises:
        TokenInvalid
    """
    try:
        decoded = jwt.decode_complete(
            text,
            secret.get_secret_value(),
            algorithms=[_ALGORITHM],
            issuer=_ISSUER,
            audience=_AUDIENCE,
            options={"require": ["iss", "aud", "sub", "iat", "exp", "jti"], "verify_exp": False, "verify_iat": False},
        )
        claims = decoded["payload"]
        if decoded["header"].get("typ") != _TYPE:
            raise TokenInvalid("this is not an access token")
        return AccessToken(parse_address(claims["sub"]), _time(claims["iat"]), _time(claims["exp"]), str(claims["jti"]))
    except (jwt.InvalidTokenError, InvalidAddress) as error:
        raise TokenInvalid("the access token was not issued here") from error


def _time(seconds: object) -> datetime:
    """Return the time of a claim. Raises TokenInvalid for what is no time."""
    if type(seconds) is not int or not 0 <= seconds <= _SECONDS_MAX:
        raise TokenInvalid("the access token was not issued here")
    return datetime.fromtimestamp(seconds, UTC)
