"""Settings of the console."""

from pathlib import Path
from typing import Final

from pydantic import Field

from paimon.settings.base import SettingsGroup

DEMO_CHAIN_ID: Final = 31337
"""The chain of `paimon demo`. The accounts of its file are worth nothing on any other."""


class ConsoleSettings(SettingsGroup):
    """The page that operators use, which the API serves at /console/."""

    demo_accounts: Path | None = Field(
        None,
        description=f"file with the keys of a demo's accounts, for the wallet in its console; on chain {DEMO_CHAIN_ID} only",
    )
    explorer_url: str | None = Field(
        None,
        pattern=r"^https?://[^/\s]+(/[^\s?#]*)?$",
        description="a block explorer of the chain, such as https://bscscan.com; addresses and transactions in the console link"
        " to its /address/… and /tx/…",
    )
