"""Settings of the metrics endpoint."""

from pydantic import Field

from paimon.settings.base import SettingsGroup


class MetricsSettings(SettingsGroup):
    """Where each process answers `GET /metrics`: on a port of its own, away from the API's callers; without one, nowhere."""

    host: str = "127.0.0.1"
    api_port: int | None = Field(None, ge=1, le=65_535)
    listener_port: int | None = Field(None, ge=1, le=65_535)
    scheduler_port: int | None = Field(None, ge=1, le=65_535)
    worker_port: int | None = Field(
        None, ge=1, le=65_535, description="of the first of its processes; the others have the next ones"
    )
