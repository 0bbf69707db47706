"""The fund's documents as ready-made bytes: made once, kept in Redis, published to WebSocket clients and served by REST.

The API never calls the chain to answer a read. It serves the newest overview, written through to Redis. When Redis is empty or
unreachable, the database has it.
"""

from dataclasses import dataclass
from secrets import token_hex
from typing import Any, Final

import orjson
import structlog
from redis.exceptions import RedisError

from paimon.application.nav.history import HistoryQuery, read_history
from paimon.application.nav.overview import find_overview, overview_as_of
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.gateway.views.nav_history import nav_history_document
from paimon.gateway.views.overview import nav_document, overview_document
from paimon.infrastructure.cache import live
from paimon.infrastructure.cache.authenticated_redis import AuthenticatedRedis
from paimon.infrastructure.database.sessions import Database

log = structlog.get_logger(__name__)

OVERVIEW: Final = "fund:overview"
NAV: Final = "fund:nav"

_OVERVIEW_KEY: Final = "paimon:overview"
_OVERVIEW_CACHE_SECONDS: Final = 60
_GENERATION_KEY: Final = "paimon:nav:generation"
_NO_GENERATION: Final = b"none"
_HISTORY_CACHE_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class FundDocuments:
    """The overview and the history of NAV, read from the database and cached in Redis."""

    database: Database
    redis: AuthenticatedRedis

    async def publish_overview(self, *, previous: FundSnapshot | None) -> None:
        """Write the newest overview to the cache and send it to the watchers; send NAV too when it differs from `previous`.

        Best effort: the snapshot is committed, and what Redis does not take is read from the database.
        """
        document = await self._newest_overview()
        try:
            if document is None:
                await self.redis.client.delete(_OVERVIEW_KEY)
                return
            await self.redis.store(_OVERVIEW_KEY, orjson.dumps(document), ttl_seconds=_OVERVIEW_CACHE_SECONDS)
            await live.publish(self.redis, OVERVIEW, document)
            if previous is None or str(previous.nav_per_share) != document["sharePrice"]:
                await live.publish(self.redis, NAV, nav_document(document))
        except RedisError as error:
            log.warning("overview.cache_unreachable", reason=type(error).__name__)

    async def publish_nav(self) -> None:
        """Publish that NAV points changed: cached histories are out of date, and the overview shows another official NAV."""
        try:
            await self.redis.store(_GENERATION_KEY, token_hex(8).encode(), ttl_seconds=None)
        except RedisError as error:  # the points are committed; the cached histories expire by themselves
            log.warning("nav.cache_unreachable", reason=type(error).__name__)
        await self.publish_overview(previous=None)

    async def read_overview(self) -> bytes | None:
        """Return the encoded `data` of `GET /fund/overview`; None before the first snapshot."""
        try:
            cached = await self.redis.load(_OVERVIEW_KEY, age_seconds_max=_OVERVIEW_CACHE_SECONDS)
            if cached is not None:
                return cached
            if (document := await self._newest_overview()) is None:
                return None
            await self.redis.store(_OVERVIEW_KEY, encoded := orjson.dumps(document), ttl_seconds=_OVERVIEW_CACHE_SECONDS)
            return encoded
        except RedisError as error:
            log.warning("overview.cache_unreachable", reason=type(error).__name__)
            document = await self._newest_overview()
            return None if document is None else orjson.dumps(document)

    async def read_overview_at(self, block: int) -> bytes:
        """Return the encoded overview of the newest kept snapshot at or before a block.

        Raises:
            NothingRecorded, BlockNotRecorded, SnapshotNotFound.
        """
        async with self.database.read() as session:
            overview = await overview_as_of(session, block)
        return orjson.dumps(overview_document(overview))

    async def read_history(self, query: HistoryQuery, *, points_max: int) -> bytes:
        """Return the encoded `data` of `GET /fund/nav/history`; it is cached until the next NAV point is decided.

        Raises:
            TooManyPoints: the range has more than `points_max`.
        """
        try:
            generation = (await self.redis.load(_GENERATION_KEY, age_seconds_max=None) or _NO_GENERATION).decode()
            key = f"paimon:nav:history:{generation}:{query.key}"
            if (cached := await self.redis.load(key, age_seconds_max=_HISTORY_CACHE_SECONDS)) is not None:
                return cached
            encoded = await self._encoded_history(query, points_max=points_max)
            await self.redis.store(key, encoded, ttl_seconds=_HISTORY_CACHE_SECONDS)
            return encoded
        except RedisError as error:
            log.warning("nav.cache_unreachable", reason=type(error).__name__)
            return await self._encoded_history(query, points_max=points_max)

    async def _newest_overview(self) -> dict[str, Any] | None:
        async with self.database.read() as session:
            overview = await find_overview(session)
        return None if overview is None else overview_document(overview)

    async def _encoded_history(self, query: HistoryQuery, *, points_max: int) -> bytes:
        async with self.database.read() as session:
            return orjson.dumps(nav_history_document(await read_history(session, query, points_max=points_max)))
