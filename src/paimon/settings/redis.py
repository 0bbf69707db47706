"""Settings of the Redis connection."""

from pydantic import Field

from paimon.settings.base import RedisUrl, SettingsGroup


class RedisSettings(SettingsGroup):
    url: RedisUrl = Field(description="redis://:password@host:port/0; broker, cache and live messages")
