"""Reads of a report's inputs. What is on chain is counted by block, what the system did by its own clock by time.

Only columns that never change once they are set are read, so that a report of the past stays what it was.
"""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.fund_risk.store import OVERALL_LEVEL, OVERALL_SCORE
from paimon.domain.chain.range_proof import ProofLevel
from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, checksum
from paimon.domain.kernel.units import WAD, NavPerShare, RawAmount, Rounding, divide
from paimon.domain.redemption.request import RedemptionChannel
from paimon.domain.report.inputs import (
    DataQuality,
    DepositTotals,
    EventRecord,
    NavReading,
    OpenPromise,
    RedemptionTotals,
    RiskReading,
    SendingTotals,
    TicketTotals,
    TradeTotals,
)
from paimon.domain.report.period import ReportPeriod
from paimon.domain.report.statement import Movement, MovementKind
from paimon.domain.risk.nav_publication import NavStatus
from paimon.domain.risk.risk_event import RiskKind

_KEPT_BEFORE: Final = text("""
    SELECT block_number FROM derived.observations
     WHERE kind = 'fund_snapshot' AND subject = 'fund' AND block_timestamp < :moment
     ORDER BY block_number DESC LIMIT 1
""")

_NAV_STATUS: Final = text("""
    SELECT status, withheld_reason FROM ops.nav_points
     WHERE block_number = :block AND block_hash = :hash AND status <> 'ORPHANED'
""")

_NAV_HISTORY: Final = text("""
    SELECT time, nav_per_share FROM ops.nav_points
     WHERE status = 'PUBLISHED' AND block_number >= :after AND block_number <= :until ORDER BY block_number
""")

_DEPOSITS: Final = text("""
    SELECT count(*) AS number, coalesce(sum(assets), 0) AS assets, coalesce(sum(shares), 0) AS shares
      FROM derived.deposits WHERE block_number > :after AND block_number <= :until
""")

_REDEMPTIONS: Final = text("""
    WITH happened AS (
        SELECT request.channel, request.gross_amount, request.settled_fee, request.settled_net_amount,
               log.event = 'RedemptionRequested' AS requested, log.event = 'RedemptionSettled' AS settled,
               log.event IN ('RedemptionCancelled', 'RedemptionRejected') AS returned
          FROM derived.raw_logs AS log
          JOIN derived.redemption_requests AS request ON request.request_id = log.request_id
         WHERE log.block_number > :after AND log.block_number <= :until
           AND log.status = 'APPLIED' AND log.contract = 'RedemptionManager')
    SELECT channel,
           count(*) FILTER (WHERE requested) AS requested,
           coalesce(sum(gross_amount) FILTER (WHERE requested), 0) AS requested_amount,
           count(*) FILTER (WHERE returned) AS returned,
           coalesce(sum(gross_amount) FILTER (WHERE returned), 0) AS returned_amount,
           count(*) FILTER (WHERE settled) AS settled,
           coalesce(sum(gross_amount) FILTER (WHERE settled), 0) AS settled_gross,
           coalesce(sum(settled_fee) FILTER (WHERE settled), 0) AS settled_fee,
           coalesce(sum(settled_net_amount) FILTER (WHERE settled), 0) AS settled_net
      FROM happened WHERE requested OR returned OR settled GROUP BY channel
""")

# A request's status and due date are those of the block: its logs up to it say whether it was approved or had ended.
_PROMISES: Final = text("""
    SELECT request.request_id, request.owner, request.channel, request.gross_amount, request.settlement_at,
           request.requires_approval AND NOT bool_or(log.event = 'RedemptionApproved') AS awaits_approval
      FROM derived.raw_logs AS log
      JOIN derived.redemption_requests AS request ON request.request_id = log.request_id
     WHERE log.block_number <= :until AND log.status = 'APPLIED' AND log.contract = 'RedemptionManager'
       AND (request.closed_at IS NULL OR request.updated_block > :until)
     GROUP BY request.request_id
    HAVING NOT bool_or(log.event IN ('RedemptionSettled', 'RedemptionCancelled', 'RedemptionRejected'))
     ORDER BY request.request_id
""")

