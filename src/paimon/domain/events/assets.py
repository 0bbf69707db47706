"""Events of assets, tiers, purchases, sales, OTC orders and yield."""

from dataclasses import dataclass

from paimon.domain.events.base import ASSET_CONTROLLER, OTC_MANAGER, FundEvent
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount


@dataclass(frozen=True, slots=True)
class AssetAdded(FundEvent):
    """An asset joins the list; the token's Transfers with the vault are tracked from here on. Its adapter is not logged.

    Some deployments know no allocation and log none.
    """

    emitters = ASSET_CONTROLLER
    token: Address
    tier: int
    allocation: int = 0


@dataclass(frozen=True, slots=True)
class AssetRemoved(FundEvent):
    emitters = ASSET_CONTROLLER
    token: Address


@dataclass(frozen=True, slots=True)
class AssetAllocationUpdated(FundEvent):
    emitters = ASSET_CONTROLLER
    token: Address
    new_allocation: int


@dataclass(frozen=True, slots=True)
class AssetAdapterUpdated(FundEvent):
    emitters = ASSET_CONTROLLER
    token: Address
    new_adapter: Address


@dataclass(frozen=True, slots=True)
class LayerConfigUpdated(FundEvent):
    """A tier's band changes. The first bands have no event (deployed behaviour 6)."""

    emitters = ASSET_CONTROLLER
    tier: int
    target_ratio: int
    min_ratio: int
    max_ratio: int


@dataclass(frozen=True, slots=True)
class PurchaseRouted(FundEvent):
    """One purchase, whichever function made it."""

    emitters = ASSET_CONTROLLER
    token: Address
    tier: int
    method: int
    usdt_amount: RawAmount
    tokens_received: RawAmount


@dataclass(frozen=True, slots=True)
class AssetPurchased(FundEvent):
    """The end of `purchaseAsset`: the purchase routed before it, or (…, 0, 0) when nothing was bought."""

    emitters = ASSET_CONTROLLER
    token: Address
    tier: int
    usdt_amount: RawAmount
    tokens_received: RawAmount


@dataclass(frozen=True, slots=True)
class AssetRedeemed(FundEvent):
    """A sale by `redeemAsset`."""

    emitters = ASSET_CONTROLLER
    token: Address
    tier: int
    token_amount: RawAmount
    usdt_received: RawAmount


@dataclass(frozen=True, slots=True)
class WaterfallLiquidation(FundEvent):
    """One sale of a waterfall or of a buffer refill."""

    emitters = ASSET_CONTROLLER
    tier: int
    token: Address
    amount_liquidated: RawAmount
    usdt_received: RawAmount


@dataclass(frozen=True, slots=True)
class BufferPoolRebalanced(FundEvent):
    """The end of a buffer refill: the waterfall's earlier sales in the transaction were for the buffer."""

    emitters = ASSET_CONTROLLER
    new_buffer: RawAmount


@dataclass(frozen=True, slots=True)
class YieldCompounded(FundEvent):
    emitters = ASSET_CONTROLLER
    token: Address
    yield_amount: RawAmount
    shares_issued: RawAmount


@dataclass(frozen=True, slots=True)
class OrderCreated(FundEvent):
    emitters = OTC_MANAGER
    emitter: Address
    order_id: int
    rwa_token: Address
    usdt_amount: RawAmount
    expected_tokens: RawAmount
    counterparty: Address


@dataclass(frozen=True, slots=True)
class OrderPaid(FundEvent):
    """From here until the delivery, the money is out and the tokens are not in (deployed behaviour 5)."""

    emitters = OTC_MANAGER
    emitter: Address
    order_id: int
    usdt_amount: RawAmount


@dataclass(frozen=True, slots=True)
class OrderDelivered(FundEvent):
    emitters = OTC_MANAGER
    emitter: Address
    order_id: int
    actual_tokens: RawAmount


@dataclass(frozen=True, slots=True)
class OrderCancelled(FundEvent):
    emitters = OTC_MANAGER
    emitter: Address
    order_id: int


OrderEvent = OrderCreated | OrderPaid | OrderDelivered | OrderCancelled
AssetEvent = AssetAdded | AssetRemoved | AssetAllocationUpdated | AssetAdapterUpdated
