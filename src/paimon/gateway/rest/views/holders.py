"""JSON shapes of the holder register at any recorded block."""

from typing import Self

from pydantic import Field

from paimon.application.common.formatting import display
from paimon.application.vault.holders import HolderList
from paimon.domain.kernel.units import RawAmount
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.domain.vault.holder_register import RegisteredHolder
from paimon.gateway.rest.envelope import BlockStampView, DatedListing
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, Time


class HolderView(ApiModel):
    """One holder. Shares are raw shares; amounts are in the asset's smallest unit."""

    holder: AddressText
    shares: BigInt = Field(description="in the wallet")
    locked_shares: BigInt = Field(description="in open redemptions, held by the vault")
    redeemable_shares: BigInt = Field(description="the most that a new request may ask for; locked shares count against it")
    share_of_supply: str = Field(description="of all shares, locked ones included, as a decimal number, rounded down")
    value: BigInt | None = Field(description="of the shares in the wallet at `valuation`; null before the first snapshot")
    value_display: str | None
    claim: BigInt = Field(description="the amount of the open redemptions; the price of locked shares is fixed already")
    claim_display: str | None
    since: Time = Field(description="when the holder got the first shares")

    @classmethod
    def of(cls, holder: RegisteredHolder, supply: RawAmount, valuation: FundSnapshot | None) -> Self:
        value = None if valuation is None else holder.value_at(valuation.nav_per_share)

        def shown(amount: RawAmount | None) -> str | None:
            return None if valuation is None or amount is None else display(amount, valuation.asset_decimals)

        return cls(
            holder=holder.holder,
            shares=holder.shares,
            locked_shares=holder.locked_shares,
            redeemable_shares=holder.redeemable_shares,
            share_of_supply=display(holder.fraction_of(supply), 18),
            value=value,
            value_display=shown(value),
            claim=holder.claim,
            claim_display=shown(holder.claim),
            since=holder.since,
        )


class ValuationView(ApiModel):
    """The NAV that values the shares: that of the last snapshot at or before the block."""

    share_price: BigInt
    nav: str
    block: BlockStampView


class HolderRegisterView(DatedListing[HolderView]):
    """One page of holders, largest first."""

    total_supply: BigInt
    valuation: ValuationView | None = Field(description="null before the first snapshot")

    @classmethod
    def of(cls, register: HolderList) -> Self:
        valuation = register.valuation_snapshot
        page = register.page.mapped(lambda holder: HolderView.of(holder, register.supply, valuation))
        return cls.page(
            page,
            as_of=BlockStampView.of(register.at),
            total_supply=register.supply,
            valuation=None
            if valuation is None
            else ValuationView(
                share_price=valuation.nav_per_share,
                nav=display(valuation.nav_per_share, 18),
                block=BlockStampView.of(valuation.at),
            ),
        )
