"""Settings of the API server."""

from pydantic import Field

from paimon.settings.base import SettingsGroup


class ApiSettings(SettingsGroup):
    """Where the API listens, and the limits of its answers."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65_535, description="TCP port to listen on; 0 takes a free one")
    page_size_default: int = Field(20, description="items of one page when the request names no size")
    page_size_max: int = Field(100, description="items of one page at most; a larger size is refused")
    body_bytes_max: int = Field(64 * 1024, description="bytes of a request body; a larger body is refused")
    csv_rows_max: int = Field(100_000, ge=1, description="rows of one CSV; a longer list is refused, so none is cut short")
    csv_seconds_max: float = Field(120.0, gt=0, description="seconds to download one CSV; a slower download is cut off")
    csv_files_max: int = Field(
        3, ge=1, description="CSVs written at a time; each holds one database session until its download ends"
    )
    ws_queue_max: int = Field(256, description="messages waiting for a WebSocket client; a slower client is disconnected")
    ws_auth_timeout_seconds: float = Field(10.0, description="seconds in which a WebSocket client must authenticate")
