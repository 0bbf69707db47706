"""NAV over time. The history is served as stored bytes; these classes are its contract, checked by tests."""

from pydantic import Field

from paimon.application.books.nav import Interval
from paimon.gateway.rest.schema import ApiModel, BigInt, Time


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
