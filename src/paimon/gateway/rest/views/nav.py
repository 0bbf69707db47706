"""NAV over time, and why it moved. The history is served as stored bytes; its classes are its contract, checked by tests."""

from typing import Annotated, Final, Self

from pydantic import Field, PlainSerializer, WithJsonSchema

from paimon.application.nav.publication import Interval
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.domain.vault.nav_components import Explanation, Group, Part
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


class PlaceView(ApiModel):
    """The log that tells of a part."""

    block_number: int
    log_index: int
    tx_hash: HashText
    time: Time


class PartView(ApiModel):
    """One part of a line; `amount` in the asset's smallest unit, `perShare` scaled by 1e18."""

    kind: str
    token: AddressText | None
    amount: SignedInt
    per_share: SignedInt
    event_count: int
    events: list[PlaceView] = Field(description=f"the last {EVENTS_MAX}, latest first")

    @classmethod
    def of(cls, part: Part) -> Self:
        return cls(
            kind=part.label.kind,
            token=part.label.token,
            amount=part.amount,
            per_share=part.per_share,
            event_count=len(part.places),
            events=[
                PlaceView(block_number=each.block_number, log_index=each.log_index, tx_hash=each.tx_hash, time=each.at)
                for each in part.places[: -EVENTS_MAX - 1 : -1]
            ],
        )


class LineView(ApiModel):
    """One line of the waterfall, with its parts."""

    group: Group
    amount: SignedInt
    per_share: SignedInt
    parts: list[PartView]


class _OfLineView(ApiModel):
    from_block: int
    to_block: int
    group: Group


class PartRowView(PartView, _OfLineView):
    """A part with the line it belongs to, as it stands in a table."""


class EndView(ApiModel):
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
                stale_cache=snapshot.stale_cache,
            ),
        )


class ExplanationView(ApiModel):
    """The change between two snapshots. The lines add up to it exactly, in net assets and per share."""

    start: EndView = Field(alias="from")
    end: EndView = Field(alias="to")
    change: SignedInt
    change_per_share: SignedInt
    lines: list[LineView]
    unexplained: bool = Field(description="whether money, tokens, shares or a liability moved that no log tells of")
    rounding_bound: int = Field(description="integer divisions made: rounding is at most one unit for each")
    since_first: bool = Field(
        description="`from` is the fund's first snapshot, taken after the beginning of the day that was asked for"
    )
    snapshots: int = Field(description="intervals that were explained one by one and added up")

    @property
    def part_rows(self) -> list[PartRowView]:
        """The parts of all lines, one row each."""
        ends = {"from_block": self.start.block_number, "to_block": self.end.block_number}
        return [PartRowView(**ends, group=line.group, **dict(part)) for line in self.lines for part in line.parts]

    @classmethod
    def of(cls, told: Explanation) -> Self:
        return cls(
            start=EndView.of(told.start),
            end=EndView.of(told.end),
            change=told.change,
            change_per_share=told.change_per_share,
            lines=[
                LineView(
                    group=group,
                    amount=told.total(group),
                    per_share=told.total_per_share(group),
                    parts=[PartView.of(each) for each in told.of(group)],
                )
                for group in Group
                if told.of(group)
            ],
            unexplained=bool(told.unexplained),
            rounding_bound=told.divisions,
            since_first=told.since_first,
            snapshots=told.steps,
        )
