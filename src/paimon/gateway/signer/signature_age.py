"""How old a person's signature may be when the signer acts on it, and how far ahead it may expire."""

from datetime import datetime, timedelta
from typing import Final

from paimon.gateway.signer.check_request import RefusalCode, RequestRefused
from paimon.gateway.signer.policy import SignerPolicy

EXPIRY_AHEAD_MAX: Final = timedelta(hours=1)
"""A signature that expires later could be kept for another day."""


def require_fresh(expires_at: datetime, policy: SignerPolicy, *, now: datetime, what: str) -> None:
    """Refuse a signature that was withheld longer than the policy allows, and one that could be kept for later.

    The expiry binds the acceptance by the application; what it accepted may be sent for some time after.

    Raises:
        RequestRefused
    """
    age_max = timedelta(hours=policy.signature_age_hours_max)
    if now > expires_at + age_max:
        raise RequestRefused(
            RefusalCode.SIGNATURE_TOO_OLD,
            f"{what} expired at {expires_at:%Y-%m-%dT%H:%M:%SZ}, more than {policy.signature_age_hours_max} hours ago",
        )
    if expires_at > now + EXPIRY_AHEAD_MAX:
        raise RequestRefused(
            RefusalCode.EXPIRES_TOO_LATE, f"{what} expires at {expires_at:%Y-%m-%dT%H:%M:%SZ}, more than an hour ahead"
        )
