"""Settings of the outbox and its queue."""

from pydantic import Field

from paimon.settings.base import SettingsGroup


class QueueSettings(SettingsGroup):
    """The outbox: how its messages are published, retried and handled."""

    relay_batch: int = Field(100, ge=1, description="messages that the relay publishes in one transaction")
    relay_poll_seconds: float = Field(1.0, gt=0, description="seconds after which the relay polls when no notification arrives")
    republish_seconds: int = Field(30, ge=1, description="seconds until a message that is not done is published again")
    handler_attempts_max: int = Field(12, ge=1, description="failed attempts after which a message is dead-lettered")
    backoff_seconds_max: int = Field(300, description="seconds between two attempts at most; the pause doubles up to it")
    worker_concurrency: int = Field(2, ge=1, description="processes of one worker")
