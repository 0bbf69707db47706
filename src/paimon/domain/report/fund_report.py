"""Make a report's data from dated inputs: a pure function of `ReportInputs`.

    inputs ──► sections ──► checks ──► draft notes ──► Report

The opening and the closing block are those of the last kept snapshots before the period's start and its end. A report is final
when the period is over and recorded, both blocks have official NAV, and every check holds. A section whose source does not
exist is left out and says why.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final

from paimon.domain.asset.tier import Tier
from paimon.domain.chain.range_proof import ProofLevel
from paimon.domain.kernel.chain import checksum
from paimon.domain.kernel.units import ratio_bps
from paimon.domain.redemption.request import RedemptionChannel
from paimon.domain.report.document import (
    Chart,
    Check,
    Column,
    DraftNote,
    DraftReason,
    Figure,
    Report,
    Section,
    Source,
    SourceKind,
    Table,
    Unit,
    Value,
)
from paimon.domain.report.inputs import BoundingSnapshot, RedemptionTotals, ReportInputs
from paimon.domain.risk.nav_publication import NavStatus
from paimon.domain.risk.risk_event import RiskKind
from paimon.domain.vault.nav_components import CAPITAL_FLOW_GROUPS, AttributionGroup, NavAttribution

PROMISE_DAYS: Final = 7
_LEVELS: Final = ("NORMAL", "ELEVATED", "HIGH", "CRITICAL")


def fund_report(inputs: ReportInputs) -> Report:
    """Return the report of the inputs' period."""
    checks = tuple(_checks(inputs))
    return Report(
        period=inputs.period,
        asset_decimals=inputs.asset_decimals,
        opening=inputs.opening.at if inputs.opening else None,
        closing=inputs.closing.at if inputs.closing else None,
        from_first_snapshot=inputs.from_first_snapshot,
        draft_notes=tuple(_draft_notes(inputs, checks)),
        sections=tuple(make(inputs) for make in _SECTIONS),
        checks=checks,
    )


def _draft_notes(inputs: ReportInputs, checks: Iterable[Check]) -> Iterator[DraftNote]:
    if inputs.read_at < inputs.period.end:
        yield DraftNote(DraftReason.PERIOD_NOT_OVER)
    if inputs.recorded_until is None or inputs.recorded_until < inputs.period.end:
        yield DraftNote(DraftReason.PERIOD_NOT_RECORDED)
    if inputs.opening is None or inputs.closing is None:
        yield DraftNote(DraftReason.NO_SNAPSHOT)
        return
    for bound in dict.fromkeys((inputs.opening, inputs.closing)):
        if bound.nav_status is None:
            yield DraftNote(DraftReason.NAV_NOT_DECIDED, f"block {bound.at.number}")
        elif bound.nav_status is not NavStatus.PUBLISHED:
            yield DraftNote(DraftReason.NAV_WITHHELD, f"block {bound.at.number}: {bound.withheld_reason}")
    for check in checks:
        if not check.holds:
            yield DraftNote(DraftReason.DOES_NOT_ADD_UP, f"{check.key}: {check.left}, {check.right}")


def _checks(inputs: ReportInputs) -> Iterator[Check]:
    """Yield what must tie: the sections with each other, and each with the snapshots."""
    if inputs.attribution is not None and inputs.opening is not None and inputs.closing is not None:
        attribution = inputs.attribution
        opening, closing = inputs.opening.snapshot, inputs.closing.snapshot
        explained = sum(component.amount for component in attribution.components)
        per_share = sum(component.per_share for component in attribution.components)
        yield Check("aumExplained", Unit.MONEY, opening.net_assets + explained, closing.net_assets)
        yield Check("navExplained", Unit.NAV, opening.nav_per_share + per_share, closing.nav_per_share)
        in_flows = sum(attribution.total(group) for group in CAPITAL_FLOW_GROUPS)
        yield Check("netFlow", Unit.MONEY, _net_flow(inputs), in_flows)
        requested = _total(inputs)
        open_before = opening.redemption_liability
        moved = requested.requested_amount - requested.returned_amount - requested.settled_gross
        yield Check("liability", Unit.MONEY, open_before + moved, closing.redemption_liability)
    if inputs.closing is not None:
        closing = inputs.closing.snapshot
        promised = sum(promise.gross_amount for promise in inputs.promises)
        yield Check("promises", Unit.MONEY, promised, closing.redemption_liability)
        yield Check("tiers", Unit.MONEY, sum(closing.tier_value(tier) for tier in Tier), closing.vault.gross_assets)


def _total(inputs: ReportInputs) -> RedemptionTotals:
    """Add the channels up."""
    by_channel = (inputs.redemptions or {}).values()
    fields = RedemptionTotals.__slots__
    return RedemptionTotals(**{name: sum(getattr(totals, name) for totals in by_channel) for name in fields})


def _net_flow(inputs: ReportInputs) -> int:
    """Return deposits less what was requested, with what was returned."""
    totals = _total(inputs)
    return inputs.deposits.assets - totals.requested_amount + totals.returned_amount


