"""Reads of the state that an assessment is made from. Windows of time end at the snapshot's block."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.assets.store import load_profiles
from paimon.application.fund_risk.store import find_outflow_estimate
from paimon.application.oracle.queries import load_judged_prices
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.kernel.units import NavPerShare, RawAmount
from paimon.domain.redemption.request import RedemptionChannel
from paimon.domain.risk.fund_risk_state import FundRiskState, OpenRequest, PriceState, SendingRecord, WindowFlows
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)

_OPEN_REQUESTS: Final = text("""
    SELECT request_id, owner, channel, gross_amount, settlement_at, status = 'PENDING_APPROVAL' AS awaits_approval
      FROM derived.redemption_requests
     WHERE requested_at <= :at AND (closed_at IS NULL OR closed_at > :at)
     ORDER BY request_id
""")

_REQUESTED: Final = text("""
    SELECT coalesce(sum(gross_amount) FILTER (WHERE requested_at >= :day_start), 0) AS utc_day,
           coalesce(sum(gross_amount) FILTER (WHERE requested_at > :day_ago), 0) AS last_24_hours,
           coalesce(sum(gross_amount) FILTER (WHERE requested_at > :week_ago), 0) AS last_7_days,
           coalesce(sum(gross_amount) FILTER (WHERE requested_at <= :week_ago), 0) AS previous_7_days
      FROM derived.redemption_requests
     WHERE requested_at > :two_weeks_ago AND requested_at <= :at
""")

_DEPOSITED: Final = text("""
    SELECT coalesce(sum(assets) FILTER (WHERE at >= :day_start), 0) AS utc_day,
           coalesce(sum(assets) FILTER (WHERE at > :day_ago), 0) AS last_24_hours
      FROM derived.deposits
     WHERE at > :two_weeks_ago AND at <= :at
""")

# A fund that was empty then, or not recorded yet, opened with its first assets.
_OPENING_NET_ASSETS: Final = text("""
    SELECT coalesce(
               nullif((SELECT net_assets FROM derived.daily_snapshots
                        WHERE time <= :since ORDER BY time DESC, block_number DESC LIMIT 1), 0),
               (SELECT net_assets FROM derived.daily_snapshots
                 WHERE time > :since AND time <= :at AND net_assets > 0 ORDER BY time, block_number LIMIT 1),
               nullif(CAST(:now AS numeric), 0))
""")

_HOURLY_NAV: Final = text("""
    SELECT DISTINCT ON (date_trunc('hour', time, 'UTC')) nav_per_share
      FROM ops.nav_points
     WHERE status = 'PUBLISHED' AND time > :day_ago AND time <= :at
     ORDER BY date_trunc('hour', time, 'UTC'), block_number DESC
""")

_SENDING: Final = text("""
    SELECT count(*) AS final_sends,
           count(*) FILTER (WHERE status <> 'FINAL') AS final_failures,
           count(*) FILTER (WHERE closed_at > coalesce(last_success, '-infinity')) AS failed_in_a_row
      FROM (SELECT status, closed_at, max(closed_at) FILTER (WHERE status = 'FINAL') OVER () AS last_success
              FROM ops.transaction_intents
             WHERE closed_at > :since AND status IN ('FINAL', 'REVERTED', 'FAILED')) AS ended
