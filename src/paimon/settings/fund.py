"""Settings of the fund: its contracts and its first block."""

from pathlib import Path

from pydantic import Field

from paimon.settings.base import ChecksumAddress, SettingsGroup


class FundSettings(SettingsGroup):
    """The fund's contracts on the chain."""

    vault: ChecksumAddress = Field(description="address of the vault")
    redemption_manager: ChecksumAddress = Field(description="address of the RedemptionManager")
    asset_controller: ChecksumAddress = Field(description="address of the AssetController")
    start_block: int = Field(ge=1, description="block in which the first of the three contracts was deployed")
    otc_manager_abi: Path | None = Field(
        None, description="JSON file with the OTC manager's ABI, where its indexed arguments differ from the shipped ABI"
    )