_TRADES: Final = text("""
    SELECT count(*) FILTER (WHERE kind = 'PURCHASE') AS purchases,
           coalesce(sum(usdt_amount) FILTER (WHERE kind = 'PURCHASE'), 0) AS purchased,
           count(*) FILTER (WHERE kind = 'SALE') AS sales,
           coalesce(sum(usdt_amount) FILTER (WHERE kind = 'SALE'), 0) AS sold
      FROM derived.trades WHERE has_effect AND block_number > :after AND block_number <= :until
""")

_RISK: Final = text("""
    SELECT level.block_number, level.value AS level, score.value AS score, highest.value AS highest
      FROM ops.risk_metrics_series AS level
      JOIN ops.risk_metrics_series AS score ON score.time = level.time AND score.indicator = :score
     CROSS JOIN LATERAL (SELECT max(value) AS value FROM ops.risk_metrics_series
                          WHERE indicator = :level AND time > :opening AND time <= :closing) AS highest
     WHERE level.indicator = :level AND level.time > :opening AND level.time <= :closing
     ORDER BY level.time DESC LIMIT 1
""")

_EVENTS: Final = text("""
    SELECT id, kind, subject, first_seen_block, first_seen_block > :after AS is_new,
           CASE WHEN resolved_block <= :until THEN resolved_block END AS resolved_block,
           NOT coalesce(CASE WHEN resolved_block IS NULL THEN resolved_at < :end ELSE resolved_block <= :until END, false)
               AS is_open
      FROM ops.risk_events
     WHERE first_seen_block <= :until
       AND (first_seen_block > :after OR resolved_at IS NULL
            OR CASE WHEN resolved_block IS NULL THEN resolved_at >= :start ELSE resolved_block > :after END)
     ORDER BY id
""")

_TICKETS: Final = text("""
    SELECT count(*) FILTER (WHERE opened_at >= :start) AS opened,
           count(*) FILTER (WHERE decided AND decided_at <= deadline_at) AS decided_on_time,
           count(*) FILTER (WHERE decided AND decided_at > deadline_at) AS decided_late,
           count(*) FILTER (WHERE decided AND decided_externally) AS decided_externally,
           count(*) FILTER (WHERE ended AND status = 'CANCELLED') AS cancelled,
           count(*) FILTER (WHERE waits) AS waiting,
           count(*) FILTER (WHERE waits AND deadline_at < :end) AS overdue
      FROM (SELECT *, coalesce(decided_at >= :start AND decided_at < :end, false) AS ended,
                   coalesce(decided_at >= :start AND decided_at < :end, false) AND status <> 'CANCELLED' AS decided,
                   coalesce(decided_at >= :end, true) AS waits
              FROM ops.approval_tickets WHERE opened_at < :end) AS ticket
""")

_SENDING: Final = text("""
    SELECT count(*) FILTER (WHERE status IN ('FINAL', 'SATISFIED_EXTERNALLY')) AS final,
           count(*) FILTER (WHERE status IN ('REVERTED', 'FAILED')) AS failed,
           count(*) FILTER (WHERE status IN ('CANCELLED', 'EXPIRED')) AS abandoned,
           coalesce((SELECT sum(attempt.gas_used)
                       FROM ops.transaction_attempts AS attempt
                       JOIN ops.transaction_intents AS mined ON mined.id = attempt.intent_id
                      WHERE mined.closed_at >= :start AND mined.closed_at < :end), 0) AS gas_used
      FROM ops.transaction_intents WHERE closed_at >= :start AND closed_at < :end
""")

_PLANS: Final = text("SELECT count(DISTINCT name) FROM ops.plans WHERE created_at >= :start AND created_at < :end")

_PROVEN: Final = text("""
    SELECT level, sum(least(last_block, :until) - greatest(first_block, CAST(:after AS bigint) + 1) + 1) AS blocks
      FROM derived.range_proofs WHERE last_block > :after AND first_block <= :until GROUP BY level
""")

_RECONCILIATIONS: Final = text("""
    SELECT count(*) AS made, count(*) FILTER (WHERE jsonb_array_length(CAST(discrepancies AS jsonb)) > 0) AS with_discrepancies
      FROM ops.reconciliations WHERE NOT orphaned AND block_number > :after AND block_number <= :until
""")

_WITHHELD: Final = text("""
    SELECT count(*) FROM ops.nav_points WHERE status = 'WITHHELD' AND block_number > :after AND block_number <= :until
""")

