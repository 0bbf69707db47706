"""Authenticity of what Redis holds for us: each entry and message carries a code that only a holder of the key can make.

An attacker who can write to Redis can delete, delay or repeat what is in it, but make nothing that a process believes.
The code (HMAC-SHA256) covers

    the use             a key of its own for each use is derived from the application's key
    the place           the Redis key, topic or queue, so that one entry cannot stand in for another
    the time of writing so that an old entry is refused where its age matters
    the content

Wrapped content is code (32 bytes), time (8 bytes, milliseconds since 1970, big endian), content.
"""

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

import structlog
from pydantic import SecretStr

from paimon.domain.operations.refusals import ContentUse, RefusalReason
from paimon.infrastructure.observability.metrics import REDIS_CONTENT_REFUSED

log = structlog.get_logger(__name__)

_DIGEST: Final = "sha256"
_CODE_BYTES: Final = 32
_TIME_BYTES: Final = 8
CLOCK_DIFFERENCE_SECONDS_MAX: Final = 60.0
"""How far the clocks of two hosts may differ before one refuses as too old what the other has just written."""
RECENT_SECONDS: Final = 300.0
"""How long refused content shows in the health report."""
_LOG_PAUSE_SECONDS: Final = 60.0


class ContentRefused(Exception):
    """The content was not written by a process of ours for this place, or it is too old."""

    def __init__(self, reason: RefusalReason) -> None:
        super().__init__(f"content in Redis is {reason}")
        self.reason = reason


class Authenticator:
    """Wraps and unwraps the content of one use."""

    def __init__(self, key: SecretStr, use: ContentUse, *, clock: Callable[[], float] = time.time) -> None:
        self._key = hmac.digest(key.get_secret_value().encode(), f"paimon redis {use}".encode(), _DIGEST)
        self._clock = clock

    def wrap(self, content: bytes, place: str) -> bytes:
        """Return the content with its code for this place (a Redis key, topic or queue)."""
        written_at = int(self._clock() * 1000).to_bytes(_TIME_BYTES, "big")
        return self._code(written_at, content, place) + written_at + content

    def unwrap(self, wrapped: bytes, place: str, *, age_seconds_max: float | None = None) -> bytes:
        """Return the content.

        Raises:
            ContentRefused: the code is wrong, or the content older than `age_seconds_max` and the clocks' difference.
        """
        code, written_at = wrapped[:_CODE_BYTES], wrapped[_CODE_BYTES : _CODE_BYTES + _TIME_BYTES]
        content = wrapped[_CODE_BYTES + _TIME_BYTES :]
        if not hmac.compare_digest(code, self._code(written_at, content, place)):
            raise ContentRefused(RefusalReason.FORGED)
        age_seconds = self._clock() - int.from_bytes(written_at, "big") / 1000
        if age_seconds_max is not None and age_seconds > age_seconds_max + CLOCK_DIFFERENCE_SECONDS_MAX:
            raise ContentRefused(RefusalReason.STALE)
        return content

    def _code(self, written_at: bytes, content: bytes, place: str) -> bytes:
        where = place.encode()
        return hmac.digest(self._key, b"".join((len(where).to_bytes(4, "big"), where, written_at, content)), _DIGEST)


@dataclass(slots=True)
class _Refused:
    count: int = 0
    last_at: float = 0.0
    logged_at: float | None = None


@dataclass(frozen=True, slots=True)
class RecentRefusals:
    """Refused content of one use: how much since the process began, and how long ago the last."""

    use: ContentUse
    count: int
    seconds_ago: float


@dataclass(slots=True)
class RefusalLog:
    """Counts refused content in the metrics and for the health report, and logs it once a minute at most for each use."""

    clock: Callable[[], float] = time.monotonic
    _refused: dict[ContentUse, _Refused] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def record(self, use: ContentUse, reason: RefusalReason, place: str) -> None:
        REDIS_CONTENT_REFUSED.labels(use.value, reason.value).inc()
        with self._lock:
            entry, now = self._refused.setdefault(use, _Refused()), self.clock()
            entry.count += 1
            entry.last_at = now
            if entry.logged_at is not None and now - entry.logged_at < _LOG_PAUSE_SECONDS:
                return
            entry.logged_at = now
            log.error("redis.content_refused", use=use.value, reason=reason.value, place=place[:100], refused=entry.count)

    def recent(self) -> list[RecentRefusals]:
        """List the uses with content that was refused within RECENT_SECONDS."""
        now = self.clock()
        with self._lock:
            return [
                RecentRefusals(use, entry.count, round(now - entry.last_at, 1))
                for use, entry in self._refused.items()
                if now - entry.last_at <= RECENT_SECONDS
            ]
