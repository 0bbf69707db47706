"""Settings of the connection to the signer."""

from pathlib import Path

from paimon.settings.base import SettingsGroup


class SignerSettings(SettingsGroup):
    """Where the signer listens, for its callers. What it may sign is in a file of its own (`paimon signer --policy`)."""

    socket: Path
    timeout_seconds: float = 15.0