# Shares come and go by a Transfer between two wallets; those with the vault lock and return shares, and those from nothing are
# deposits. Such movements have rows of their own. Each is worth the last official NAV before its block, else the opening one.
_MOVEMENTS: Final = text("""
    SELECT block_number, log_index, at, 'deposit' AS kind, shares, assets AS amount, 0 AS fee,
           CAST(NULL AS numeric) AS request_id, CAST(NULL AS numeric) AS nav
      FROM derived.deposits WHERE receiver = :holder AND block_number > :after AND block_number <= :until
    UNION ALL
    SELECT log.block_number, log.log_index, block.timestamp,
           CASE WHEN log.args ->> 'to' = :holder_text THEN 'received' ELSE 'sent' END,
           CAST(log.args ->> 'value' AS numeric), NULL, 0, NULL,
           (SELECT nav_per_share FROM ops.nav_points
             WHERE status = 'PUBLISHED' AND block_number < log.block_number AND block_number >= :after
             ORDER BY block_number DESC LIMIT 1)
      FROM derived.raw_logs AS log
      JOIN derived.blocks AS block ON block.number = log.block_number
     WHERE log.block_number > :after AND log.block_number <= :until AND log.status = 'APPLIED'
       AND log.contract = 'Vault' AND log.event = 'Transfer'
       AND :holder_text IN (log.args ->> 'from', log.args ->> 'to') AND log.args ->> 'from' <> log.args ->> 'to'
       AND NOT ARRAY[log.args ->> 'from', log.args ->> 'to'] && CAST(:own AS text[])
    UNION ALL
    SELECT log.block_number, log.log_index, block.timestamp,
           CASE log.event WHEN 'RedemptionRequested' THEN 'requested' WHEN 'RedemptionSettled' THEN 'paid_out'
                          ELSE 'returned' END,
           request.shares,
           CASE log.event WHEN 'RedemptionSettled' THEN request.settled_net_amount ELSE request.gross_amount END,
           CASE log.event WHEN 'RedemptionSettled' THEN request.settled_fee ELSE 0 END,
           request.request_id, NULL
      FROM derived.raw_logs AS log
      JOIN derived.blocks AS block ON block.number = log.block_number
      JOIN derived.redemption_requests AS request ON request.request_id = log.request_id
     WHERE log.block_number > :after AND log.block_number <= :until AND log.status = 'APPLIED'
       AND log.contract = 'RedemptionManager' AND request.owner = :holder
       AND log.event IN ('RedemptionRequested', 'RedemptionSettled', 'RedemptionCancelled', 'RedemptionRejected')
     ORDER BY block_number, log_index
""")


def _raw(value: object) -> RawAmount:
    return RawAmount(int(str(value)))


async def find_kept_before(session: AsyncSession, moment: datetime) -> int | None:
    """Return the block of the last kept snapshot before a time."""
    block: int | None = (await session.execute(_KEPT_BEFORE, {"moment": moment})).scalar()
    return block


async def find_nav_status(session: AsyncSession, block: int, block_hash: bytes) -> tuple[NavStatus | None, str | None]:
    """Return what was decided of a snapshot's NAV, with the reason if it is withheld."""
    row = (await session.execute(_NAV_STATUS, {"block": block, "hash": block_hash})).one_or_none()
    return (None, None) if row is None else (NavStatus(row.status), row.withheld_reason)


async def list_nav_history(session: AsyncSession, *, after: int, until: int) -> tuple[NavReading, ...]:
    rows = await session.execute(_NAV_HISTORY, {"after": after, "until": until})
    return tuple(NavReading(row.time.astimezone(UTC), NavPerShare(int(row.nav_per_share))) for row in rows)


async def sum_deposits(session: AsyncSession, *, after: int, until: int) -> DepositTotals:
    row = (await session.execute(_DEPOSITS, {"after": after, "until": until})).one()
    return DepositTotals(row.number, _raw(row.assets), _raw(row.shares))


async def sum_redemptions(session: AsyncSession, *, after: int, until: int) -> dict[RedemptionChannel, RedemptionTotals]:
    rows = await session.execute(_REDEMPTIONS, {"after": after, "until": until})
    return {
        RedemptionChannel(row.channel): RedemptionTotals(
            row.requested,
            _raw(row.requested_amount),
            row.returned,
            _raw(row.returned_amount),
            row.settled,
            _raw(row.settled_gross),
            _raw(row.settled_fee),
            _raw(row.settled_net),
        )
        for row in rows
    }


