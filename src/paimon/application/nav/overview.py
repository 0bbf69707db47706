"""The fund as its newest snapshot shows it, served as ready-made bytes.

The API never calls the chain to answer a read. What it serves is the newest observation, written through to Redis; when
Redis is empty or gone, the database has it.
"""

from typing import Any, Final

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.common.formatting import display, iso_z, ratio
from paimon.application.nav.snapshot_json import from_json
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.domain.vault.fund_snapshot import AssetPosition, FundSnapshot
from paimon.errors import NotFound
from paimon.infrastructure.cache import live
from paimon.infrastructure.database.models.derived import ObservationRow
from paimon.infrastructure.database.models.ops.nav import NavPointRow, NavStatus
from paimon.infrastructure.database.sessions import Database

log = structlog.get_logger(__name__)


class SnapshotNotFound(NotFound):
    """No snapshot was kept at or before the given point."""


OVERVIEW: Final = "fund:overview"
NAV: Final = "fund:nav"
_CACHE_KEY: Final = "paimon:overview"
_CACHE_SECONDS: Final = 60


async def publish_overview(database: Database, redis: Redis, *, previous: FundSnapshot | None) -> None:
    """Write the newest overview through to the cache and tell who watches; NAV is told when it is not `previous`'s.

    Best effort: the observation is committed, and what Redis does not take is read from the database.
    """
    data = await _latest(database)
    try:
        if data is None:
            await redis.delete(_CACHE_KEY)
            return
        await redis.set(_CACHE_KEY, orjson.dumps(data), ex=_CACHE_SECONDS)
        await live.publish(redis, OVERVIEW, data)
        if previous is None or str(previous.nav_per_share) != data["sharePrice"]:
            await live.publish(redis, NAV, nav_message(data))
    except RedisError as error:
        log.warning("overview.cache_unreachable", reason=type(error).__name__)


def nav_message(overview: dict[str, Any]) -> dict[str, Any]:
    """What `fund:nav` tells: the figure of now, and the last one this house stands behind."""
    names = ("sharePrice", "nav", "totalAssets", "aum", "official", "block", "lastUpdated")
    return {name: overview[name] for name in names}


async def read_overview(redis: Redis, database: Database) -> bytes | None:
    """The encoded `data` of `GET /fund/overview`; None while no snapshot was ever taken."""
    try:
        if (cached := await redis.get(_CACHE_KEY)) is not None:
            return cached if isinstance(cached, bytes) else cached.encode()
        if (data := await _latest(database)) is None:
            return None
        await redis.set(_CACHE_KEY, encoded := orjson.dumps(data), ex=_CACHE_SECONDS)
        return encoded
    except RedisError as error:
        log.warning("overview.cache_unreachable", reason=type(error).__name__)
        data = await _latest(database)
        return None if data is None else orjson.dumps(data)


async def find_kept_snapshot(session: AsyncSession, block: int) -> FundSnapshot | None:
    """The newest snapshot of the history at or before a block."""
    kept = (
        select(ObservationRow.data)
        .where(ObservationRow.kind == "fund_snapshot", ObservationRow.subject == "fund", ObservationRow.block_number <= block)
        .order_by(ObservationRow.block_number.desc())
        .limit(1)
    )
    data: dict[str, Any] | None = (await session.execute(kept)).scalar()
    return None if data is None else from_json(data)


async def find_newest_nav_point(session: AsyncSession, *, until: int | None = None) -> NavPointRow | None:
    """The last NAV that was decided, of all or up to a block."""
    query = (
        select(NavPointRow).where(NavPointRow.status != NavStatus.ORPHANED).order_by(NavPointRow.block_number.desc()).limit(1)
    )
    return (await session.scalars(query if until is None else query.where(NavPointRow.block_number <= until))).one_or_none()


_NEWEST = text("""
    SELECT data
      FROM ((SELECT data, block_number FROM derived.observations
              WHERE kind = 'fund_snapshot' AND subject = 'fund' ORDER BY block_number DESC LIMIT 1)
            UNION ALL
            (SELECT data, block_number FROM derived.observations
              WHERE kind = 'fund_latest' AND subject = 'fund' ORDER BY block_number DESC LIMIT 1)) AS newest
     ORDER BY block_number DESC LIMIT 1
""")


async def find_newest_snapshot(session: AsyncSession) -> FundSnapshot | None:
    """The last read of the fund, kept or not."""
    data: dict[str, Any] | None = (await session.execute(_NEWEST)).scalar()
    return None if data is None else from_json(data)


async def _latest(database: Database) -> dict[str, Any] | None:
    async with database.read() as session:
        snapshot = await find_newest_snapshot(session)
        point = await find_newest_nav_point(session)
    return None if snapshot is None else overview_document(snapshot, point)


def overview_document(snapshot: FundSnapshot, point: NavPointRow | None) -> dict[str, Any]:
    """The overview as integrators see it: raw amounts as decimal strings, ratios of gross assets as decimals.

    `totalAssets` and `sharePrice` are ours, from fresh parts; the contract's own, possibly cached, stand beside them.
    `official` is the newest NAV this house stands behind, or the reason why it is held back.
    """
    state, fees = snapshot.vault, snapshot.fees

    def layer(tier: Tier) -> dict[str, str]:
        value = snapshot.tier_value(tier)
        return {"value": str(value), "ratio": ratio(state.layer_ratio(value))}

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
            "vault": snapshot.switches.vault_paused,
            "redemptionManager": snapshot.switches.manager_paused,
            "assetController": snapshot.switches.controller_paused,
        },
        "layers": {tier.name: layer(tier) for tier in Tier},
        "assets": [_asset(each, snapshot) for each in snapshot.assets if each.active or each.balance],
        "priceAgeSeconds": None if age is None else int(age.total_seconds()),
        "contract": {
            "totalAssets": str(state.contract_total_assets),
            "sharePrice": str(state.contract_share_price),
            "staleCache": snapshot.stale_cache,
        },
        "official": _official(point),
        "block": {"number": snapshot.at.number, "hash": hex0x(snapshot.at.hash)},
        "lastUpdated": iso_z(snapshot.at.timestamp),
    }


def _asset(position: AssetPosition, snapshot: FundSnapshot) -> dict[str, Any]:
    age = None if position.priced_at is None else max(int((snapshot.at.timestamp - position.priced_at).total_seconds()), 0)
    return {
        "token": checksum(position.token),
        "tier": position.tier.name,
        "active": position.active,
        "balance": str(position.balance),
        "decimals": position.decimals,
        "price": None if position.price is None else str(position.price),
        "priceAgeSeconds": age,
        "value": str(position.value),
    }


def _official(point: NavPointRow | None) -> dict[str, Any] | None:
    if point is None:
        return None
    return {
        "status": point.status.value,
        "sharePrice": str(point.nav_per_share) if point.status is NavStatus.PUBLISHED else None,
        "withheldReason": None if point.status is NavStatus.PUBLISHED else point.withheld_reason,
        "blockNumber": point.block_number,
        "time": iso_z(point.time),
    }
