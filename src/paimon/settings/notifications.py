"""Settings of notifications: the file of channels and routes, and how messages are grouped and retried."""

from datetime import time
from pathlib import Path

from pydantic import Field

from paimon.settings.base import HttpUrl, SettingsGroup
from paimon.settings.notification_file import NotificationFile, read_notification_file


class NotificationsSettings(SettingsGroup):
    """Who is told of risk events, and how."""

    file: Path | None = Field(None, description="TOML file of channels and routes; without one no message is sent")
    console_url: HttpUrl | None = Field(
        None, description="URL of the console, for the links in messages; without one they hold none"
    )
    messages_per_minute_max: int = Field(
        10, ge=2, le=600, description="messages a minute on one channel; the other events of the minute are one message"
    )
    digest_at: time = Field(time(8), description="UTC time of the daily digest")
    poll_seconds: float = Field(1, gt=0, le=60, description="seconds between two searches for what is to be told")
    send_timeout_seconds: float = Field(10, gt=0, le=120, description="seconds to wait for a channel's answer")
    fallback_after_seconds: float = Field(
        120, ge=0, description="seconds without success after which a message also goes to the channel's fallback"
    )
    heartbeat_url: HttpUrl | None = Field(
        None, description="URL that is called each minute while the system is well; its service alarms when the calls stop"
    )

    @property
    def content(self) -> NotificationFile:
        """Read the file; without one there is no channel.

        Raises:
            SettingsError.
        """
        return NotificationFile() if self.file is None else read_notification_file(self.file)
