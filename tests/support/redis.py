"""Redis in tests: settings with a key, and the client that wraps what it writes with it."""

from typing import Final

from pydantic import SecretStr
from redis.asyncio import Redis

from paimon.infrastructure.cache.authenticated_redis import AuthenticatedRedis
from paimon.settings import RedisSettings

INTEGRITY_KEY: Final = SecretStr("a key for tests only, of 32 bytes+")


def redis_settings(url: str) -> RedisSettings:
    return RedisSettings(url=SecretStr(url), integrity_key=INTEGRITY_KEY)


def authenticated(client: Redis) -> AuthenticatedRedis:
    return AuthenticatedRedis(client, INTEGRITY_KEY)
