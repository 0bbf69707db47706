"""Settings of the API server."""

from pydantic import Field

from paimon.settings.base import SettingsGroup


class ApiSettings(SettingsGroup):
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65_535)
    page_size_default: int = 20
    page_size_max: int = 100
    body_bytes_max: int = 64 * 1024
    csv_rows_max: int = Field(100_000, ge=1, description="rows of one CSV; more are refused, so that none is cut short")
    csv_seconds_max: float = Field(120.0, gt=0, description="a reader who takes longer over a CSV is cut off")
    csv_files_max: int = Field(
        3, ge=1, description="CSVs written at one time; each holds one of the pool's sessions as long as its reader takes"
    )
    ws_queue_max: int = Field(256, description="messages a WebSocket client may lag behind before it is dropped")
    ws_auth_timeout_seconds: float = 10.0
