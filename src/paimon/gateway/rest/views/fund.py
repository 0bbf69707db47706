"""The fund's overview. It is served as stored bytes; these classes are its contract, checked by tests."""

from pydantic import Field

from paimon.gateway.rest.schema import ApiModel, BigInt, HashText, Time


class LayerView(ApiModel):
    value: BigInt
    ratio: str


class LayersView(ApiModel):
    """By tier; the ratio is of gross assets, as a decimal number."""

    layer1: LayerView = Field(alias="L1")
    layer2: LayerView = Field(alias="L2")
    layer3: LayerView = Field(alias="L3")


class ContractFiguresView(ApiModel):
    """What the contract itself says, which may come from a value cache up to five minutes old."""

    total_assets: BigInt
    share_price: BigInt


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
    layer1_liquidity: BigInt
    layer2_liquidity: BigInt
    layer3_value: BigInt
    total_redemption_liability: BigInt
    total_locked_shares: BigInt
    withdrawable_redemption_fees: BigInt
    emergency_mode: bool
    layers: LayersView
    contract: ContractFiguresView
    block: BlockView
    last_updated: Time
