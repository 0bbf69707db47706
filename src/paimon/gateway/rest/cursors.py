"""Cursors of lists: a position as opaque text that only the same list with the same filters takes back.

    cursor = base64url(MAC ‖ JSON of the position)        MAC = HMAC-SHA256 over path, filters and position, 128 bits

A key of the API's own secret makes the MAC, so a changed cursor, or one of another list, filter or installation is refused
before any of it reaches a query. Cursors of the other secrets are read too.
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import SecretStr

from paimon.infrastructure.database.paging import InvalidCursor, Key, Position

CURSOR_CHARACTERS_MAX: Final = 1_000
PAGE_PARAMETERS: Final = frozenset({"page", "pageSize", "cursor"})
"""Parameters that select a page. All others select the rows of the list."""

_MAC_BYTES: Final = 16
_PURPOSE: Final = b"paimon list cursor 1"
"""Separates these MACs from other uses of the secret, and one layout of positions from the next."""


@dataclass(frozen=True, slots=True)
class CursorCodec:
    """Writes and reads the cursors of one list: its path with its filters."""

    secrets: tuple[bytes, ...]
    """The first one writes."""
    path: str
    filters: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, secrets: Iterable[SecretStr], path: str, query: Iterable[tuple[str, str]]) -> "CursorCodec":
        filters = sorted((name, value) for name, value in query if name not in PAGE_PARAMETERS)
        derived = (hmac.digest(secret.get_secret_value().encode(), _PURPOSE, hashlib.sha256) for secret in secrets)
        return cls(tuple(derived), path, tuple(filters))

    def encode(self, position: Position) -> str:
        keys = [_encode_key(key) for key in position.keys]
        content = json.dumps([position.block, *keys], separators=(",", ":")).encode()
        return _text(self._mac(self.secrets[0], content) + content)

    def decode(self, cursor: str) -> Position:
        """Read a cursor. Raises InvalidCursor."""
        try:
            raw = urlsafe_b64decode((cursor + "=" * (-len(cursor) % 4)).encode("ascii"))
        except ValueError:
            raise InvalidCursor from None
        mac, content = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        is_ours = any(hmac.compare_digest(mac, self._mac(secret, content)) for secret in self.secrets)
        if _text(raw) != cursor or not is_ours:  # the decoder skips foreign characters
            raise InvalidCursor
        block, *keys = json.loads(content)
        return Position(tuple(_decode_key(kind, value) for kind, value in keys), block)

    def _mac(self, secret: bytes, content: bytes) -> bytes:
        scope = json.dumps([self.path, self.filters]).encode()
        return hmac.digest(secret, len(scope).to_bytes(8, "big") + scope + content, hashlib.sha256)[:_MAC_BYTES]


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _encode_key(key: Key) -> tuple[str, int | str]:
    match key:
        case int():
            return "int", key
        case str():
            return "str", str(key)
        case bytes():
            return "bytes", key.hex()
        case datetime():
            return "time", key.isoformat()
        case UUID():
            return "uuid", str(key)


def _decode_key(kind: str, value: Any) -> Key:
    match kind:
        case "bytes":
            return bytes.fromhex(value)
        case "time":
            return datetime.fromisoformat(value)
        case "uuid":
            return UUID(value)
    return value  # type: ignore[no-any-return]  # an integer or text, as JSON has them