""")
"""Cancelled and expired intents, and those whose effect someone else caused, are no failed transactions."""

_RECORDED_SINCE: Final = text("SELECT timestamp FROM derived.blocks ORDER BY number LIMIT 1")


async def load_risk_state(
    session: ReadSession | WriteSession,
    snapshot: FundSnapshot,
    scope: SigningScope,
    *,
    now: datetime,
    system_health: int | None,
) -> FundRiskState:
    """Load the state at a snapshot's block; `now` is the database's time, by which transactions ended.

    `scope` is where signatures over profiles of assets count.
    """
    at = snapshot.at.timestamp
    day_start = at.replace(hour=0, minute=0, second=0, microsecond=0)
    times: dict[str, Any] = {
        "at": at,
        "day_start": day_start,
        "day_ago": at - _DAY,
        "week_ago": at - _WEEK,
        "two_weeks_ago": at - 2 * _WEEK,
    }
    requested = (await session.execute(_REQUESTED, times)).one()
    deposited = (await session.execute(_DEPOSITED, times)).one()

    async def flows(window: str, since: datetime) -> WindowFlows:
        values = {"since": since, "at": at, "now": snapshot.net_assets}
        opening = (await session.execute(_OPENING_NET_ASSETS, values)).scalar()
        return WindowFlows(
            RawAmount(int(getattr(requested, window))),
            RawAmount(int(getattr(deposited, window))),
            None if opening is None else RawAmount(int(opening)),
        )

    return FundRiskState(
        fund=snapshot,
        open_requests=await _open_requests(session, at),
        utc_day=await flows("utc_day", day_start),
        last_24_hours=await flows("last_24_hours", at - _DAY),
        requested_7_days=RawAmount(int(requested.last_7_days)),
        requested_7_days_before=RawAmount(int(requested.previous_7_days)),
        recorded_since=await recorded_since(session) or at,
        hourly_nav=tuple(NavPerShare(int(nav)) for nav in (await session.execute(_HOURLY_NAV, times)).scalars()),
        sending=await _sending(session, since=now - _DAY),
        system_health=system_health,
        outflow=await find_outflow_estimate(session),
        prices={
            token: PriceState(judged.missed, judged.deviation)
            for token, judged in (await load_judged_prices(session, block=snapshot.at.number)).items()
        },
        profiles={token: recorded.profile for token, recorded in (await load_profiles(session, scope)).items()},
    )


async def _open_requests(session: AsyncSession, at: datetime) -> tuple[OpenRequest, ...]:
    return tuple(
        OpenRequest(
            int(row.request_id),
            Address(row.owner),
            RedemptionChannel(row.channel),
            RawAmount(int(row.gross_amount)),
            None if row.settlement_at is None else row.settlement_at.astimezone(UTC),
            row.awaits_approval,
        )
        for row in await session.execute(_OPEN_REQUESTS, {"at": at})
    )


async def _sending(session: AsyncSession, *, since: datetime) -> SendingRecord:
    row = (await session.execute(_SENDING, {"since": since})).one()
    return SendingRecord(row.final_sends, row.final_failures, row.failed_in_a_row)


@dataclass(frozen=True, slots=True)
class DailyFlow:
    """Gross flows of one UTC day, in raw units of the vault's asset."""

    day: datetime
    requested: int
    largest_request: int
    deposited: int


AMOUNTS_MAX: Final = 20_000
"""The newest requests that the tail of amounts is fitted to."""

_DAILY: Final = text("""
    SELECT day, sum(requested) AS requested, max(requested) AS largest_request, sum(deposited) AS deposited
      FROM (SELECT date_trunc('day', requested_at, 'UTC') AS day, gross_amount AS requested, 0 AS deposited
              FROM derived.redemption_requests WHERE requested_at >= :since AND requested_at < :until
             UNION ALL
            SELECT date_trunc('day', at, 'UTC'), 0, assets
              FROM derived.deposits WHERE at >= :since AND at < :until) AS flow
     GROUP BY day ORDER BY day
""")

_AMOUNTS: Final = text("""
    SELECT gross_amount, requested_at FROM derived.redemption_requests
     WHERE requested_at >= :since AND requested_at < :until AND gross_amount > 0
     ORDER BY requested_at DESC, request_id DESC LIMIT :limit
""")


async def list_daily_flows(session: AsyncSession, *, since: datetime, until: datetime) -> list[DailyFlow]:
    """Return the days of a range that have flows, by time; the end is not included."""
    rows = await session.execute(_DAILY, {"since": since, "until": until})
    return [
        DailyFlow(row.day.astimezone(UTC), int(row.requested), int(row.largest_request), int(row.deposited)) for row in rows
    ]


async def list_request_amounts(session: AsyncSession, *, since: datetime, until: datetime) -> list[tuple[datetime, int]]:
    """Return the newest requests of a range with their amounts, latest first."""
    rows = await session.execute(_AMOUNTS, {"since": since, "until": until, "limit": AMOUNTS_MAX})
    return [(row.requested_at.astimezone(UTC), int(row.gross_amount)) for row in rows]


async def recorded_since(session: AsyncSession) -> datetime | None:
    """Return the time of the first recorded block."""
    found: datetime | None = (await session.execute(_RECORDED_SINCE)).scalar()
    return None if found is None else found.astimezone(UTC)
