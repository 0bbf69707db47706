"""Redis as a store that is not trusted: what is read from it counts only if a process of ours wrote it."""

from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from paimon.domain.operations.refusals import ContentUse, RefusalReason
from paimon.infrastructure.cache.authenticity import Authenticator, ContentRefused, RefusalLog
from paimon.infrastructure.cache.availability import is_wrong_type


class AuthenticatedRedis:
    """Entries and messages with the code of `authenticity`. Refused content is counted, and reads like none.

    `client` is for commands that read no content: a ping, a marker, a subscription.
    """

    def __init__(self, client: Redis, key: SecretStr) -> None:
        self.client = client
        self.refusals = RefusalLog()
        self._cache = Authenticator(key, ContentUse.CACHE)
        self._live = Authenticator(key, ContentUse.LIVE_MESSAGE)

    async def load(self, key: str, *, age_seconds_max: float | None) -> bytes | None:
        """Return the entry's content; None if there is none, or none of ours that is recent enough.

        Raises:
            RedisError: Redis does not answer.
        """
        try:
            found = await self.client.get(key)
        except ResponseError as error:
            if not is_wrong_type(error):
                raise
            self.refusals.record(ContentUse.CACHE, RefusalReason.MALFORMED, key)
            return None
        if found is None:
            return None
        wrapped = found if isinstance(found, bytes) else found.encode()  # as the client decodes, or not
        try:
            return self._cache.unwrap(wrapped, key, age_seconds_max=age_seconds_max)
        except ContentRefused as refusal:
            self.refusals.record(ContentUse.CACHE, refusal.reason, key)
            return None

    async def store(self, key: str, content: bytes, *, ttl_seconds: int | None) -> None:
        """Replace the entry. Raises RedisError when Redis does not take it."""
        await self.client.set(key, self._cache.wrap(content, key), ex=ttl_seconds)

    def refuse_entry(self, key: str) -> None:
        """Count an entry that was written with the key, but not in a shape that this version reads."""
        self.refusals.record(ContentUse.CACHE, RefusalReason.MALFORMED, key)

    async def publish(self, topic: str, content: bytes) -> None:
        """Publish one message. Raises RedisError when Redis does not take it."""
        await self.client.publish(topic, self._live.wrap(content, topic))

    def unwrap_message(self, topic: str, wrapped: bytes, *, age_seconds_max: float) -> bytes | None:
        """Return a message's content; None if no process of ours published it on this topic just now."""
        try:
            return self._live.unwrap(wrapped, topic, age_seconds_max=age_seconds_max)
        except ContentRefused as refusal:
            self.refusals.record(ContentUse.LIVE_MESSAGE, refusal.reason, topic)
            return None

    def refuse_message(self, topic: str) -> None:
        """Count a message that was published with the key, but not in a shape that this version reads."""
        self.refusals.record(ContentUse.LIVE_MESSAGE, RefusalReason.MALFORMED, topic)

    async def aclose(self) -> None:
        await self.client.aclose()
