"""The fund at its last recorded final block: one pinned read, stored as an observation, served as ready-made bytes.

The API never calls the chain to answer a read. What it serves is the newest observation, written through to Redis; when
Redis is empty or gone, the database has it.
"""

from decimal import Decimal
from typing import Any, Final

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from paimon.application.redemptions.settlement import chain_position
from paimon.domain.chain import BlockStamp, hex0x
from paimon.domain.units import BPS_ONE, RawAmount
from paimon.domain.vault import VaultState
from paimon.infrastructure.blockchain.contracts import FundContracts
from paimon.infrastructure.cache import live
from paimon.infrastructure.database.models.derived import Observation
from paimon.infrastructure.database.sessions import Database

log = structlog.get_logger(__name__)

KIND: Final = "vault_state"
SUBJECT: Final = "fund"
CHANNEL: Final = "fund:overview"
_CACHE_KEY: Final = "paimon:overview"
_CACHE_SECONDS: Final = 60


async def take_snapshot(database: Database, contracts: FundContracts, redis: Redis) -> BlockStamp | None:
    """Read the fund at the last recorded final block and publish it; None before the listener's first batch."""
    async with database.read() as session:
        at = await chain_position(session)
    if at is None:
        return None
    state = await contracts.vault_state(at=at)
    data = present(state, at=at, asset_decimals=await contracts.asset_decimals(at=at))
    async with database.write() as session:
        await session.execute(
            insert(Observation)
            .values(
                kind=KIND,
                subject=SUBJECT,
                block_number=at.number,
                block_hash=at.hash,
                block_timestamp=at.timestamp,
                data=data,
            )
            .on_conflict_do_nothing()
        )
    if (encoded := await _latest(database)) is not None:
        await _spread(redis, encoded)
    log.info("fund.snapshot_taken", block=at.number, net_assets=str(state.net_assets))
    return at


async def _spread(redis: Redis, encoded: bytes) -> None:
    """Best effort: the observation is committed, and what Redis does not take is read from the database."""
    try:
        await redis.set(_CACHE_KEY, encoded, ex=_CACHE_SECONDS)
        await live.publish(redis, CHANNEL, orjson.loads(encoded))
    except RedisError as error:
        log.warning("overview.cache_unreachable", reason=type(error).__name__)


async def read_overview(redis: Redis, database: Database) -> bytes | None:
    """The encoded `data` of `GET /fund/overview`; None while no snapshot was ever taken."""
    try:
        if (cached := await redis.get(_CACHE_KEY)) is not None:
            return cached if isinstance(cached, bytes) else cached.encode()
        if (encoded := await _latest(database)) is not None:
            await redis.set(_CACHE_KEY, encoded, ex=_CACHE_SECONDS)
        return encoded
    except RedisError as error:
        log.warning("overview.cache_unreachable", reason=type(error).__name__)
        return await _latest(database)


async def _latest(database: Database) -> bytes | None:
    newest = (
        select(Observation.data)
        .where(Observation.kind == KIND, Observation.subject == SUBJECT)
        .order_by(Observation.block_number.desc())
        .limit(1)
    )
    async with database.read() as session:
        data = (await session.execute(newest)).scalar()
    return None if data is None else orjson.dumps(data)


def present(state: VaultState, *, at: BlockStamp, asset_decimals: int) -> dict[str, Any]:
    """The overview as integrators see it: raw amounts as decimal strings, ratios of gross assets as decimals.

    `totalAssets` and `sharePrice` are ours, from fresh parts; the contract's own, possibly cached, stand beside them.
    """

    def layer(value: RawAmount) -> dict[str, str]:
        return {"value": str(value), "ratio": str(Decimal(state.layer_ratio(value)) / BPS_ONE)}

    return {
        "totalAssets": str(state.net_assets),
        "grossAssets": str(state.gross_assets),
        "totalSupply": str(state.total_supply),
        "sharePrice": str(state.nav_per_share),
        "nav": display(state.nav_per_share, 18),
        "aum": display(state.net_assets, asset_decimals),
        "layer1Liquidity": str(state.layer1_value),
        "layer2Liquidity": str(state.layer2_value),
        "layer3Value": str(state.layer3_value),
        "totalRedemptionLiability": str(state.redemption_liability),
        "totalLockedShares": str(state.locked_shares),
        "withdrawableRedemptionFees": str(state.withdrawable_redemption_fees),
        "emergencyMode": state.emergency_mode,
        "layers": {
            "L1": layer(state.layer1_value),
            "L2": layer(state.layer2_value),
            "L3": layer(state.layer3_value),
        },
        "contract": {
            "totalAssets": str(state.contract_total_assets),
            "sharePrice": str(state.contract_share_price),
        },
        "block": {"number": at.number, "hash": hex0x(at.hash)},
        "lastUpdated": at.timestamp.isoformat().replace("+00:00", "Z"),
    }


def display(amount: int, decimals: int) -> str:
    """A raw amount as an exact decimal number."""
    whole, fraction = divmod(amount, 10**decimals)
    return f"{whole}.{fraction:0{decimals}d}" if decimals else str(whole)
