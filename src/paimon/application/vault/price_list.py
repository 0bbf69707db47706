"""Prices of the fund's assets as they are judged, with what the fund holds of each."""

from dataclasses import dataclass

from paimon.application.nav.as_of import get_newest_snapshot
from paimon.application.oracle.queries import JudgedPrice, load_judged_prices
from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.vault.fund_snapshot import AssetPosition, token_value
from paimon.infrastructure.database.sessions import ReadSession


@dataclass(frozen=True, slots=True)
class PricedHolding:
    """A listed asset with the judgement of its price."""

    position: AssetPosition
    judged: JudgedPrice

    @property
    def value_apart(self) -> int | None:
        """Return the holding's value at the contracts' price less that at the agreed price; None where the sources disagree."""
        if self.judged.price is None:
            return None
        position = self.position
        return position.value - token_value(position.balance, self.judged.price, position.decimals)


@dataclass(frozen=True, slots=True)
class PriceList:
    """The judged prices at the newest snapshot's block, by tier."""

    at: BlockStamp
    holdings: tuple[PricedHolding, ...]


async def list_prices(session: ReadSession) -> PriceList:
    """Return the judgement of every listed asset.

    Raises:
        NoSnapshotYet.
    """
    snapshot = await get_newest_snapshot(session)
    judged = await load_judged_prices(session)
    listed = sorted((position for position in snapshot.assets if position.is_listed), key=lambda position: position.tier)
    holdings = [PricedHolding(position, judged[position.token]) for position in listed if position.token in judged]
    return PriceList(snapshot.at, tuple(holdings))
