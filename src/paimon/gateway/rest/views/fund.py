"""JSON shape of the fund's overview. The API serves stored bytes; these classes document them, and tests compare the two."""

from typing import Literal

from pydantic import Field

from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, HashText, Time


class LayerView(ApiModel):
    value: BigInt
    ratio: str


class OverviewLayersView(ApiModel):
    """Value of each tier, with its share of gross assets as a decimal number."""

    layer1: LayerView = Field(alias="L1")
    layer2: LayerView = Field(alias="L2")
    layer3: LayerView = Field(alias="L3")


class HeldAssetView(ApiModel):
    """One asset in the vault. A delisted asset has value 0."""

    token: AddressText
    tier: Literal["L1", "L2", "L3"]
    active: bool
    balance: BigInt
    decimals: int
    price: BigInt | None = Field(description="USDT per whole token, scaled by 1e18")
    price_age_seconds: int | None = Field(description="at the block; null where the oracle gives no time")
    price_untrusted: str | None = Field(description="why the price is not trusted; null for a trusted price")
    value: BigInt


class PendingFeesView(ApiModel):
    """Fees that a collection would take now. They lower net assets when they are collected, not before."""

    management: BigInt
    performance: BigInt
    high_water_mark: BigInt = Field(description="performance is measured from this value of all of L3, bought or earned")


class PausedView(ApiModel):
    vault: bool
    redemption_manager: bool
    asset_controller: bool


class ContractFiguresView(ApiModel):
    """Figures that the contract itself returns, possibly from its value cache of up to five minutes."""

    total_assets: BigInt
    share_price: BigInt
    stale_cache: bool = Field(description="its cached value of the assets differs from their value at this block")


class OfficialNavView(ApiModel):
    """The newest NAV point: published, or withheld while a material discrepancy is open or a price is not trusted."""

    status: Literal["PUBLISHED", "WITHHELD"]
    share_price: BigInt | None
    withheld_reason: str | None
    block_number: int
    time: Time


class BlockView(ApiModel):
    number: int
    hash: HashText


class OverviewView(ApiModel):
    """The fund at one final block. Raw amounts in the asset's smallest unit; `nav` and `aum` as exact decimal numbers."""

    total_assets: BigInt
    gross_assets: BigInt
    total_supply: BigInt
    share_price: BigInt
    nav: str
    aum: str
    cash: BigInt
    layer1_liquidity: BigInt
    layer2_liquidity: BigInt
    layer3_value: BigInt
    total_redemption_liability: BigInt
    total_locked_shares: BigInt
    withdrawable_redemption_fees: BigInt
    pending_fees: PendingFeesView
    otc_in_transit: BigInt = Field(description="paid for OTC orders that are not delivered yet; in no asset until then")
    emergency_mode: bool
    paused: PausedView
    layers: OverviewLayersView
    assets: list[HeldAssetView]
    price_age_seconds: int | None = Field(description="of the oldest price that counts")
    contract: ContractFiguresView
    official: OfficialNavView | None
    block: BlockView
    last_updated: Time
