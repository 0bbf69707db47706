"""`paimon snapshot`: read the fund at the last recorded block and keep the snapshot."""

import asyncio

import typer

from paimon.application.common.formatting import display
from paimon.application.nav.snapshots import SnapshotResult, take_snapshot
from paimon.composition import open_app_context, require_ready
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import checksum
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.process import exit_on_error, exit_with_message
from paimon.gateway.fund_documents import FundDocuments
from paimon.infrastructure.blockchain.contracts.reads import CallReverted
from paimon.settings import Settings, load_settings

app = CommandApp()


@app.command("snapshot")
def snapshot_command(context: typer.Context) -> None:
    """Read the fund at the last recorded block and keep the snapshot."""
    with exit_on_error():
        result = asyncio.run(_take_snapshot(load_settings(context.obj)))
    for name, value in _lines(result.snapshot).items():
        print(f"{name:<26} {value}")


async def _take_snapshot(settings: Settings) -> SnapshotResult:
    async with open_app_context(settings, process="snapshot") as app_context:
        await require_ready(app_context)
        try:
            result = await take_snapshot(
                app_context.database,
                app_context.contracts,
                FundDocuments(app_context.database, app_context.redis),
                material_threshold=settings.nav.material_threshold_bps,
                prices=settings.prices.policy(),
                keep=True,
            )
        except CallReverted as error:
            exit_with_message(f"the fund cannot be valued at the last recorded block: {error.with_read}")
    if result is None:
        exit_with_message("the listener has recorded nothing yet: there is no block to read the fund at")
    return result


def _lines(snapshot: FundSnapshot) -> dict[str, str]:
    def money(amount: int) -> str:
        return display(amount, snapshot.asset_decimals)

    vault, age = snapshot.vault, snapshot.oldest_price_age
    stale = "  (STALE: from the contract's value cache)" if snapshot.has_stale_cache else ""
    return {
        "block": f"{snapshot.at} of {snapshot.at.timestamp:%Y-%m-%d %H:%M:%S} UTC",
        "NAV per share": display(vault.nav_per_share, 18),
        "  share price on chain": display(snapshot.contract.share_price, 18) + stale,
        "net assets": money(vault.net_assets),
        "gross assets": money(vault.gross_assets),
        **{f"  {tier}": money(snapshot.tier_value(tier)) for tier in Tier},
        "  cash of it": money(snapshot.cash),
        "redemption liability": money(snapshot.redemption_liability),
        "redemption fees held": money(snapshot.withdrawable_redemption_fees),
        "fees pending": money(snapshot.fees.pending_management + snapshot.fees.pending_performance),
        "OTC in transit": money(snapshot.in_transit_total),
        **({"NOT COUNTED": f"{money(snapshot.pending_value)} in delayed settlements"} if snapshot.pending_value else {}),
        "shares": f"{display(snapshot.total_supply, 18)}, {display(snapshot.locked_shares, 18)} of them locked",
        "oldest price": "unknown" if age is None else f"{age} old",
        **{
            f"{asset.tier} {checksum(asset.token)[:10]}…": f"{money(asset.value)}{'' if asset.is_listed else '  (delisted)'}"
            for asset in snapshot.assets
        },
    }
