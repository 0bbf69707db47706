"""JSON shapes of prices: how each asset's price is judged, and what its sources said."""

from typing import Self

from pydantic import Field

from paimon.application.common.formatting import display
from paimon.application.oracle.queries import JudgedSource
from paimon.application.vault.price_list import PricedHolding, PriceList
from paimon.domain.price.agreement import SourceUse
from paimon.domain.price.observation import PRICE_DECIMALS, Observation, PriceFault, SourceKind
from paimon.domain.price.trust import PriceTrust
from paimon.gateway.rest.envelope import BlockStampView, Dated
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, Time
from paimon.gateway.rest.views.nav import SignedInt


class PriceSourceView(ApiModel):
    """The last observation of one source, and what it counted for."""

    source: str
    kind: SourceKind
    upstream: str = Field(description="sources of one upstream count once")
    use: SourceUse
    price: BigInt | None = Field(description="USDT for a whole token, scaled by 1e18; null for a fault")
    valued_at: Time
    fault: PriceFault | None
    note: str | None = Field(description="why it did not count")

    @classmethod
    def of(cls, source: JudgedSource) -> Self:
        return cls(
            source=source.name,
            kind=source.kind,
            upstream=source.upstream,
            use=source.use,
            price=source.price,
            valued_at=source.valued_at,
            fault=source.fault,
            note=source.note,
        )


class PriceView(ApiModel):
    """One asset's price: what the sources agree on, what the contracts use, and whether it is trusted."""

    token: AddressText
    trust: PriceTrust
    price: BigInt | None = Field(description="what the sources agree on, scaled by 1e18, trusted or not; null if they do not")
    price_display: str | None
    contract_price: BigInt | None = Field(description="by which the contracts value and settle")
    contract_price_display: str | None
    value_apart: SignedInt | None = Field(
        description="the fund's holding at the contracts' price less at the agreed one, in the smallest unit of USDT"
    )
    valued_at: Time | None
    missed_publications: int = Field(description="expected by the asset's calendar since the valuation")
    reasons: list[str] = Field(description="why it is not trusted; empty for a trusted price")
    notes: list[str]
    sources: list[PriceSourceView]
    since_block: int = Field(description="the first block that was judged like this")

    @classmethod
    def of(cls, holding: PricedHolding) -> Self:
        judged = holding.judged
        return cls(
            token=judged.token,
            trust=judged.trust,
            price=judged.price,
            price_display=None if judged.price is None else display(judged.price, PRICE_DECIMALS),
            contract_price=judged.contract_price,
            contract_price_display=None if judged.contract_price is None else display(judged.contract_price, PRICE_DECIMALS),
            value_apart=holding.value_apart,
            valued_at=judged.valued_at,
            missed_publications=judged.missed,
            reasons=list(judged.reasons),
            notes=list(judged.notes),
            sources=[PriceSourceView.of(source) for source in judged.sources],
            since_block=judged.block_number,
        )


class PricesView(Dated):
    """The prices of the fund's assets, by tier."""

    prices: list[PriceView]

    @classmethod
    def of(cls, prices: PriceList) -> Self:
        return cls(as_of=BlockStampView.of(prices.at), prices=[PriceView.of(holding) for holding in prices.holdings])


class PriceObservationView(ApiModel):
    """What one source said, when it first said so."""

    source: str
    kind: SourceKind
    upstream: str
    price: BigInt | None
    price_display: str | None
    valued_at: Time
    published_at: Time | None
    seen_at: Time
    block_number: int | None = Field(description="at which it was read; null for a source that is not on chain")
    fault: PriceFault | None
    detail: str | None

    @classmethod
    def of(cls, observation: Observation) -> Self:
        price = observation.price
        return cls(
            source=observation.source.name,
            kind=observation.source.kind,
            upstream=observation.source.upstream,
            price=price,
            price_display=None if price is None else display(price, PRICE_DECIMALS),
            valued_at=observation.valued_at,
            published_at=observation.published_at,
            seen_at=observation.seen_at,
            block_number=observation.block_number,
            fault=observation.fault,
            detail=observation.detail,
        )
