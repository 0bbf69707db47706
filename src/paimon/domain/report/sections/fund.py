"""Sections about the fund itself: its value, what changed it, flows, liquidity and holdings."""

from typing import Final

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import checksum
from paimon.domain.kernel.units import ratio_bps
from paimon.domain.redemption.request import RedemptionChannel
from paimon.domain.report.document import Chart, Column, DraftReason, Figure, Section, SourceKind, Table, Unit, Value
from paimon.domain.report.inputs import RedemptionTotals, ReportInputs
from paimon.domain.report.sections.common import net_flow, recorded_at, recorded_between, redemption_totals
from paimon.domain.vault.nav_components import AttributionGroup, NavAttribution


def summary_section(inputs: ReportInputs) -> Section:
    if inputs.opening is None or inputs.closing is None:
        return Section("summary", omitted=DraftReason.NO_SNAPSHOT)
    opening, closing = inputs.opening.snapshot, inputs.closing.snapshot
    before, after = (
        recorded_at(SourceKind.OPENING_SNAPSHOT, inputs.opening),
        recorded_at(SourceKind.CLOSING_SNAPSHOT, inputs.closing),
    )
    both = recorded_between(inputs, SourceKind.BOTH_SNAPSHOTS)
    history = tuple((point.at, int(point.nav_per_share)) for point in inputs.nav_history)
    return Section(
        "summary",
        figures=(
            Figure("openingNav", opening.nav_per_share, Unit.NAV, before),
            Figure("closingNav", closing.nav_per_share, Unit.NAV, after),
            Figure("navChange", closing.nav_per_share - opening.nav_per_share, Unit.NAV, both),
            Figure("openingAum", opening.net_assets, Unit.MONEY, before),
            Figure("closingAum", closing.net_assets, Unit.MONEY, after),
            Figure("aumChange", closing.net_assets - opening.net_assets, Unit.MONEY, both),
            Figure("openingShares", opening.vault.effective_supply, Unit.SHARES, before),
            Figure("closingShares", closing.vault.effective_supply, Unit.SHARES, after),
        ),
        charts=(Chart("navHistory", Unit.NAV, history, recorded_between(inputs, SourceKind.NAV_POINTS)),) if history else (),
    )


_CHANGE_COLUMNS: Final = (
    Column("group", Unit.NAME),
    Column("amount", Unit.MONEY),
    Column("perShare", Unit.NAV),
    Column("events", Unit.COUNT),
)


def change_section(inputs: ReportInputs) -> Section:
    """Explain the change of net assets and of NAV per share by group."""
    attribution = inputs.attribution
    if attribution is None:
        return Section("change", omitted=DraftReason.NO_SNAPSHOT)
    source = recorded_between(inputs, SourceKind.NAV_ATTRIBUTION)
    rows = tuple(_change_row(attribution, group) for group in AttributionGroup if attribution.in_group(group))
    return Section(
        "change",
        figures=(
            Figure("aumChange", attribution.change, Unit.MONEY, source),
            Figure("navChange", attribution.change_per_share, Unit.NAV, source),
            Figure("unexplained", sum(part.amount for part in attribution.unexplained), Unit.MONEY, source),
        ),
        tables=(Table("parts", _CHANGE_COLUMNS, rows, source),),
    )


def _change_row(attribution: NavAttribution, group: AttributionGroup) -> tuple[Value, ...]:
    events = {position for part in attribution.in_group(group) for position in part.log_positions}
    return (group.value, attribution.total(group), attribution.total_per_share(group), len(events))


_CHANNEL_COLUMNS: Final = (
    Column("channel", Unit.NAME),
    Column("requested", Unit.COUNT),
    Column("requestedAmount", Unit.MONEY),
    Column("returned", Unit.COUNT),
    Column("returnedAmount", Unit.MONEY),
    Column("settled", Unit.COUNT),
    Column("settledGross", Unit.MONEY),
    Column("settledFee", Unit.MONEY),
    Column("settledNet", Unit.MONEY),
)


