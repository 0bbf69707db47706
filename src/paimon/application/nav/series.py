"""Columns of the time series: a snapshot as the rows that a query over months reads."""

from typing import Any

from paimon.domain.vault.fund_snapshot import FundSnapshot


def fund_row(snapshot: FundSnapshot) -> dict[str, Any]:
    """Return the row of `daily_snapshots`."""
    vault, fees = snapshot.vault, snapshot.fees
    return {
        "time": snapshot.at.timestamp,
        "block_number": snapshot.at.number,
        "block_hash": snapshot.at.hash,
        "cash": snapshot.cash,
        "layer1_value": vault.layer1_value,
        "layer2_value": vault.layer2_value,
        "layer3_value": vault.layer3_value,
        "gross_assets": vault.gross_assets,
        "net_assets": vault.net_assets,
        "nav_per_share": vault.nav_per_share,
        "total_supply": snapshot.total_supply,
        "locked_shares": snapshot.locked_shares,
        "redemption_liability": snapshot.redemption_liability,
        "withdrawable_redemption_fees": snapshot.withdrawable_redemption_fees,
        "pending_fees": fees.pending_management + fees.pending_performance,
        "high_water_mark": fees.high_water_mark,
        "in_transit": snapshot.in_transit_total,
        "contract_total_assets": snapshot.contract.total_assets,
        "contract_share_price": snapshot.contract.share_price,
        "tier_values_match": snapshot.tier_values_match,
    }


def asset_rows(snapshot: FundSnapshot) -> list[dict[str, Any]]:
    """Return the rows of `asset_holdings_snapshots`."""
    return [
        {
            "time": snapshot.at.timestamp,
            "block_number": snapshot.at.number,
            "token": position.token,
            "tier": position.tier.on_chain,
            "active": position.is_listed,
            "balance": position.balance,
            "price": position.price,
            "priced_at": position.priced_at,
            "value": position.value,
        }
        for position in snapshot.assets
    ]
