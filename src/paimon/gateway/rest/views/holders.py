"""The register of holders, at any recorded block."""

from typing import Self

from pydantic import Field

from paimon.application.common.formatting import display
from paimon.application.vault.holders import Register
from paimon.domain.kernel.units import RawAmount
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.domain.vault.holder_register import RegisteredHolder
from paimon.gateway.rest.envelope import DatedListing, StampView
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, Time


class HolderView(ApiModel):
    """One holder, in raw shares; amounts in the asset's smallest unit."""

    holder: AddressText
    shares: BigInt = Field(description="in the wallet")
    locked_shares: BigInt = Field(description="in open redemptions, kept by the vault")
    redeemable_shares: BigInt = Field(description="that a new request may ask for: locked ones count against those left")
    share_of_supply: str = Field(description="of all shares, locked ones included, as a decimal number rounded down")
    worth: BigInt | None = Field(description="of the shares in the wallet at `valuation`; null before the first snapshot")
    worth_display: str | None
    claim: BigInt = Field(description="what the open redemptions were made for: locked shares have their price already")
    claim_display: str | None
    since: Time = Field(description="when the first shares came")

    @classmethod
    def of(cls, holder: RegisteredHolder, supply: RawAmount, valued_by: FundSnapshot | None) -> Self:
        worth = None if valued_by is None else holder.worth(valued_by.nav_per_share)

        def shown(amount: RawAmount | None) -> str | None:
            return None if valued_by is None or amount is None else display(amount, valued_by.asset_decimals)

        return cls(
            holder=holder.holder,
            shares=holder.shares,
            locked_shares=holder.locked_shares,
            redeemable_shares=holder.redeemable,
            share_of_supply=display(holder.share_of(supply), 18),
            worth=worth,
            worth_display=shown(worth),
            claim=holder.claim,
            claim_display=shown(holder.claim),
            since=holder.since,
        )


class ValuationView(ApiModel):
    """The NAV that the shares are valued at, of the last snapshot until the block."""

    share_price: BigInt
    nav: str
    block: StampView


class RegisterView(DatedListing[HolderView]):
    """One page of holders, largest first."""

    total_supply: BigInt
    valuation: ValuationView | None = Field(description="null before the first snapshot")

    @classmethod
    def of(cls, register: Register) -> Self:
        valued_by = register.valued_by
        page = register.page.mapped(lambda each: HolderView.of(each, register.supply, valued_by))
        return cls.page(
            page,
            as_of=StampView.of(register.at),
            total_supply=register.supply,
            valuation=None
            if valued_by is None
            else ValuationView(
                share_price=valued_by.nav_per_share,
                nav=display(valued_by.nav_per_share, 18),
                block=StampView.of(valued_by.at),
            ),
        )
