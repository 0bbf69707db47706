"""EIP-712 documents: the domain they count in, and how long a signature is accepted."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from paimon.domain.kernel.chain import Address
from paimon.errors import InvalidRequest

DOMAIN_FIELDS: Final = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]
"""What every document of this house says of where it counts."""


class InvalidExpiry(InvalidRequest):
    """The vote's expiry has passed, or lies further ahead than a vote may."""

    field = "expiresAt"


@dataclass(frozen=True, slots=True)
class SigningScope:
    """Where a vote counts: this chain, this RedemptionManager."""

    chain_id: int
    redemption_manager: Address


def require_valid_expiry(expires_at: datetime, *, now: datetime, ttl_seconds_max: int) -> None:
    """A vote's expiry binds its acceptance: it must lie ahead, and not so far that a signature could be kept for later.

    Raises:
        InvalidExpiry
    """
    if expires_at <= now:
        raise InvalidExpiry(f"the vote expired at {expires_at:%Y-%m-%dT%H:%M:%SZ}; fetch the ticket again and sign anew")
    if expires_at > now + timedelta(seconds=ttl_seconds_max):
        raise InvalidExpiry(f"a vote may be signed at most {ttl_seconds_max} seconds ahead of its expiry")
