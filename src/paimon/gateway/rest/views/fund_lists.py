"""JSON shapes of tiers, assets and fees at a snapshot's block.

Amounts are in the asset's smallest unit, with an exact decimal number beside each.
"""

from datetime import datetime
from typing import Literal, Self

from pydantic import Field

from paimon.application.common.formatting import display, ratio
from paimon.application.vault.fund_lists import AssetList, FeeTotals
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import ratio_bps
from paimon.domain.price.trust import PriceTrust
from paimon.domain.vault.fees import FeeKind
from paimon.domain.vault.fund_snapshot import AssetPosition, BufferPool, FundSnapshot
from paimon.gateway.rest.envelope import BlockStampView, Dated, DatedListing
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, Time

PRICE_DECIMALS = 18


class LayerStateView(ApiModel):
    """A tier with its value, share of gross assets and allowed band. Cash counts in L1."""

    tier: Tier
    value: BigInt
    value_display: str
    ratio: str
    target: str
    minimum: str
    maximum: str
    within_limits: bool
    assets: int = Field(description="listed assets with a balance")

    @classmethod
    def of(cls, snapshot: FundSnapshot, tier: Tier) -> Self:
        value, limits = snapshot.tier_value(tier), snapshot.tier_limits[tier.on_chain]
        share = snapshot.vault.layer_ratio(value)
        return cls(
            tier=tier,
            value=value,
            value_display=display(value, snapshot.asset_decimals),
            ratio=ratio(share),
            target=ratio(limits.target),
            minimum=ratio(limits.minimum),
            maximum=ratio(limits.maximum),
            within_limits=limits.contains(share),
            assets=sum(asset.tier is tier and asset.is_listed and asset.balance > 0 for asset in snapshot.assets),
        )


class BufferView(ApiModel):
    """L1 against its target, as the controller computes them; its gross assets may be the cached ones."""

    cash: BigInt
    yield_value: BigInt
    target: BigInt
    ratio: str
    needs_rebalance: bool

    @classmethod
    def of(cls, buffer: BufferPool) -> Self:
        return cls(
            cash=buffer.cash,
            yield_value=buffer.yield_value,
            target=buffer.target,
            ratio=ratio(buffer.ratio),
            needs_rebalance=buffer.needs_rebalance,
        )


class LayersView(Dated):
    """The tiers, with the liquidity available without selling L3 and the liability of open redemptions."""

    gross_assets: BigInt
    cash: BigInt
    available_liquidity: BigInt = Field(description="L1 and L2, including the cash that open redemptions will need")
    available_liquidity_display: str
    redemption_liability: BigInt
    redemption_liability_display: str
    layers: list[LayerStateView]
    buffer: BufferView | None = Field(description="null where the controller has no buffer pool")

    @classmethod
    def of(cls, snapshot: FundSnapshot) -> Self:
        state, buffer, decimals = snapshot.vault, snapshot.buffer, snapshot.asset_decimals
        return cls(
            as_of=BlockStampView.of(snapshot.at),
            gross_assets=state.gross_assets,
            cash=snapshot.cash,
            available_liquidity=state.available_liquidity,
            available_liquidity_display=display(state.available_liquidity, decimals),
            redemption_liability=state.redemption_liability,
            redemption_liability_display=display(state.redemption_liability, decimals),
            layers=[LayerStateView.of(snapshot, tier) for tier in Tier],
            buffer=None if buffer is None else BufferView.of(buffer),
        )


class PurchaseTermsView(ApiModel):
    """Terms on which the controller may buy the asset."""

    method: Literal["OTC", "SWAP", "AUTO"]
    adapter: AddressText
    max_slippage: str = Field(description="0 means the controller's default")
    minimum: BigInt
    subscription_start: Time | None
    subscription_end: Time | None


