"""JSON of the fund's overview: `GET /fund/overview`, `fund:overview` and `fund:nav`."""

from typing import Any, Final

from paimon.application.common.formatting import display, iso_z, ratio
from paimon.application.nav.overview import FundOverview
from paimon.application.nav.store import NavPoint
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.domain.risk.nav_publication import NavStatus
from paimon.domain.vault.fund_snapshot import AssetPosition, FundSnapshot

_NAV_FIELDS: Final = ("sharePrice", "nav", "totalAssets", "aum", "official", "block", "lastUpdated")


def nav_document(overview: dict[str, Any]) -> dict[str, Any]:
    """Return what `fund:nav` shows of an overview document: the present NAV and the official one."""
    return {name: overview[name] for name in _NAV_FIELDS}


def overview_document(overview: FundOverview) -> dict[str, Any]:
    """Return the overview: raw amounts as decimal strings, ratios of gross assets as decimals.

    `totalAssets` and `sharePrice` are ours, from fresh reads; the contract's own, possibly cached, stand beside them.
    `official` is the newest official NAV, or the reason why it is withheld.
    """
    snapshot = overview.snapshot
    state, fees = snapshot.vault, snapshot.fees
    age = snapshot.oldest_price_age
    return {
        "totalAssets": str(state.net_assets),
        "grossAssets": str(state.gross_assets),
        "totalSupply": str(state.total_supply),
        "sharePrice": str(state.nav_per_share),
        "nav": display(state.nav_per_share, 18),
        "aum": display(state.net_assets, snapshot.asset_decimals),
        "cash": str(snapshot.cash),
        "layer1Liquidity": str(state.layer1_value),
        "layer2Liquidity": str(state.layer2_value),
        "layer3Value": str(state.layer3_value),
        "totalRedemptionLiability": str(state.redemption_liability),
        "totalLockedShares": str(state.locked_shares),
        "withdrawableRedemptionFees": str(state.withdrawable_redemption_fees),
        "pendingFees": {
            "management": str(fees.pending_management),
            "performance": str(fees.pending_performance),
            "highWaterMark": str(fees.high_water_mark),
        },
        "otcInTransit": str(snapshot.in_transit_total),
        "emergencyMode": state.emergency_mode,
        "paused": {
            "vault": snapshot.flags.vault_paused,
            "redemptionManager": snapshot.flags.manager_paused,
            "assetController": snapshot.flags.controller_paused,
        },
        "layers": {tier.name: _layer(tier, snapshot) for tier in Tier},
        "assets": [_asset(position, overview) for position in snapshot.assets if position.is_listed or position.balance],
        "priceAgeSeconds": None if age is None else int(age.total_seconds()),
        "contract": {
            "totalAssets": str(state.contract_total_assets),
            "sharePrice": str(state.contract_share_price),
            "staleCache": snapshot.has_stale_cache,
        },
        "official": _official(overview.nav_point),
        "block": {"number": snapshot.at.number, "hash": hex0x(snapshot.at.hash)},
        "lastUpdated": iso_z(snapshot.at.timestamp),
    }


def _layer(tier: Tier, snapshot: FundSnapshot) -> dict[str, str]:
    value = snapshot.tier_value(tier)
    return {"value": str(value), "ratio": ratio(snapshot.vault.layer_ratio(value))}


def _asset(position: AssetPosition, overview: FundOverview) -> dict[str, Any]:
    snapshot = overview.snapshot
    age = None if position.priced_at is None else max(int((snapshot.at.timestamp - position.priced_at).total_seconds()), 0)
    return {
        "token": checksum(position.token),
        "tier": position.tier.name,
        "active": position.is_listed,
        "balance": str(position.balance),
        "decimals": position.decimals,
        "price": None if position.price is None else str(position.price),
        "priceAgeSeconds": age,
        "priceUntrusted": overview.untrusted.get(position.token),
        "value": str(position.value),
    }


def _official(point: NavPoint | None) -> dict[str, Any] | None:
    if point is None:
        return None
    return {
        "status": point.status.value,
        "sharePrice": str(point.nav_per_share) if point.status is NavStatus.PUBLISHED else None,
        "withheldReason": None if point.status is NavStatus.PUBLISHED else point.withheld_reason,
        "blockNumber": point.block_number,
        "time": iso_z(point.time),
    }
