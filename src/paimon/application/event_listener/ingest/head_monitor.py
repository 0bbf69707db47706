"""Watch the blocks above the final one, beside the listener and under the same lease.

Each check reads the head and the final block. It reports when finality lags, and it updates the list of logs that are not
final yet. Neither is part of the recorded state. The monitor runs in a task and sessions of its own. A check that fails is
only logged and counted: recording does not wait for it. While the monitor runs, it also publishes the health of each of the
listener's endpoints.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

import structlog
from redis.exceptions import RedisError

from paimon.application.event_listener.fetch.block_range import InconsistentResponse
from paimon.application.event_listener.fetch.store import load_tracked_contracts
from paimon.application.event_listener.fetch.tracked_contracts import fetch_tracked
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
from paimon.infrastructure.cache.authenticated_redis import AuthenticatedRedis
from paimon.infrastructure.database.errors import DatabaseError
from paimon.infrastructure.database.leases import HeldLease, LeaseLost, fence
from paimon.infrastructure.database.sessions import Database
from paimon.settings import ChainSettings, HealthSettings

log = structlog.get_logger(__name__)

_YIELD_TO_LISTENER_SECONDS: Final = 0.1
"""A new head wakes the listener on the same event loop. The listener goes first, and usually takes most of this time."""

_RETRYABLE_ERRORS: Final = (RpcUnavailable, RpcError, InconsistentResponse, DatabaseError)
_ENDPOINTS_SECONDS: Final = 2.0


@dataclass(slots=True)
class HeadMonitor:
    """Check the head at each new block. One per process; `failures` counts the checks that failed."""

    database: Database
    contracts: FundContracts
    chain: ChainAdapter
    redis: AuthenticatedRedis
    options: ChainSettings
    limits: HealthSettings
    failures: int = 0
    _lag: FindingWatch = field(default_factory=FindingWatch)
    _lag_reported: bool = True
    """Whether a risk event may be open: at the start the previous holder may have left one."""

    async def run(self, lease: HeldLease) -> None:
        """Check at each new head, and at least at every poll, until cancelled or the lease is lost."""
        new_heads = NewHeadsSubscription.from_settings(self.options)
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
                except Exception:  # a defect may not end this task: nothing would restart it
                    self.failures += 1
                    log.exception("head.check_failed", failures=self.failures)
                await new_heads.wait()
                await asyncio.sleep(_YIELD_TO_LISTENER_SECONDS)
        finally:
            for task in background_tasks:
                task.cancel()

    async def _publish_endpoints(self) -> None:
        """Publish the endpoints' health, even while checks fail: then an operator needs it most."""
        is_published = True
        while True:
            try:
                await endpoints.store_endpoint_states(self.redis, self.contracts.rpc.endpoints())
                is_published = True
            except RedisError as error:
                if is_published:
                    log.warning("endpoints.publish_failed", reason=type(error).__name__)
                is_published = False
            await asyncio.sleep(_ENDPOINTS_SECONDS)

    async def check_head(self, lease: HeldLease) -> None:
        """Check the head once. Raises LeaseLost, and any error of a node or the database."""
        head, final = await get_block(self.contracts.rpc, "latest"), await self.chain.final_block(self.contracts.rpc)
        await self._check_finality_lag(head, final, lease)
        await self._update_pending_logs(head, final, lease)

    async def _check_finality_lag(self, head: BlockStamp, final: BlockStamp, lease: HeldLease) -> None:
        limits, now = self.limits, monotonic()
        finding = finality_lag_finding(
            FinalityLag.between(final, head), FinalityLag(limits.finality_lag_blocks, limits.finality_lag_seconds)
        )
        self._lag = self._lag.after(finding, at_seconds=now)
        has_lasted = self._lag.has_lasted(at_seconds=now, grace_seconds=limits.finality_lag_grace_seconds)
        if has_lasted or (finding is None and self._lag_reported):
            await self._record_lag(finding, lease, block=final.number)

    async def _record_lag(self, finding: Finding | None, lease: HeldLease, *, block: int) -> None:
        async with self.database.write() as session:
            await fence(session, lease)
            await record_check_result(session, RiskKind.FINALITY_LAG, FINALITY_SUBJECT, finding, block=block)
        self._lag_reported = finding is not None

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
            for update in updates:
                await live.publish(self.redis, PENDING_LOGS, update.message)
        except RedisError as error:  # the list in the database has the same content
            log.warning("pending_logs.publish_failed", reason=type(error).__name__)


def with_head_monitor(
    follow: Callable[[HeldLease], Awaitable[None]], monitor: HeadMonitor
) -> Callable[[HeldLease], Awaitable[None]]:
    """Return the work of the lease's holder: follow the chain, with the monitor beside it."""

    async def work(lease: HeldLease) -> None:
        monitoring = asyncio.create_task(monitor.run(lease))
        try:
            await follow(lease)
        finally:
            monitoring.cancel()
            await asyncio.gather(monitoring, return_exceptions=True)

    return work
