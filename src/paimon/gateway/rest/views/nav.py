"""JSON shapes of the NAV history and of NAV attribution.

The API serves the history as stored bytes; its classes here document them, and tests compare the two.
"""

from typing import Annotated, Final, Self

from pydantic import Field, PlainSerializer, WithJsonSchema

from paimon.application.nav.history import Interval
from paimon.domain.kernel.chain import LogPosition
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.domain.vault.nav_components import AttributionGroup, ComponentKind, NavAttribution, NavComponent
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, HashText, Time
from paimon.gateway.rest.views.fund import ContractFiguresView


class ContractNavView(ApiModel):
    """Figures that the contract itself returned at the block, possibly from its value cache."""

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
    """NAV points withheld because of a material discrepancy with the chain."""

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
    """Position of a log that caused a component."""

    block_number: int
    log_index: int
    tx_hash: HashText
    time: Time


def _position(position: LogPosition) -> LogPositionView:
    return LogPositionView(
        block_number=position.block_number, log_index=position.log_index, tx_hash=position.tx_hash, time=position.at
    )


class NavComponentView(ApiModel):
    """One component of a line. `amount` is in the asset's smallest unit, `perShare` is scaled by 1e18."""

    kind: ComponentKind
    token: AddressText | None
    amount: SignedInt
    per_share: SignedInt
    event_count: int
    events: list[LogPositionView] = Field(description=f"the last {EVENTS_MAX}, latest first")

    @classmethod
    def of(cls, component: NavComponent) -> Self:
        return cls(
            kind=component.key.kind,
            token=component.key.token,
            amount=component.amount,
            per_share=component.per_share,
            event_count=len(component.log_positions),
            events=[_position(position) for position in component.log_positions[: -EVENTS_MAX - 1 : -1]],
        )


class NavAttributionLineView(ApiModel):
    """One line of the waterfall, with its components."""

    group: AttributionGroup
    amount: SignedInt
    per_share: SignedInt
    components: list[NavComponentView]


class _LineColumns(ApiModel):
    from_block: int
    to_block: int
    group: AttributionGroup


class NavComponentRowView(NavComponentView, _LineColumns):
    """A component with its line and range, as one row of the CSV file."""


class NavEndpointView(ApiModel):
    """One end of the range: the snapshot's NAV, fees not collected yet, OTC money in transit and the contract's own figures."""

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
    """The change of NAV between two snapshots. The lines add up to it exactly, in net assets and per share."""

    start: NavEndpointView = Field(alias="from")
    end: NavEndpointView = Field(alias="to")
    change: SignedInt
    change_per_share: SignedInt
    lines: list[NavAttributionLineView]
    unexplained: bool = Field(description="whether money, tokens, shares or a liability moved without a log")
    rounding_bound: int = Field(description="number of integer divisions made: rounding is at most one unit each")
    from_first_snapshot: bool = Field(description="`from` is the fund's first snapshot, taken after the requested day began")
    intervals: int = Field(description="number of snapshot intervals that were attributed one by one and added up")

    @property
    def component_rows(self) -> list[NavComponentRowView]:
        """The components of all lines, one row each."""
        ends = {"from_block": self.start.block_number, "to_block": self.end.block_number}
        return [
            NavComponentRowView(**ends, group=line.group, **dict(component))
            for line in self.lines
            for component in line.components
        ]

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
                    components=[NavComponentView.of(component) for component in attribution.in_group(group)],
                )
                for group in AttributionGroup
                if attribution.in_group(group)
            ],
            unexplained=bool(attribution.unexplained),
            rounding_bound=attribution.division_count,
            from_first_snapshot=attribution.from_first_snapshot,
            intervals=attribution.interval_count,
        )
