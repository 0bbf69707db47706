"""Settings of the outbox and its queue."""

from pydantic import Field

from paimon.settings.base import SettingsGroup


class QueueSettings(SettingsGroup):
    relay_batch: int = Field(100, ge=1)
    relay_poll_seconds: float = Field(1.0, gt=0, description="sweep when no NOTIFY arrives")
    republish_seconds: int = Field(30, ge=1, description="enqueued but not done for so long: publish again")
    handler_attempts_max: int = Field(12, ge=1, description="then the row is dead-lettered, visibly")
    backoff_seconds_max: int = 300
    worker_concurrency: int = Field(2, ge=1)
