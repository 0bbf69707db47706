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

from paimon.application.event_listener.fetch.block_range import InconsistentResponse
from paimon.application.event_listener.fetch.tracked_contracts import fetch_tracked, load_tracked_contracts
from paimon.application.event_listener.ingest.new_heads import NewHeadsSubscription
from paimon.application.event_listener.record.pending_logs import PENDING_LOGS, PendingLogUpdate, update_pending_logs
from paimon.application.risk_control.record_findings import record_check_result
from paimon.domain.kernel.chain import BlockStamp, Hash32
from paimon.domain.risk.finality_lag import FINALITY_SUBJECT, FinalityLag, FindingWatch, finality_lag_finding
from paimon.domain.risk.risk_event import Finding, RiskKind
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.finality import ChainAdapter, get_block
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.cache import endpoints, live
from paimon.infrastructure.database.leases import HeldLease, LeaseLost, fence
from paimon.infrastructure.database.sessions import Database
from paimon.settings import ChainSettings, HealthSettings

log = structlog.get_logger(__name__)

_YIELD_TO_LISTENER_SECONDS: Final = 0.1
"""The same bell wakes the recording, on the same event loop: that goes first, and takes a good part of this as a rule."""

_RETRYABLE_ERRORS: Final = (RpcUnavailable, RpcError, InconsistentResponse, SQLAlchemyError)
_ENDPOINTS_SECONDS: Final = 2.0


@dataclass(slots=True)
class HeadMonitor:
    """One per process. `failures` counts the looks that came to nothing."""

    database: Database
    contracts: FundContracts
    chain: ChainAdapter
    redis: Redis
    options: ChainSettings
    limits: HealthSettings
    failures: int = 0
    _lag: FindingWatch = field(default_factory=FindingWatch)
    _lag_reported: bool = True
    """Whether an alarm may be open: at the start one may be left from before."""

    async def run(self, lease: HeldLease) -> None:
        """Look at each new head, and at least at every poll, until cancelled or the lease is lost."""
        url = self.options.ws_url.get_secret_value() if self.options.ws_url else None
        new_heads = NewHeadsSubscription(url, poll_seconds=self.options.poll_seconds)
        background_tasks = (asyncio.create_task(new_heads.listen()), asyncio.create_task(self._publish_endpoints()))
        self._lag, self._lag_reported = FindingWatch(), True
        try:
            while True:
                try:
                    await self.check_head(lease)
                except LeaseLost:
                    return
                except _RETRYABLE_ERRORS as error:
                    self.failures += 1
                    log.warning("head.check_failed", failures=self.failures, reason=f"{type(error).__name__}: {error}"[:300])
                except Exception:  # a mistake of ours may not end what nobody else would start again
                    self.failures += 1
                    log.exception("head.check_failed", failures=self.failures)
                await new_heads.wait()
                await asyncio.sleep(_YIELD_TO_LISTENER_SECONDS)
        finally:
            for each in background_tasks:
                each.cancel()

    async def _publish_endpoints(self) -> None:
        """Whether or not a look comes through: when none does, it is the endpoints that a person wants to see."""
        updates = True
        while True:
            try:
                await endpoints.store_endpoint_states(self.redis, self.contracts.rpc.endpoints())
                updates = True
            except RedisError as error:
                if updates:
                    log.warning("endpoints.publish_failed", reason=type(error).__name__)
                updates = False
            await asyncio.sleep(_ENDPOINTS_SECONDS)

    async def check_head(self, lease: HeldLease) -> None:
        """Raises LeaseLost, and whatever a node or the database may raise."""
        head, final = await get_block(self.contracts.rpc, "latest"), await self.chain.final_block(self.contracts.rpc)
        await self._check_finality_lag(head, final, lease)
        await self._update_pending_logs(head, final, lease)

    async def _check_finality_lag(self, head: BlockStamp, final: BlockStamp, lease: HeldLease) -> None:
        limits, now = self.limits, monotonic()
        found = finality_lag_finding(
            FinalityLag.between(final, head), FinalityLag(limits.finality_lag_blocks, limits.finality_lag_seconds)
        )
        self._lag = self._lag.after(found, at_seconds=now)
        has_lasted = self._lag.has_lasted(at_seconds=now, grace_seconds=limits.finality_lag_grace_seconds)
        if has_lasted or (found is None and self._lag_reported):
            await self._record_lag(found, lease, block=final.number)

    async def _record_lag(self, found: Finding | None, lease: HeldLease, *, block: int) -> None:
        async with self.database.write() as session:
            await fence(session, lease)
            await record_check_result(session, RiskKind.FINALITY_LAG, FINALITY_SUBJECT, found, block=block)
        self._lag_reported = found is not None

    async def _update_pending_logs(self, head: BlockStamp, final: BlockStamp, lease: HeldLease) -> None:
        async with self.database.read() as session:
            tracked = await load_tracked_contracts(session)
        if not tracked.contracts:
            return
        first = max(final.number + 1, head.number - self.options.pending_blocks_max + 1)
        blocks: dict[int, Hash32] = {}
        if first <= head.number:
            rpc = await self.contracts.rpc.at_height(head.number).preferred()
            fetched, logs = await fetch_tracked(rpc, self.contracts, tracked, first, head.number)
            if first == final.number + 1 and fetched.parent_hash != final.hash:
                raise InconsistentResponse(f"block {first} does not follow the final one, {final}")
            blocks = {header.stamp.number: header.stamp.hash for header in fetched.headers}
        else:
            logs = []
        updates = await update_pending_logs(self.database, blocks, logs, lease=lease, rows_max=self.options.pending_logs_max)
        await self._publish(updates)

    async def _publish(self, updates: Sequence[PendingLogUpdate]) -> None:
        try:
            for each in updates:
                await live.publish(self.redis, PENDING_LOGS, each.message)
        except RedisError as error:  # the list stands, and says the same
            log.warning("pending_logs.publish_failed", reason=type(error).__name__)


def with_head_monitor(
    follow: Callable[[HeldLease], Awaitable[None]], monitor: HeadMonitor
) -> Callable[[HeldLease], Awaitable[None]]:
    """The work of the lease's holder, with the watch beside it for as long."""

    async def work(lease: HeldLease) -> None:
        watching = asyncio.create_task(monitor.run(lease))
        try:
            await follow(lease)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    return work
