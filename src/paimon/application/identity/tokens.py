"""Access tokens: signed claims of who someone is and until when. What they may do is not in it, but in the users table.

Expiry is judged by the time the caller gives, the database's, so that all replicas agree.
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
    """Not a token of this house, or of somebody who may no longer come in."""


class TokenExpired(AuthenticationExpired):
    """The access token has expired; sign in again."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The claims, to the second."""

    address: Address
    expires_at: datetime

    def require_unexpired(self, now: datetime) -> None:
        """Raises TokenExpired."""
        if self.expires_at <= now:
            raise TokenExpired(TokenExpired.__doc__)


def new_token(address: Address, *, now: datetime, ttl_seconds: int) -> AccessToken:
    return AccessToken(address, now.replace(microsecond=0) + timedelta(seconds=ttl_seconds))


def encode_token(token: AccessToken, secret: SecretStr) -> str:
    claims = {"iss": _ISSUER, "sub": checksum(token.address), "exp": int(token.expires_at.timestamp())}
    return jwt.encode(claims, secret.get_secret_value(), algorithm=_ALGORITHM)


def decode_token(text: str, secret: SecretStr) -> AccessToken:
    """The claims of a token we signed, expired or not.

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
        raise TokenInvalid("the access token is not one of ours") from error
