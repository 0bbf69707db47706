"""Settings of the reports: where their files are kept, and when they are made."""

from datetime import timedelta

from pydantic import Field, field_validator

from paimon.settings.base import SettingsGroup
from paimon.settings.storage import require_store_url


class ReportsSettings(SettingsGroup):
    """The files of reports, in a storage of their own: the processes that write them must not reach the day roots."""

    storage_url: str = Field(
        "file:///var/lib/paimon/reports",
        description="file:///folder, s3://bucket/prefix, gs://bucket/prefix or az://account/container/prefix, with"
        " credentials as for PAIMON_STORAGE__URL; not the same place",
    )
    storage_timeout_seconds: float = Field(20.0, gt=0, le=300, description="seconds for one file, retries included")
    delay_minutes: int = Field(30, ge=0, le=1_440, description="minutes after the end of a period until its report is made")
    catch_up_days: int = Field(
        35, ge=1, le=366, description="days back in which missing reports are made, and drafts made again until they are final"
    )

    @field_validator("storage_url")
    @classmethod
    def _names_a_store(cls, url: str) -> str:
        return require_store_url(url)

    @property
    def delay(self) -> timedelta:
        """Return the time after the end of a period until its report is made."""
        return timedelta(minutes=self.delay_minutes)
