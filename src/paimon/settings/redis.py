"""Settings of the Redis connection."""

from pydantic import Field

from paimon.settings.base import RedisUrl, SettingsGroup


class RedisSettings(SettingsGroup):
    """Redis or Valkey: broker, cache and live messages. Nothing recorded is lost with it."""

    url: RedisUrl = Field(description="redis://:password@host:port/0")
