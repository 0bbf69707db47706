"""Settings of log output."""

from typing import Literal

from paimon.settings.base import SettingsGroup


class LogSettings(SettingsGroup):
    level: Literal["debug", "info", "warning", "error"] = "info"
    json_lines: bool = True