def _after(inputs: ReportInputs, kind: SourceKind) -> Source:
    """Return the source of what is recorded in the blocks of the period."""
    opening, closing = inputs.opening, inputs.closing
    return Source(kind, closing.at.number if closing else None, opening.at.number if opening else None)


def _at(kind: SourceKind, bound: BoundingSnapshot) -> Source:
    return Source(kind, bound.at.number)


def _summary(inputs: ReportInputs) -> Section:
    if inputs.opening is None or inputs.closing is None:
        return Section("summary", omitted=DraftReason.NO_SNAPSHOT)
    opening, closing = inputs.opening.snapshot, inputs.closing.snapshot
    before, after = _at(SourceKind.OPENING_SNAPSHOT, inputs.opening), _at(SourceKind.CLOSING_SNAPSHOT, inputs.closing)
    both = _after(inputs, SourceKind.BOTH_SNAPSHOTS)
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
        charts=(Chart("navHistory", Unit.NAV, history, _after(inputs, SourceKind.NAV_POINTS)),) if history else (),
    )


_CHANGE_COLUMNS: Final = (
    Column("group", Unit.NAME),
    Column("amount", Unit.MONEY),
    Column("perShare", Unit.NAV),
    Column("events", Unit.COUNT),
)


def _change(inputs: ReportInputs) -> Section:
    """Explain the change of net assets and of NAV per share by group."""
    attribution = inputs.attribution
    if attribution is None:
        return Section("change", omitted=DraftReason.NO_SNAPSHOT)
    source = _after(inputs, SourceKind.NAV_ATTRIBUTION)
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


def _flows(inputs: ReportInputs) -> Section:
    if inputs.redemptions is None:
        return Section("flows", omitted=DraftReason.NO_SNAPSHOT)
    deposited, redeemed = _after(inputs, SourceKind.DEPOSITS), _after(inputs, SourceKind.REDEMPTIONS)
    totals, by_channel = _total(inputs), inputs.redemptions
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
            Figure("netFlow", _net_flow(inputs), Unit.MONEY, _after(inputs, SourceKind.FLOWS)),
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


def _liquidity(inputs: ReportInputs) -> Section:
    if inputs.closing is None:
        return Section("liquidity", omitted=DraftReason.NO_SNAPSHOT)
    fund, source = inputs.closing.snapshot, _at(SourceKind.CLOSING_SNAPSHOT, inputs.closing)
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


def _holdings(inputs: ReportInputs) -> Section:
    """List the listed assets that the fund holds, largest first."""
    if inputs.closing is None:
        return Section("holdings", omitted=DraftReason.NO_SNAPSHOT)
    fund, source = inputs.closing.snapshot, _at(SourceKind.CLOSING_SNAPSHOT, inputs.closing)
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


_EVENT_COLUMNS: Final = (
    Column("id", Unit.COUNT),
    Column("kind", Unit.TEXT),
    Column("subject", Unit.TEXT),
    Column("firstSeenBlock", Unit.BLOCK),
    Column("resolvedBlock", Unit.BLOCK),
    Column("open", Unit.YES_NO),
)


def _risk(inputs: ReportInputs) -> Section:
    found = _after(inputs, SourceKind.RISK_EVENTS)
    reading, events = inputs.risk, inputs.events
    level: tuple[Figure, ...] = ()
    if reading is not None:
        at = Source(SourceKind.RISK_SERIES, reading.block_number)
        level = (
            Figure("overallLevel", _LEVELS[reading.level - 1], Unit.NAME, at),
            Figure("overallScore", reading.score, Unit.NUMBER, at),
            Figure("highestLevel", _LEVELS[reading.highest_level - 1], Unit.NAME, _after(inputs, SourceKind.RISK_SERIES)),
        )
    rows = tuple(
        (event.event_id, event.kind.value, event.subject, event.first_seen_block, event.resolved_block, event.is_open)
        for event in events
    )
    return Section(
        "risk",
        figures=(
            *level,
            Figure("eventsOpened", sum(event.is_new for event in events), Unit.COUNT, found),
            Figure("eventsOpen", sum(event.is_open for event in events), Unit.COUNT, found),
        ),
        tables=(Table("events", _EVENT_COLUMNS, rows, found),) if rows else (),
    )