class AssetView(ApiModel):
    """One asset that is or was listed by the controller. A delisted asset has value 0."""

    token: AddressText
    symbol: str | None = Field(description="as the token returns it; null until it was read")
    tier: Tier
    active: bool
    balance: BigInt
    decimals: int
    balance_display: str
    price: BigInt | None = Field(description="of a whole token, scaled by 1e18; null where the oracle has none")
    price_display: str | None
    priced_at: Time | None = Field(description="null where the oracle gives no time")
    price_age_seconds: int | None = Field(description="at the block")
    price_trust: PriceTrust | None = Field(description="see `GET /prices`; null while the price was not judged")
    price_untrusted: str | None = Field(description="why the price is not trusted")
    value: BigInt
    value_display: str
    ratio: str = Field(description="of gross assets")
    target_allocation: str
    in_transit: BigInt = Field(description="paid for OTC orders of the asset that are not delivered yet")
    terms: PurchaseTermsView

    @classmethod
    def of(cls, position: AssetPosition, assets: AssetList) -> Self:
        terms, snapshot, judged = position.terms, assets.snapshot, assets.judged.get(position.token)
        return cls(
            token=position.token,
            symbol=assets.symbols.get(position.token),
            tier=position.tier,
            active=position.is_listed,
            balance=position.balance,
            decimals=position.decimals,
            balance_display=display(position.balance, position.decimals),
            price=position.price,
            price_display=None if position.price is None else display(position.price, PRICE_DECIMALS),
            priced_at=position.priced_at,
            price_age_seconds=_age(position, snapshot.at.timestamp),
            price_trust=None if judged is None else judged.trust,
            price_untrusted="; ".join(judged.reasons) if judged and judged.reasons else None,
            value=position.value,
            value_display=display(position.value, snapshot.asset_decimals),
            ratio=ratio(ratio_bps(position.value, snapshot.vault.gross_assets)),
            target_allocation=ratio(terms.target_allocation),
            in_transit=sum(order.paid for order in snapshot.in_transit if order.token == position.token),
            terms=PurchaseTermsView(
                method=terms.method.name,
                adapter=terms.adapter,
                max_slippage=ratio(terms.max_slippage),
                minimum=terms.minimum,
                subscription_start=terms.subscription_start,
                subscription_end=terms.subscription_end,
            ),
        )


def _age(position: AssetPosition, now: datetime) -> int | None:
    return None if position.priced_at is None else max(int((now - position.priced_at).total_seconds()), 0)


def asset_listing(assets: AssetList) -> DatedListing[AssetView]:
    page = assets.page.mapped(lambda position: AssetView.of(position, assets))
    return DatedListing[AssetView].page(page, as_of=BlockStampView.of(assets.snapshot.at))


class FeeView(ApiModel):
    """One kind of fee. `owed` and `pending` come from the contracts at the block; `accrued` and `paid` add up the events."""

    kind: FeeKind
    accrued: BigInt = Field(description="ever, until the block")
    paid: BigInt = Field(description="ever, until the block")
    owed: BigInt = Field(description="accrued and not paid")
    pending: BigInt = Field(description="what a collection at the block would take; it includes `owed`, so do not add the two")
    accrued_display: str
    paid_display: str
    owed_display: str
    pending_display: str

    @classmethod
    def of(cls, totals: FeeTotals, asset_decimals: int) -> Self:
        amounts = {name: getattr(totals, name) for name in ("accrued", "paid", "owed", "pending")}
        shown = {f"{name}_display": display(amount, asset_decimals) for name, amount in amounts.items()}
        return cls(kind=totals.kind, **amounts, **shown)


class FeesView(Dated):
    """All fees, and the high-water mark that the performance fee is measured from."""

    fees: list[FeeView]
    recipient: AddressText
    last_accrual_at: Time | None
    high_water_mark: BigInt = Field(description="performance is measured from this value of all of L3, bought or earned")
    high_water_mark_display: str
    layer3_value: BigInt

    @classmethod
    def of(cls, snapshot: FundSnapshot, totals: list[FeeTotals]) -> Self:
        fees, decimals = snapshot.fees, snapshot.asset_decimals
        return cls(
            as_of=BlockStampView.of(snapshot.at),
            fees=[FeeView.of(kind_totals, decimals) for kind_totals in totals],
            recipient=fees.recipient,
            last_accrual_at=fees.last_accrual_at,
            high_water_mark=fees.high_water_mark,
            high_water_mark_display=display(fees.high_water_mark, decimals),
            layer3_value=snapshot.tier_value(Tier.L3),
        )
