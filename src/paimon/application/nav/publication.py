"""Official NAV: a point of its own for every kept snapshot, published once a comparison at or after its block is clean.

    kept snapshot ──► (next comparison) no material difference ──► PUBLISHED
                                        a material one         ──► WITHHELD, with the reason ──► PUBLISHED by the next
                                                                                                 clean comparison

A snapshot itself is the contracts' own word and needs no comparison to be true; what a material difference puts in doubt
is whether this house understands the fund, and until it does it stands behind no figure. Open differences are risk
events, and the critical ones among them are the material ones: there is no second list. A snapshot on which our
valuation of a tier is not the contract's is not released at all: a person must look.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import select, text

from paimon.application.common.formatting import display, iso_z
from paimon.application.nav.overview import find_newest_snapshot, publish_overview
from paimon.application.risk_control.store import list_critical_breaks
from paimon.domain.risk.discrepancy import Discrepancy
from paimon.domain.risk.nav_publication import reason
from paimon.errors import InvalidRequest
from paimon.infrastructure.database.models.ops.reconciliation import ReconciliationRow
from paimon.infrastructure.database.sessions import Database, ReadSession, WriteSession

log = structlog.get_logger(__name__)

_GENERATION: Final = "paimon:nav:generation"
_CACHE_SECONDS: Final = 300


class Interval(StrEnum):
    """How dense a history is; each bucket shows its last point."""

    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"


_BUCKETS: Final = {Interval.HOURLY: "hour", Interval.DAILY: "day", Interval.WEEKLY: "week"}


class TooManyPoints(InvalidRequest):
    """The range holds more points than one answer carries."""

    field = "interval"


@dataclass(frozen=True, slots=True)
class PublicationResult:
    """What one run did: points published (released ones among them), points withheld, and why."""

    published: int
    withheld: int
    reason: str | None


async def publish_nav(database: Database, redis: Redis) -> PublicationResult:
    """Decide every snapshot up to the last comparison's block; nothing to do before the first of either."""
    async with database.write() as session:
        decided = await _decide_points(session)
    if decided.reason is not None:
        log.error("nav.withheld", points=decided.withheld, reason=decided.reason)
    if decided.published:
        log.info("nav.published", points=decided.published)
    if decided.published or decided.withheld:
        await republish_nav(database, redis)
    return decided


async def republish_nav(database: Database, redis: Redis) -> None:
    """Points changed: what is cached of them is of yesterday."""
    try:
        await redis.incr(_GENERATION)
    except RedisError as error:  # the points stand; the cached histories run out by themselves
        log.warning("nav.cache_unreachable", reason=type(error).__name__)
    await publish_overview(database, redis, previous=None)


async def _decide_points(session: WriteSession) -> PublicationResult:
    newest = (
        select(ReconciliationRow)
        .where(~ReconciliationRow.orphaned)
        .order_by(ReconciliationRow.block_number.desc(), ReconciliationRow.id.desc())
    )
    check = (await session.scalars(newest.limit(1))).one_or_none()
    if check is None:
        return PublicationResult(0, 0, None)
    critical = [each.found for each in await list_critical_breaks(session)]
    why = reason([Discrepancy(each.subject, each.observed, each.expected) for each in critical]) if critical else None
    values = {"block": check.block_number, "check": check.id, "reason": why}
    added = (await session.execute(_ADD, values)).scalars().all()
    released = (await session.execute(_RELEASE, values)).scalars().all() if why is None else []
    published = len(released) + sum(each == "PUBLISHED" for each in added)
    return PublicationResult(published, sum(each == "WITHHELD" for each in added), why)


_ADD = text("""
    INSERT INTO ops.nav_points (block_number, block_hash, time, net_assets, effective_supply, nav_per_share,
                                  status, withheld_reason, reconciliation_id, published_at)
    SELECT taken.block_number, taken.block_hash, taken.time, taken.net_assets,
           taken.total_supply - taken.locked_shares, taken.nav_per_share,
           CASE WHEN why.reason IS NULL THEN 'PUBLISHED' ELSE 'WITHHELD' END, why.reason, :check,
           CASE WHEN why.reason IS NULL THEN now() END
      FROM derived.daily_snapshots AS taken
     CROSS JOIN LATERAL (SELECT CASE WHEN taken.tiers_agree THEN CAST(:reason AS text)
                                     ELSE 'our valuation of a tier is not the contract''s at this block' END AS reason) AS why
     WHERE taken.block_number <= :block
       AND NOT EXISTS (SELECT 1 FROM ops.nav_points AS decided WHERE decided.block_number = taken.block_number
                         AND decided.block_hash = taken.block_hash)
        ON CONFLICT DO NOTHING
    RETURNING status
""")

