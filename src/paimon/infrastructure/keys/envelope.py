"""Envelope encryption of small texts: AES-256-GCM under a data key of each subject, which a wrapping key encrypts.

    secret of the settings ──HMAC──► wrapping key ──AES-256-GCM──► data key of a subject ──AES-256-GCM──► each text

A reader of the database alone has neither a text nor a key. A data key that is gone takes every text under it along, in copies
of the database too. Each text is bound to its place, so that one cannot be moved to another row or person.
"""

import hmac
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from paimon.errors import Unavailable

WRAPPED_BY_BYTES: Final = 8
_KEY_USE: Final = b"paimon personal data key"
_NAME_USE: Final = b"paimon name of the personal data key"
_KEY_BITS: Final = 256
_NONCE_BYTES: Final = 12
_ID_BYTES: Final = 8


class WrappingKeyUnknown(Unavailable):
    """A data key was wrapped with a secret that this process does not have."""


class SealedTextDamaged(Unavailable):
    """A sealed text or data key was changed, or belongs to another place."""


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key as the database has it, and the name of the wrapping key (8 bytes)."""

    wrapped_by: bytes
    content: bytes


class WrappingKeys:
    """The wrapping keys of these secrets. The first one's wraps, the keys of all unwrap."""

    def __init__(self, secrets: Sequence[SecretStr]) -> None:
        texts = [secret.get_secret_value().encode() for secret in secrets]
        self._ciphers = {_name(text): AESGCM(hmac.digest(text, _KEY_USE, "sha256")) for text in texts}
        self.current = _name(texts[0])
        self.names: Final = tuple(self._ciphers)

    def new_key(self, subject: bytes) -> WrappedKey:
        """Make a random data key of this subject."""
        return self._wrap(AESGCM.generate_key(_KEY_BITS), subject)

    def unwrap(self, wrapped: WrappedKey, subject: bytes) -> bytes:
        """Return the data key, 32 bytes.

        Raises:
            WrappingKeyUnknown, SealedTextDamaged.
        """
        cipher = self._ciphers.get(wrapped.wrapped_by)
        if cipher is None:
            raise WrappingKeyUnknown(unknown_key_text([wrapped.wrapped_by]))
        return _decrypt(cipher, wrapped.content, subject)

    def rewrap(self, wrapped: WrappedKey, subject: bytes) -> WrappedKey:
        """Wrap the data key with the current secret. Texts under it stay as they are."""
        return self._wrap(self.unwrap(wrapped, subject), subject)

    def _wrap(self, key: bytes, subject: bytes) -> WrappedKey:
        return WrappedKey(self.current, _encrypt(self._ciphers[self.current], key, subject))


@cache
def wrapping_keys(secrets: tuple[SecretStr, ...]) -> WrappingKeys:
    """Return the wrapping keys of these secrets, the current one first."""
    return WrappingKeys(secrets)


def unknown_key_text(names: Sequence[bytes]) -> str:
    """Return what is wrong, and what would be right, when data keys were wrapped with secrets that are not set."""
    listed = ", ".join(name.hex() for name in names)
    return (
        f"personal data is encrypted under a secret that is not set ({listed}): set it as PAIMON_AUTH__PERSONAL_DATA_SECRET or"
        " in PAIMON_AUTH__OTHER_PERSONAL_DATA_SECRETS"
    )


@dataclass(frozen=True, slots=True)
class SubjectCipher:
    """The data keys of one subject, by number. A text under a key that is not here is erased."""

    keys: Mapping[int, bytes]

    def seal(self, text: str, place: str) -> bytes:
        """Encrypt a text for this place under the newest key, whose number comes first in the result."""
        number = max(self.keys)
        return number.to_bytes(_ID_BYTES) + _encrypt(AESGCM(self.keys[number]), text.encode(), place.encode())

    def open(self, sealed: bytes | None, place: str) -> str | None:
        """Return the text of this place; None where there is none, or where it is erased.

        Raises:
            SealedTextDamaged
        """
        key = None if sealed is None else self.keys.get(int.from_bytes(sealed[:_ID_BYTES]))
        if sealed is None or key is None:
            return None
        return _decrypt(AESGCM(key), sealed[_ID_BYTES:], place.encode()).decode()


def _name(secret: bytes) -> bytes:
    return hmac.digest(secret, _NAME_USE, "sha256")[:WRAPPED_BY_BYTES]


def _encrypt(cipher: AESGCM, content: bytes, context: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, content, context)


def _decrypt(cipher: AESGCM, content: bytes, context: bytes) -> bytes:
    try:
        return cipher.decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], context)
    except (InvalidTag, ValueError) as error:
        raise SealedTextDamaged from error
