"""Sections about running the fund: risk, operations, promised payouts and the quality of the data."""

from datetime import timedelta
from typing import Final

from paimon.domain.chain.range_proof import ProofLevel
from paimon.domain.kernel.chain import checksum
from paimon.domain.report.document import Column, DraftReason, Figure, Section, Source, SourceKind, Table, Unit
from paimon.domain.report.inputs import ReportInputs
from paimon.domain.report.sections.common import recorded_at, recorded_between
from paimon.domain.risk.risk_event import RiskKind

PROMISE_DAYS: Final = 7
_LEVELS: Final = ("NORMAL", "ELEVATED", "HIGH", "CRITICAL")


_EVENT_COLUMNS: Final = (
    Column("id", Unit.COUNT),
    Column("kind", Unit.TEXT),
    Column("subject", Unit.TEXT),
    Column("firstSeenBlock", Unit.BLOCK),
    Column("resolvedBlock", Unit.BLOCK),
    Column("open", Unit.YES_NO),
)


def risk_section(inputs: ReportInputs) -> Section:
    found = recorded_between(inputs, SourceKind.RISK_EVENTS)
    reading, events = inputs.risk, inputs.events
    level: tuple[Figure, ...] = ()
    if reading is not None:
        at, throughout = Source(SourceKind.RISK_SERIES, reading.block_number), recorded_between(inputs, SourceKind.RISK_SERIES)
        level = (
            Figure("overallLevel", _LEVELS[reading.level - 1], Unit.NAME, at),
            Figure("overallScore", reading.score, Unit.NUMBER, at),
            Figure("highestLevel", _LEVELS[reading.highest_level - 1], Unit.NAME, throughout),
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


def operations_section(inputs: ReportInputs) -> Section:
    tickets, sending, trades = inputs.tickets, inputs.sending, inputs.trades
    raised, sent, traded = Source(SourceKind.TICKETS), Source(SourceKind.INTENTS), recorded_between(inputs, SourceKind.TRADES)
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


def promises_section(inputs: ReportInputs) -> Section:
    """List what is due within a week of the period's end, what is overdue with it, earliest first."""
    if inputs.closing is None:
        return Section("promises", omitted=DraftReason.NO_SNAPSHOT)
    source = recorded_at(SourceKind.OPEN_REQUESTS, inputs.closing)
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


def quality_section(inputs: ReportInputs) -> Section:
    quality, recorded = inputs.quality, recorded_between(inputs, SourceKind.RECORDED_BLOCKS)
    compared, closing = recorded_between(inputs, SourceKind.RECONCILIATIONS), inputs.closing
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
            Figure("openBreaks", breaks, Unit.COUNT, recorded_between(inputs, SourceKind.RISK_EVENTS)),
            Figure("withheldPoints", quality.withheld_points, Unit.COUNT, recorded_between(inputs, SourceKind.NAV_POINTS)),
            Figure("untrustedPrices", len(rows), Unit.COUNT, judged),
            Figure("oldestPriceAge", None if age is None else int(age.total_seconds()), Unit.SECONDS, judged),
        ),
        tables=(Table("untrusted", _UNTRUSTED_COLUMNS, rows, judged),) if rows else (),
    )