_RELEASE = text("""
    UPDATE ops.nav_points AS point
       SET status = 'PUBLISHED', published_at = now(), decided_at = now(), reconciliation_id = :check
      FROM derived.daily_snapshots AS taken
     WHERE point.status = 'WITHHELD' AND point.block_number <= :block
       AND taken.block_number = point.block_number AND taken.time = point.time AND taken.tiers_agree
    RETURNING point.status
""")


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """UTC days, both included; without a start, the `DEFAULT_DAYS` before the newest point."""

    start: date | None
    end: date | None
    interval: Interval

    @property
    def key(self) -> str:
        return f"{self.start}:{self.end}:{self.interval}"


DEFAULT_DAYS: Final = 30
_FIRST_END: Final = datetime.min.replace(tzinfo=UTC) + timedelta(days=DEFAULT_DAYS)
"""Before it there is no day to count back to."""

# The buckets first, then the snapshots of those alone, within the same time: where old chunks are compressed, a join that
# the planner takes for one look-up per point would decompress them all for each.
_HISTORY = text("""
    SELECT shown.*, taken.contract_share_price, taken.contract_total_assets
      FROM (SELECT DISTINCT ON (bucket) date_trunc(:unit, time, 'UTC') AS bucket, time, block_number,
                   net_assets, effective_supply, nav_per_share
              FROM ops.nav_points
             WHERE status = 'PUBLISHED' AND time >= :start AND time < :end
             ORDER BY bucket, block_number DESC
             LIMIT :limit) AS shown
      LEFT JOIN derived.daily_snapshots AS taken
             ON taken.time = shown.time AND taken.block_number = shown.block_number
            AND taken.time >= :start AND taken.time < :end
     ORDER BY shown.bucket
""")

_WITHHELD = text("""
    SELECT count(*) AS points, min(time) AS since,
           (array_agg(withheld_reason ORDER BY block_number DESC))[1] AS reason
      FROM ops.nav_points WHERE status = 'WITHHELD'
""")

_NEWEST_TIME = text("SELECT max(time) FROM ops.nav_points WHERE status = 'PUBLISHED'")


async def read_history(database: Database, redis: Redis, query: HistoryQuery, *, points_max: int) -> bytes:
    """The encoded `data` of `GET /fund/nav/history`: from the cache, else read and cached until a point is decided.

    Raises:
        TooManyPoints: more than `points_max`.
    """
    try:
        generation = int(await redis.get(_GENERATION) or 0)
        key = f"paimon:nav:history:{generation}:{query.key}"
        if (cached := await redis.get(key)) is not None:
            return cached if isinstance(cached, bytes) else cached.encode()
        encoded = await _encoded_history(database, query, points_max=points_max)
        await redis.set(key, encoded, ex=_CACHE_SECONDS)
        return encoded
    except RedisError as error:
        log.warning("nav.cache_unreachable", reason=type(error).__name__)
        return await _encoded_history(database, query, points_max=points_max)


async def _encoded_history(database: Database, query: HistoryQuery, *, points_max: int) -> bytes:
    async with database.read() as session:
        return orjson.dumps(await _history(session, query, points_max=points_max))


async def _history(session: ReadSession, query: HistoryQuery, *, points_max: int) -> dict[str, Any]:
    start, end = await _range(session, query)
    values = {"unit": _BUCKETS[query.interval], "start": start, "end": end, "limit": points_max + 1}
    rows = (await session.execute(_HISTORY, values)).all()
    if len(rows) > points_max:
        raise TooManyPoints(
            f"from {start:%Y-%m-%d} on there are more than {points_max} {query.interval} points; ask for fewer days, or a"
            " longer interval"
        )
    withheld = (await session.execute(_WITHHELD)).one()
    newest = await find_newest_snapshot(session)
    asset_decimals = newest.asset_decimals if newest else 18  # points follow from snapshots: without one there are none
    return {
        "interval": query.interval.value,
        "points": [
            {
                "time": _utc(row.time),
                "blockNumber": row.block_number,
                "sharePrice": str(int(row.nav_per_share)),
                "nav": display(int(row.nav_per_share), 18),
                "totalAssets": str(int(row.net_assets)),
                "aum": display(int(row.net_assets), asset_decimals),
                "effectiveSupply": str(int(row.effective_supply)),
                "contract": None
                if row.contract_share_price is None
                else {
                    "sharePrice": str(int(row.contract_share_price)),
                    "totalAssets": str(int(row.contract_total_assets)),
                },
            }
            for row in rows
        ],
        "withheld": {"count": withheld.points, "since": _utc(withheld.since), "reason": withheld.reason}
        if withheld.points
        else None,
    }


async def _range(session: ReadSession, query: HistoryQuery) -> tuple[datetime, datetime]:
    newest: datetime = (await session.execute(_NEWEST_TIME)).scalar() or datetime.now(UTC)
    start = datetime.combine(query.start, time.min, UTC) if query.start else None
    end = datetime.combine(query.end, time.max, UTC) if query.end else newest + timedelta(microseconds=1)
    return start or max(min(newest, end), _FIRST_END) - timedelta(days=DEFAULT_DAYS), end


def _utc(moment: datetime) -> str:
    return iso_z(moment.astimezone(UTC))