def _operations(inputs: ReportInputs) -> Section:
    tickets, sending, trades = inputs.tickets, inputs.sending, inputs.trades
    raised, sent, traded = Source(SourceKind.TICKETS), Source(SourceKind.INTENTS), _after(inputs, SourceKind.TRADES)
    return Section(
        "operations",
        figures=(
            Figure("rebalances.plans", inputs.plans, Unit.COUNT, Source(SourceKind.PLANS)),
            Figure("rebalances.purchases", trades.purchases, Unit.COUNT, traded),
            Figure("rebalances.purchased", trades.purchased, Unit.MONEY, traded),
            Figure("rebalances.sales", trades.sales, Unit.COUNT, traded),
            Figure("rebalances.sold", trades.sold, Unit.MONEY, traded),
            Figure("approvals.opened", tickets.opened, Unit.COUNT, raised),
            Figure("approvals.decidedOnTime", tickets.decided_on_time, Unit.COUNT, raised),
            Figure("approvals.decidedLate", tickets.decided_late, Unit.COUNT, raised),
            Figure("approvals.decidedExternally", tickets.decided_externally, Unit.COUNT, raised),
            Figure("approvals.cancelled", tickets.cancelled, Unit.COUNT, raised),
            Figure("approvals.waiting", tickets.waiting, Unit.COUNT, raised),
            Figure("approvals.overdue", tickets.overdue, Unit.COUNT, raised),
            Figure("transactions.final", sending.final, Unit.COUNT, sent),
            Figure("transactions.failed", sending.failed, Unit.COUNT, sent),
            Figure("transactions.abandoned", sending.abandoned, Unit.COUNT, sent),
            Figure("transactions.gasUsed", sending.gas_used, Unit.GAS, sent),
        ),
    )


_PROMISE_COLUMNS: Final = (
    Column("requestId", Unit.COUNT),
    Column("owner", Unit.TEXT),
    Column("channel", Unit.NAME),
    Column("amount", Unit.MONEY),
    Column("dueAt", Unit.TIME),
)


def _promises(inputs: ReportInputs) -> Section:
    """List what is due within a week of the period's end, what is overdue with it, earliest first."""
    if inputs.closing is None:
        return Section("promises", omitted=DraftReason.NO_SNAPSHOT)
    source = _at(SourceKind.OPEN_REQUESTS, inputs.closing)
    limit = inputs.period.end + timedelta(days=PROMISE_DAYS)
    due = sorted(
        ((promise.due_at, promise.request_id, promise) for promise in inputs.promises if promise.due_at is not None),
        key=lambda one: one[:2],
    )
    soon = [promise for due_at, _, promise in due if due_at < limit]
    awaiting = [promise for promise in inputs.promises if promise.awaits_approval]
    rows = tuple(
        (promise.request_id, checksum(promise.owner), promise.channel.value, promise.gross_amount, promise.due_at)
        for promise in soon
    )
    return Section(
        "promises",
        figures=(
            Figure("due.count", len(soon), Unit.COUNT, source),
            Figure("due.amount", sum(promise.gross_amount for promise in soon), Unit.MONEY, source),
            Figure("awaitingApproval.count", len(awaiting), Unit.COUNT, source),
            Figure("awaitingApproval.amount", sum(promise.gross_amount for promise in awaiting), Unit.MONEY, source),
            Figure("open.count", len(inputs.promises), Unit.COUNT, source),
            Figure("open.amount", sum(promise.gross_amount for promise in inputs.promises), Unit.MONEY, source),
        ),
        tables=(Table("dueRequests", _PROMISE_COLUMNS, rows, source),) if rows else (),
    )


_UNTRUSTED_COLUMNS: Final = (Column("token", Unit.TEXT), Column("reason", Unit.TEXT))


def _quality(inputs: ReportInputs) -> Section:
    quality, recorded = inputs.quality, _after(inputs, SourceKind.RECORDED_BLOCKS)
    compared, closing = _after(inputs, SourceKind.RECONCILIATIONS), inputs.closing
    judged = Source(SourceKind.JUDGED_PRICES, closing.at.number if closing else None)
    breaks = sum(event.is_open and event.kind is RiskKind.RECONCILIATION_BREAK for event in inputs.events)
    age = closing.snapshot.oldest_price_age if closing else None
    rows = tuple((checksum(token), reason) for token, reason in quality.untrusted)
    return Section(
        "quality",
        figures=(
            Figure("blocks", quality.blocks, Unit.COUNT, recorded),
            *(
                Figure(f"proven.{level.value}", count, Unit.COUNT, recorded)
                for level in ProofLevel
                if (count := (quality.proven or {}).get(level))
            ),
            Figure("reconciliations", quality.reconciliations, Unit.COUNT, compared),
            Figure("withDiscrepancies", quality.with_discrepancies, Unit.COUNT, compared),
            Figure("openBreaks", breaks, Unit.COUNT, _after(inputs, SourceKind.RISK_EVENTS)),
            Figure("withheldPoints", quality.withheld_points, Unit.COUNT, _after(inputs, SourceKind.NAV_POINTS)),
            Figure("untrustedPrices", len(rows), Unit.COUNT, judged),
            Figure("oldestPriceAge", None if age is None else int(age.total_seconds()), Unit.SECONDS, judged),
        ),
        tables=(Table("untrusted", _UNTRUSTED_COLUMNS, rows, judged),) if rows else (),
    )


_SECTIONS: Final = (_summary, _change, _flows, _liquidity, _holdings, _risk, _operations, _promises, _quality)
"""The sections in the order of the page."""
