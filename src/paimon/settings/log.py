"""Settings of log output."""

from typing import Literal

from pydantic import Field

from paimon.settings.base import SettingsGroup


class LogSettings(SettingsGroup):
    """Log lines on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severe level that is written")
    json_lines: bool = Field(True, description="write one JSON object a line; otherwise coloured text")
