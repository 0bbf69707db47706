"""NAV over time, and why it moved. The history is served as stored bytes; its classes are its contract, checked by tests."""

from typing import Annotated, Final, Self

from pydantic import Field, PlainSerializer, WithJsonSchema

from paimon.application.nav.publication import Interval
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.domain.vault.nav_components import AttributionGroup, NavAttribution, NavComponent
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, HashText, Time
from paimon.gateway.rest.views.fund import ContractFiguresView


class ContractNavView(ApiModel):
    """The contract's own figures at that block, possibly from its value cache."""

    share_price: BigInt
    total_assets: BigInt


class NavPointView(ApiModel):
    """The last official point of its hour, day or week."""

    time: Time
    block_number: int
    share_price: BigInt = Field(description="net assets per share that is not locked, scaled by 1e18")
    nav: str
    total_assets: BigInt = Field(description="net assets")
    aum: str
    effective_supply: BigInt
    contract: ContractNavView | None = Field(description="null once its snapshot has passed its retention")


class WithheldView(ApiModel):
    """Points not published because books and chain differ materially."""

    count: int
    since: Time
    reason: str


class NavHistoryView(ApiModel):
    interval: Interval
    points: list[NavPointView]
    withheld: WithheldView | None


SignedInt = Annotated[int, PlainSerializer(str, return_type=str), WithJsonSchema({"type": "string", "pattern": "^-?[0-9]+$"})]
"""An amount that may be below zero, as a decimal string."""

EVENTS_MAX: Final = 50


class LogPositionView(ApiModel):
    """The log that tells of a part."""

    block_number: int
    log_index: int
    tx_hash: HashText
    time: Time


class NavComponentView(ApiModel):
    """One part of a line; `amount` in the asset's smallest unit, `perShare` scaled by 1e18."""

    kind: str
    token: AddressText | None
    amount: SignedInt
    per_share: SignedInt
    event_count: int
    events: list[LogPositionView] = Field(description=f"the last {EVENTS_MAX}, latest first")

    @classmethod
    def of(cls, part: NavComponent) -> Self:
        return cls(
            kind=part.key.kind,
            token=part.key.token,
            amount=part.amount,
            per_share=part.per_share,
            event_count=len(part.log_positions),
            events=[
                LogPositionView(block_number=each.block_number, log_index=each.log_index, tx_hash=each.tx_hash, time=each.at)
                for each in part.log_positions[: -EVENTS_MAX - 1 : -1]
            ],
        )


class NavAttributionLineView(ApiModel):
    """One line of the waterfall, with its parts."""

    group: AttributionGroup
    amount: SignedInt
    per_share: SignedInt
    parts: list[NavComponentView]


class _LineColumns(ApiModel):
    from_block: int
    to_block: int
    group: AttributionGroup


class NavComponentRowView(NavComponentView, _LineColumns):
    """A part with the line it belongs to, as it stands in a table."""


class NavEndpointView(ApiModel):
    """One of the two snapshots, with what stands beside NAV: fees not collected yet, money on its way, the contract's word."""

    block_number: int
    time: Time
    total_assets: BigInt = Field(description="net assets")
    share_price: BigInt
    effective_supply: BigInt
    pending_management_fee: BigInt
    pending_performance_fee: BigInt
    high_water_mark: BigInt
    otc_in_transit: BigInt
    contract: ContractFiguresView

    @classmethod
    def of(cls, snapshot: FundSnapshot) -> Self:
        return cls(
            block_number=snapshot.at.number,
            time=snapshot.at.timestamp,
            total_assets=snapshot.net_assets,
            share_price=snapshot.nav_per_share,
            effective_supply=snapshot.vault.effective_supply,
            pending_management_fee=snapshot.fees.pending_management,
            pending_performance_fee=snapshot.fees.pending_performance,
            high_water_mark=snapshot.fees.high_water_mark,
            otc_in_transit=snapshot.in_transit_total,
            contract=ContractFiguresView(
                total_assets=snapshot.contract.total_assets,
                share_price=snapshot.contract.share_price,
                stale_cache=snapshot.has_stale_cache,
            ),
        )


class NavAttributionView(ApiModel):
    """The change between two snapshots. The lines add up to it exactly, in net assets and per share."""

    start: NavEndpointView = Field(alias="from")
    end: NavEndpointView = Field(alias="to")
    change: SignedInt
    change_per_share: SignedInt
    lines: list[NavAttributionLineView]
    unexplained: bool = Field(description="whether money, tokens, shares or a liability moved that no log tells of")
    rounding_bound: int = Field(description="integer divisions made: rounding is at most one unit for each")
    from_first_snapshot: bool = Field(
        description="`from` is the fund's first snapshot, taken after the beginning of the day that was asked for"
    )
    intervals: int = Field(description="intervals that were explained one by one and added up")

    @property
    def component_rows(self) -> list[NavComponentRowView]:
        """The parts of all lines, one row each."""
        ends = {"from_block": self.start.block_number, "to_block": self.end.block_number}
        return [NavComponentRowView(**ends, group=line.group, **dict(part)) for line in self.lines for part in line.parts]

    @classmethod
    def of(cls, attribution: NavAttribution) -> Self:
        return cls(
            start=NavEndpointView.of(attribution.start),
            end=NavEndpointView.of(attribution.end),
            change=attribution.change,
            change_per_share=attribution.change_per_share,
            lines=[
                NavAttributionLineView(
                    group=group,
                    amount=attribution.total(group),
                    per_share=attribution.total_per_share(group),
                    parts=[NavComponentView.of(each) for each in attribution.in_group(group)],
                )
                for group in AttributionGroup
                if attribution.in_group(group)
            ],
            unexplained=bool(attribution.unexplained),
            rounding_bound=attribution.division_count,
            from_first_snapshot=attribution.from_first_snapshot,
            intervals=attribution.interval_count,
        )
