"""What signed actions have that needs no cryptography: apart, so that reading it loads none."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.eip712 import SignatureTerms, SigningScope

_NONCE_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class SigningRules:
    """Where a signature counts, and how far ahead its expiry may be."""

    scope: SigningScope
    ttl_seconds_max: int

    def new_terms(self, now: datetime) -> SignatureTerms:
        """Return a fresh nonce with the latest expiry that is accepted."""
        expires_at = now.replace(microsecond=0) + timedelta(seconds=self.ttl_seconds_max)
        return SignatureTerms(Hash32(secrets.token_bytes(_NONCE_BYTES)), expires_at)


@dataclass(frozen=True, slots=True)
class SignatureEvidence:
    """A verified signature with the document it covers, as it is stored beside the action."""

    signer: Address
    terms: SignatureTerms
    document: dict[str, Any]
    signature: bytes
    verified_at_block: int | None = None
    """The final block at which a contract wallet accepted the signature; None for a key's signature."""
