"""Settings of the metrics endpoint."""

from pydantic import Field

from paimon.settings.base import SettingsGroup


class MetricsSettings(SettingsGroup):
    """Ports on which each process answers `GET /metrics`, apart from the API. A process without a port serves no metrics."""

    host: str = Field("127.0.0.1", description="address to listen on")
    api_port: int | None = Field(None, ge=1, le=65_535, description="TCP port of the API server's metrics")
    listener_port: int | None = Field(None, ge=1, le=65_535, description="TCP port of the listener's metrics")
    scheduler_port: int | None = Field(None, ge=1, le=65_535, description="TCP port of the scheduler's metrics")
    planner_port: int | None = Field(None, ge=1, le=65_535, description="TCP port of the planner's metrics")
    worker_port: int | None = Field(
        None, ge=1, le=65_535, description="TCP port of the first worker process; the others use the ports after it"
    )
