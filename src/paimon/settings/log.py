"""Settings of log output."""

from typing import Literal

from paimon.settings.base import Group


class LogSettings(Group):
    level: Literal["debug", "info", "warning", "error"] = "info"
    json_lines: bool = True
