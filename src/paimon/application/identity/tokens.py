"""Access tokens: signed claims of a user's address and an expiry. The user's role is not in it, but in the users table.

The expiry is compared with the database's time, which the caller passes, so that all replicas agree.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import jwt
from pydantic import SecretStr

from paimon.domain.kernel.chain import Address, InvalidAddress, checksum, parse_address
from paimon.errors import AuthenticationExpired, Unauthenticated

_ALGORITHM: Final = "HS256"
_ISSUER: Final = "paimon"


class TokenInvalid(Unauthenticated):
    """The access token was not issued here, or its user may no longer sign in."""


class TokenExpired(AuthenticationExpired):
    """The access token has expired; sign in again."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The claims of a token, to the second."""

    address: Address
    expires_at: datetime

    def require_unexpired(self, now: datetime) -> None:
        """Raises TokenExpired."""
        if self.expires_at <= now:
            raise TokenExpired


def new_token(address: Address, *, now: datetime, ttl_seconds: int) -> AccessToken:
    return AccessToken(address, now.replace(microsecond=0) + timedelta(seconds=ttl_seconds))


def encode_token(token: AccessToken, secret: SecretStr) -> str:
    claims = {"iss": _ISSUER, "sub": checksum(token.address), "exp": int(token.expires_at.timestamp())}
    return jwt.encode(claims, secret.get_secret_value(), algorithm=_ALGORITHM)


def decode_token(text: str, secret: SecretStr) -> AccessToken:
    """Return the claims of a token that was issued here, expired or not.

    Raises:
        TokenInvalid
    """
    try:
        claims = jwt.decode(
            text,
            secret.get_secret_value(),
            algorithms=[_ALGORITHM],
            issuer=_ISSUER,
            options={"require": ["sub", "exp"], "verify_exp": False},
        )
        return AccessToken(parse_address(claims["sub"]), datetime.fromtimestamp(int(claims["exp"]), UTC))
    except (jwt.InvalidTokenError, InvalidAddress) as error:
        raise TokenInvalid("the access token was not issued here") from error
