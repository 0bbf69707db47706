"""Settings of the fund: its contracts and where its history begins."""

from pathlib import Path

from pydantic import Field

from paimon.settings.base import ChecksumAddress, SettingsGroup


class FundSettings(SettingsGroup):
    vault: ChecksumAddress
    redemption_manager: ChecksumAddress
    asset_controller: ChecksumAddress
    start_block: int = Field(ge=1, description="the block the first of the three contracts was deployed in")
    otc_manager_abi: Path | None = Field(
        None, description="JSON file of the OTC manager's ABI where it is not the shipped one: its indexing varies"
    )
