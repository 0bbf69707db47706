"""JSON of the history of official NAV: `GET /fund/nav/history`."""

from typing import Any

from paimon.application.common.formatting import display, iso_z
from paimon.application.nav.history import HistoryPoint, NavHistory


def nav_history_document(history: NavHistory) -> dict[str, Any]:
    """Return the history: raw amounts as decimal strings, with what is withheld beside the published points."""
    withheld = history.withheld
    return {
        "interval": history.interval.value,
        "points": [_point(point, asset_decimals=history.asset_decimals) for point in history.points],
        "withheld": None
        if withheld is None
        else {"count": withheld.count, "since": iso_z(withheld.since), "reason": withheld.reason},
    }


def _point(point: HistoryPoint, *, asset_decimals: int) -> dict[str, Any]:
    return {
        "time": iso_z(point.time),
        "blockNumber": point.block_number,
        "sharePrice": str(point.nav_per_share),
        "nav": display(point.nav_per_share, 18),
        "totalAssets": str(point.net_assets),
        "aum": display(point.net_assets, asset_decimals),
        "effectiveSupply": str(point.effective_supply),
        "contract": None
        if point.contract_share_price is None
        else {"sharePrice": str(point.contract_share_price), "totalAssets": str(point.contract_total_assets)},
    }
