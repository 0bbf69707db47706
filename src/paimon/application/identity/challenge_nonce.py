"""Nonces of sign-in challenges that prove their own origin, so that a challenge is stored only once it is used.

A nonce is hexadecimal text: expiry (4 bytes, seconds since 1970), random (8 bytes), code (16 bytes). The code is an HMAC over
expiry, random and the wallet's address, with a key derived from a secret of access tokens.
"""

import hmac
from collections.abc import Iterable
from datetime import UTC, datetime
from secrets import token_bytes
from typing import Final

from pydantic import SecretStr

from paimon.domain.kernel.chain import Address

_USE: Final = b"paimon sign-in challenge"
_DIGEST: Final = "sha256"
_EXPIRY_BYTES: Final = 4
_RANDOM_BYTES: Final = 8
_CODE_BYTES: Final = 16
_NONCE_BYTES: Final = _EXPIRY_BYTES + _RANDOM_BYTES + _CODE_BYTES


def new_nonce(address: Address, *, expires_at: datetime, secret: SecretStr) -> str:
    """Make a nonce for this wallet, valid until `expires_at`, to the second."""
    content = int(expires_at.timestamp()).to_bytes(_EXPIRY_BYTES, "big") + token_bytes(_RANDOM_BYTES)
    return (content + _code(content, address, secret)).hex()


def find_expiry(nonce: str, address: Address, *, secrets: Iterable[SecretStr]) -> datetime | None:
    """Return until when the nonce is valid; None if it was not issued here to this wallet."""
    try:
        raw = bytes.fromhex(nonce)
    except ValueError:
        return None
    content, code = raw[:-_CODE_BYTES], raw[-_CODE_BYTES:]
    if len(raw) != _NONCE_BYTES or raw.hex() != nonce:
        return None
    if not any(hmac.compare_digest(code, _code(content, address, secret)) for secret in secrets):
        return None
    return datetime.fromtimestamp(int.from_bytes(content[:_EXPIRY_BYTES], "big"), UTC)


def _code(content: bytes, address: Address, secret: SecretStr) -> bytes:
    key = hmac.digest(secret.get_secret_value().encode(), _USE, _DIGEST)
    return hmac.digest(key, content + address, _DIGEST)[:_CODE_BYTES]