def flows_section(inputs: ReportInputs) -> Section:
    if inputs.redemptions is None:
        return Section("flows", omitted=DraftReason.NO_SNAPSHOT)
    deposited, redeemed = recorded_between(inputs, SourceKind.DEPOSITS), recorded_between(inputs, SourceKind.REDEMPTIONS)
    totals, by_channel = redemption_totals(inputs), inputs.redemptions
    rows = tuple(
        (channel.value, *(getattr(by_channel[channel], name) for name in RedemptionTotals.__slots__))
        for channel in RedemptionChannel
        if channel in by_channel
    )
    return Section(
        "flows",
        figures=(
            Figure("deposits.count", inputs.deposits.number, Unit.COUNT, deposited),
            Figure("deposits.amount", inputs.deposits.assets, Unit.MONEY, deposited),
            Figure("deposits.shares", inputs.deposits.shares, Unit.SHARES, deposited),
            Figure("redemptions.count", totals.requested, Unit.COUNT, redeemed),
            Figure("redemptions.amount", totals.requested_amount, Unit.MONEY, redeemed),
            Figure("returned.count", totals.returned, Unit.COUNT, redeemed),
            Figure("returned.amount", totals.returned_amount, Unit.MONEY, redeemed),
            Figure("settled.count", totals.settled, Unit.COUNT, redeemed),
            Figure("settled.gross", totals.settled_gross, Unit.MONEY, redeemed),
            Figure("settled.fee", totals.settled_fee, Unit.MONEY, redeemed),
            Figure("settled.net", totals.settled_net, Unit.MONEY, redeemed),
            Figure("netFlow", net_flow(inputs), Unit.MONEY, recorded_between(inputs, SourceKind.FLOWS)),
        ),
        tables=(Table("byChannel", _CHANNEL_COLUMNS, rows, redeemed),) if rows else (),
    )


_TIER_COLUMNS: Final = (
    Column("tier", Unit.NAME),
    Column("value", Unit.MONEY),
    Column("ratio", Unit.RATIO),
    Column("minimum", Unit.RATIO),
    Column("target", Unit.RATIO),
    Column("maximum", Unit.RATIO),
    Column("withinBand", Unit.YES_NO),
)


def liquidity_section(inputs: ReportInputs) -> Section:
    if inputs.closing is None:
        return Section("liquidity", omitted=DraftReason.NO_SNAPSHOT)
    fund, source = inputs.closing.snapshot, recorded_at(SourceKind.CLOSING_SNAPSHOT, inputs.closing)
    gross = fund.vault.gross_assets
    ratios = {tier: ratio_bps(fund.tier_value(tier), gross) for tier in Tier}
    rows = tuple(
        (tier.value, fund.tier_value(tier), ratios[tier], limits.minimum, limits.target, limits.maximum, inside)
        for tier, limits in zip(Tier, fund.tier_limits, strict=True)
        for inside in (limits.contains(ratios[tier]),)
    )
    return Section(
        "liquidity",
        figures=(
            *(Figure(f"{tier.value.lower()}Ratio", ratios[tier], Unit.RATIO, source) for tier in Tier),
            Figure("grossAssets", gross, Unit.MONEY, source),
            Figure("cash", fund.cash, Unit.MONEY, source),
            Figure("inTransit", fund.in_transit_total, Unit.MONEY, source),
            Figure("redemptionLiability", fund.redemption_liability, Unit.MONEY, source),
            Figure("withdrawableFees", fund.withdrawable_redemption_fees, Unit.MONEY, source),
        ),
        tables=(Table("tiers", _TIER_COLUMNS, rows, source),),
    )


_HOLDING_COLUMNS: Final = (
    Column("token", Unit.TEXT),
    Column("tier", Unit.NAME),
    Column("price", Unit.NAV),
    Column("pricedAt", Unit.TIME),
    Column("value", Unit.MONEY),
    Column("ratio", Unit.RATIO),
)


def holdings_section(inputs: ReportInputs) -> Section:
    """List the listed assets that the fund holds, largest first."""
    if inputs.closing is None:
        return Section("holdings", omitted=DraftReason.NO_SNAPSHOT)
    fund, source = inputs.closing.snapshot, recorded_at(SourceKind.CLOSING_SNAPSHOT, inputs.closing)
    held = sorted((asset for asset in fund.assets if asset.value), key=lambda asset: (-asset.value, asset.token))
    rows = tuple(
        (
            checksum(asset.token),
            asset.tier.value,
            asset.price,
            asset.priced_at,
            asset.value,
            ratio_bps(asset.value, fund.vault.gross_assets),
        )
        for asset in held
    )
    return Section(
        "holdings",
        figures=(Figure("count", len(rows), Unit.COUNT, source),),
        tables=(Table("assets", _HOLDING_COLUMNS, rows, source),) if rows else (),
    )
