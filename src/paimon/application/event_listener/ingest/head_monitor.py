"""A look at the chain above its final block, beside the listener's own work and by the holder of the same lease.

Each look asks for the head and the final block, and does two things with what lies between: it says when finality lags, and
it keeps the list of what was seen and is not final. Neither is part of the books. It runs in a task of its own, over
sessions of its own, and a look that fails is logged and counted and nothing else: recording does not wait for it. As long as
it runs, it also says how the listener finds each of its endpoints.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from paimon.application.event_listener.fetch.block_range import InconsistentAnswer
from paimon.application.event_listener.fetch.tracked_contracts import fetch_followed, load_followed
from paimon.application.event_listener.ingest.new_heads import Doorbell
from paimon.application.event_listener.record.pending_logs import UNFINAL, Told, keep_unfinal
from paimon.application.risk_control.record_findings import keep_look
from paimon.domain.kernel.chain import BlockStamp, Hash32
from paimon.domain.risk.finality_lag import FINALITY, Lag, LagWatch, lag_finding
from paimon.domain.risk.risk_event import Finding, RiskKind
from paimon.infrastructure.blockchain.contracts import FundContracts
from paimon.infrastructure.blockchain.finality import ChainAdapter, get_block
from paimon.infrastructure.blockchain.rpc import RpcError, RpcUnavailable
from paimon.infrastructure.cache import endpoints, live
from paimon.infrastructure.database.leases import HeldLease, LeaseLost, fence
from paimon.infrastructure.database.sessions import Database
from paimon.settings import ChainSettings, HealthSettings

log = structlog.get_logger(__name__)

_AFTER_THE_BOOKS_SECONDS: Final = 0.1
"""The same bell wakes the recording, on the same event loop: that goes first, and takes a good part of this as a rule."""

_EXPECTED: Final = (RpcUnavailable, RpcError, InconsistentAnswer, SQLAlchemyError)
_ENDPOINTS_SECONDS: Final = 2.0


@dataclass(slots=True)
class HeadWatch:
    """One per process. `failures` counts the looks that came to nothing."""

    database: Database
    contracts: FundContracts
    chain: ChainAdapter
    redis: Redis
    options: ChainSettings
    limits: HealthSettings
    failures: int = 0
    _lag: LagWatch = field(default_factory=LagWatch)
    _told_of_lag: bool = True
    """Whether an alarm may be open: at the start one may be left from before."""

    async def run(self, lease: HeldLease) -> None:
        """Look at each new head, and at least at every poll, until cancelled or the lease is lost."""
        url = self.options.ws_url.get_secret_value() if self.options.ws_url else None
        doorbell = Doorbell(url, poll_seconds=self.options.poll_seconds)
        beside = (asyncio.create_task(doorbell.listen()), asyncio.create_task(self._tell_endpoints()))
        self._lag, self._told_of_lag = LagWatch(), True
        try:
            while True:
                try:
                    await self.look(lease)
                except LeaseLost:
                    return
                except _EXPECTED as error:
                    self.failures += 1
                    log.warning("head.look_failed", failures=self.failures, reason=f"{type(error).__name__}: {error}"[:300])
                except Exception:  # a mistake of ours may not end what nobody else would start again
                    self.failures += 1
                    log.exception("head.look_failed", failures=self.failures)
                await doorbell.wait()
                await asyncio.sleep(_AFTER_THE_BOOKS_SECONDS)
        finally:
            for each in beside:
                each.cancel()

    async def _tell_endpoints(self) -> None:
        """Whether or not a look comes through: when none does, it is the endpoints that a person wants to see."""
        told = True
        while True:
            try:
                await endpoints.leave(self.redis, self.contracts.rpc.endpoints())
                told = True
            except RedisError as error:
                if told:
                    log.warning("endpoints.untold", reason=type(error).__name__)
                told = False
            await asyncio.sleep(_ENDPOINTS_SECONDS)

    async def look(self, lease: HeldLease) -> None:
        """Raises LeaseLost, and whatever a node or the database may raise."""
        head, final = await get_block(self.contracts.rpc, "latest"), await self.chain.final_block(self.contracts.rpc)
        await self._watch_lag(head, final, lease)
        await self._keep_unfinal(head, final, lease)

    async def _watch_lag(self, head: BlockStamp, final: BlockStamp, lease: HeldLease) -> None:
        limits, now = self.limits, monotonic()
        found = lag_finding(Lag.between(final, head), Lag(limits.finality_lag_blocks, limits.finality_lag_seconds))
        self._lag = self._lag.after(found, at_seconds=now)
        lasts = self._lag.lasts(at_seconds=now, lasting_seconds=limits.finality_lag_lasting_seconds)
        if lasts or (found is None and self._told_of_lag):
            await self._tell_lag(found, lease, block=final.number)

    async def _tell_lag(self, found: Finding | None, lease: HeldLease, *, block: int) -> None:
        async with self.database.write() as session:
            await fence(session, lease)
            await keep_look(session, RiskKind.FINALITY_LAG, FINALITY, found, block=block)
        self._told_of_lag = found is not None

    async def _keep_unfinal(self, head: BlockStamp, final: BlockStamp, lease: HeldLease) -> None:
        async with self.database.read() as session:
            followed = await load_followed(session)
        if not followed.contracts:
            return
        first = max(final.number + 1, head.number - self.options.unfinal_blocks_max + 1)
        blocks: dict[int, Hash32] = {}
        if first <= head.number:
            rpc = await self.contracts.rpc.at_height(head.number).preferred()
            fetched, logs = await fetch_followed(rpc, self.contracts, followed, first, head.number)
            if first == final.number + 1 and fetched.parent_hash != final.hash:
                raise InconsistentAnswer(f"block {first} does not follow the final one, {final}")
            blocks = {header.stamp.number: header.stamp.hash for header in fetched.headers}
        else:
            logs = []
        told = await keep_unfinal(self.database, blocks, logs, lease=lease, rows_max=self.options.unfinal_logs_max)
        await self._tell(told)

    async def _tell(self, told: Sequence[Told]) -> None:
        try:
            for each in told:
                await live.publish(self.redis, UNFINAL, each.message)
        except RedisError as error:  # the list stands, and says the same
            log.warning("unfinal.untold", reason=type(error).__name__)


def watched(follow: Callable[[HeldLease], Awaitable[None]], watch: HeadWatch) -> Callable[[HeldLease], Awaitable[None]]:
    """The work of the lease's holder, with the watch beside it for as long."""

    async def work(lease: HeldLease) -> None:
        watching = asyncio.create_task(watch.run(lease))
        try:
            await follow(lease)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    return work
