"""Settings of the connection to the signer."""

from pathlib import Path

from pydantic import Field

from paimon.settings.base import SettingsGroup


class SignerSettings(SettingsGroup):
    """The signer's socket. What it may sign stands in its own policy file (`paimon signer --policy`)."""

    socket: Path = Field(description="Unix socket of the signer process")
    timeout_seconds: float = Field(15.0, description="seconds to wait for a signature")