async def list_open_promises(session: AsyncSession, *, until: int) -> tuple[OpenPromise, ...]:
    """Return the requests that were open at a block."""
    return tuple(
        OpenPromise(
            int(row.request_id),
            Address(bytes(row.owner)),
            RedemptionChannel(row.channel),
            _raw(row.gross_amount),
            None if row.awaits_approval or row.settlement_at is None else row.settlement_at.astimezone(UTC),
            row.awaits_approval,
        )
        for row in await session.execute(_PROMISES, {"until": until})
    )


async def sum_trades(session: AsyncSession, *, after: int, until: int) -> TradeTotals:
    row = (await session.execute(_TRADES, {"after": after, "until": until})).one()
    return TradeTotals(row.purchases, _raw(row.purchased), row.sales, _raw(row.sold))


async def find_risk_reading(session: AsyncSession, *, opening: datetime, closing: datetime) -> RiskReading | None:
    """Return the last assessment between two blocks' times, and the highest level between them."""
    values = {"opening": opening, "closing": closing, "level": OVERALL_LEVEL, "score": OVERALL_SCORE}
    row = (await session.execute(_RISK, values)).one_or_none()
    return None if row is None else RiskReading(row.block_number, int(row.level), row.score, int(row.highest))


async def list_events(session: AsyncSession, period: ReportPeriod, *, after: int, until: int) -> tuple[EventRecord, ...]:
    """Return the events that were found in the blocks, or found before and not resolved then."""
    values = {"start": period.start, "end": period.end, "after": after, "until": until}
    return tuple(
        EventRecord(row.id, RiskKind(row.kind), row.subject, row.first_seen_block, row.resolved_block, row.is_open, row.is_new)
        for row in await session.execute(_EVENTS, values)
    )


async def sum_tickets(session: AsyncSession, period: ReportPeriod) -> TicketTotals:
    row = (await session.execute(_TICKETS, {"start": period.start, "end": period.end})).one()
    return TicketTotals(*row)


async def sum_sending(session: AsyncSession, period: ReportPeriod) -> SendingTotals:
    row = (await session.execute(_SENDING, {"start": period.start, "end": period.end})).one()
    return SendingTotals(row.final, row.failed, row.abandoned, int(row.gas_used))


async def count_plans(session: AsyncSession, period: ReportPeriod) -> int:
    return int((await session.execute(_PLANS, {"start": period.start, "end": period.end})).scalar_one())


async def load_quality(session: AsyncSession, *, after: int, until: int, untrusted: dict[Address, str]) -> DataQuality:
    """Return how the blocks are proven, what was compared, and what was withheld."""
    values = {"after": after, "until": until}
    proven = {ProofLevel(row.level): int(row.blocks) for row in await session.execute(_PROVEN, values)}
    compared = (await session.execute(_RECONCILIATIONS, values)).one()
    withheld = int((await session.execute(_WITHHELD, values)).scalar_one())
    return DataQuality(until - after, proven, compared.made, compared.with_discrepancies, withheld, tuple(untrusted.items()))


async def list_movements(
    session: AsyncSession, holder: Address, *, vault: Address, after: int, until: int, nav: NavPerShare
) -> tuple[Movement, ...]:
    """Return what moved a holder's shares and claims, oldest first; shares of before any official NAV are worth `nav`."""
    values = {
        "holder": holder,
        "holder_text": checksum(holder),
        "own": [checksum(vault), checksum(ZERO_ADDRESS)],
        "after": after,
        "until": until,
    }
    return tuple(
        Movement(
            kind=MovementKind(row.kind),
            at=row.at.astimezone(UTC),
            block=row.block_number,
            shares=_raw(row.shares),
            amount=_raw(row.amount) if row.amount is not None else _worth(row.shares, nav if row.nav is None else row.nav),
            fee=_raw(row.fee),
            request_id=None if row.request_id is None else int(row.request_id),
        )
        for row in await session.execute(_MOVEMENTS, values)
    )


def _worth(shares: object, nav: object) -> RawAmount:
    return RawAmount(divide(_raw(shares) * _raw(nav), WAD, rounding=Rounding.DOWN))
