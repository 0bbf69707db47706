"""The loop that records the chain up to its final block, run by the holder of the listener's lease.

    wake (new head or poll) → read the final block → fetch the next range → decode → prove → record → repeat until caught up

Only final blocks are recorded, so a reorganisation needs no undo. If a *recorded* block changes nevertheless, the loop
reports it and records nothing until an operator has decided (see `halt`). It waits for a node that does not answer, and for
a chain that ends before the cursor (see `chain_behind`).
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

import structlog

from paimon.application.common.log_fields import block_fields
from paimon.application.common.topics import CONTRACTS, RECONCILE, WHOLE_FUND
from paimon.application.event_listener.fetch.block_range import BlockRange, EndpointFault, InconsistentResponse, InvalidResponse
from paimon.application.event_listener.fetch.decode import DecodedLog
from paimon.application.event_listener.fetch.log_filter import LogFilter
from paimon.application.event_listener.fetch.store import load_tracked_contracts, record_endpoint_faults
from paimon.application.event_listener.fetch.tracked_contracts import (
    fetch_tracked,
    prove_tracked,
    require_same_fund,
)
from paimon.application.event_listener.fetch.verify import candidate_blocks, prove
from paimon.application.event_listener.ingest.catch_up import CatchUp, CatchUpCallback, CatchUpTracker, ProgressLogger, Segment
from paimon.application.event_listener.ingest.chain_behind import ChainBehindCursor, ChainBehindMonitor
from paimon.application.event_listener.ingest.cursor import fetch_cursor_header, require_same_chain, take_cursor
from paimon.application.event_listener.ingest.halt import FinalBlockChanged, halt, stand_by
from paimon.application.event_listener.ingest.new_heads import NewHeadsSubscription
from paimon.application.event_listener.record.batch_log import FetchStats
from paimon.application.event_listener.record.record import CursorMoved, record
from paimon.domain.chain.range_proof import ProofLevel
from paimon.domain.chain.range_size import next_range_size
from paimon.domain.chain.tracked_contracts import TrackedContract, TrackedContracts
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import BlockStamp, checksum, hex0x
from paimon.domain.operations.outbox import OutboxPriority
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.finality import ChainAdapter
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.database.leases import HeldLease, LeaseLost
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.observability.metrics import LISTENER_BLOCKS, LISTENER_LOGS, LISTENER_SECONDS
from paimon.infrastructure.queue import outbox
from paimon.settings import ChainSettings

log = structlog.get_logger(__name__)

_RETRYABLE_ERRORS: Final = (RpcUnavailable, RpcError, InconsistentResponse, ChainBehindCursor)


@dataclass(slots=True)
class Listener:
    """Follow the chain. One per process; it works only while it holds the lease."""

    database: Database
    contracts: FundContracts
    chain: ChainAdapter
    options: ChainSettings
    start_block: int
    chain_behind: ChainBehindMonitor = field(default_factory=ChainBehindMonitor)
    report_progress: CatchUpCallback = field(default_factory=ProgressLogger)
    """Called while the listener catches up."""
    _range_size: int = field(init=False)
    """Blocks to fetch at once near the head."""
    _warned_of_one_endpoint: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._range_size = self.options.batch_blocks_max

    async def follow(self, lease: HeldLease) -> None:
        """Follow the chain until cancelled or the lease is lost; stand by during a halt."""
        while True:
            await stand_by(self.database, pause_seconds=self.options.poll_seconds)
            try:
                await self._follow(lease)
            except FinalBlockChanged as changed:
                log.critical("listener.final_block_changed", endpoint=self.contracts.rpc.endpoint, reason=str(changed))
                await halt(self.database, changed, lease)

    async def _follow(self, lease: HeldLease) -> None:
        new_heads = NewHeadsSubscription.from_settings(self.options)
        self.chain_behind.reset()
        cursor, tracked = await self._start(lease)
        log.info("listener.started", epoch=lease.epoch, **block_fields(cursor))
        subscription = asyncio.create_task(new_heads.listen())
        idle_since_block, examined = cursor.number, False
        try:
            while True:
                advanced = await self._advance(cursor, tracked, lease)
                if advanced is None:
                    if cursor.number - idle_since_block > self.options.strict_proof_blocks:
                        await self._queue_reconciliation(cursor)
                    idle_since_block = cursor.number
                    if not examined:
                        await self._queue_examination()
                        examined = True
                    await new_heads.wait()
                else:
                    cursor, tracked = advanced
        finally:
            subscription.cancel()

    async def _start(self, lease: HeldLease) -> tuple[BlockStamp, TrackedContracts]:
        """Take the cursor and load the tracked contracts, once the node answers."""
        while True:
            try:
                cursor = await take_cursor(self.database, self.contracts, self.chain, lease, start_block=self.start_block)
                await require_same_chain(self.contracts.rpc, cursor)
                await self.chain_behind.report_caught_up(self.database, cursor, lease)
                async with self.database.read() as session:
                    tracked = await load_tracked_contracts(session)
                require_same_fund(tracked, self.contracts.addresses)
            except _RETRYABLE_ERRORS as error:
                log.warning("listener.node_unavailable", reason=str(error))
                if isinstance(error, ChainBehindCursor):
                    await self.chain_behind.report_behind(self.database, error, lease)
                await asyncio.sleep(self.options.poll_seconds)
            else:
                return cursor, tracked

    async def _advance(
        self, cursor: BlockStamp, tracked: TrackedContracts, lease: HeldLease
    ) -> tuple[BlockStamp, TrackedContracts] | None:
        """Record the next final blocks; None when caught up, or when the node gives no usable answer now."""
        try:
            final = await self.chain.final_block(self.contracts.rpc)
            if final.number < cursor.number:
                await fetch_cursor_header(self.contracts.rpc, cursor)  # the block is there; only its finality lags on this node
            elif final.number == cursor.number and final.hash != cursor.hash:
                await require_same_chain(self.contracts.rpc, cursor)
            await self.chain_behind.report_caught_up(self.database, cursor, lease)
            if final.number <= cursor.number:
                return None
            if final.number - cursor.number > self.options.strict_proof_blocks:
                return await self._catch_up(cursor, tracked, final, lease)
            segment = await self._fetch_and_prove(cursor, tracked, final)
        except _RETRYABLE_ERRORS as error:
            await self._report_failure(error, cursor, lease)
            return None
        return await self._record(segment, tracked, final, lease)

    async def _catch_up(
        self, cursor: BlockStamp, tracked: TrackedContracts, final: BlockStamp, lease: HeldLease
    ) -> tuple[BlockStamp, TrackedContracts] | None:
        """Record segments until one of these; None when nothing was recorded.

        - the rest is near enough to the head to be fetched with every header
        - a new contract is tracked, whose logs the segments fetched ahead lack
        - the node fails
        """
        last, started_from = final.number - self.options.strict_proof_blocks, cursor
        self._warn_of_one_endpoint()
        catch_up = CatchUp(self.contracts, tracked, cursor.number + 1, last, self.options)
        progress = CatchUpTracker(cursor.number, last, self.report_progress)
        try:
            async with aclosing(catch_up.segments()) as segments:
                async for segment in segments:
                    await self._require_continuity(cursor, segment.fetched)
                    cursor, tracked_now = await self._record(segment, tracked, final, lease)
                    progress.advance_to(cursor.number, logs=len(segment.logs))
                    if tracked_now != tracked:
                        return cursor, tracked_now
        except _RETRYABLE_ERRORS as error:
            await self._report_failure(error, cursor, lease)
        return None if cursor == started_from else (cursor, tracked)

    def _warn_of_one_endpoint(self) -> None:
        """Say once that a single endpoint can only chain old blocks: the operator may want a second one before."""
        if self.contracts.rpc.has_one_reader and not self._warned_of_one_endpoint:
            self._warned_of_one_endpoint = True
            log.warning("proof.one_endpoint", endpoint=self.contracts.rpc.endpoint, level=ProofLevel.CHAINED.value)

    async def _fetch_and_prove(self, cursor: BlockStamp, tracked: TrackedContracts, final: BlockStamp) -> Segment:
        """Fetch and prove the blocks after the cursor, with every header, as many as one transaction may hold.

        Raises:
            FinalBlockChanged, ChainBehindCursor, InvalidResponse, InconsistentResponse, RpcUnavailable, RpcError.
        """
        began, options = monotonic(), self.options
        last = min(final.number, cursor.number + self._range_size)
        rpc = await self.contracts.rpc.at_height(last).preferred()
        fetched, logs = await fetch_tracked(rpc, self.contracts, tracked, cursor.number + 1, last)
        await self._require_continuity(cursor, fetched)
        candidates = candidate_blocks(fetched.headers, LogFilter.of(tracked))
        # Blocks that are cut off here are fetched again: in dense blocks a range that is too large repeats most of its work.
        limits = ((len(logs), options.batch_logs_max), (len(candidates), options.receipts_blocks_max))
        self._range_size = min(
            next_range_size(len(fetched.headers), count, items_target=count_max, blocks_max=options.batch_blocks_max)
            for count, count_max in limits
        )
        fetched = next(fetched.pieces(options.batch_logs_max))
        if len(candidates) > options.receipts_blocks_max:
            fetched = fetched.before(candidates[options.receipts_blocks_max].stamp.number)
        proof, logs = await prove_tracked(prove, rpc, self.contracts, tracked, fetched, logs[: len(fetched.logs)])
        return Segment(proof, logs, monotonic() - began)

    async def _require_continuity(self, cursor: BlockStamp, fetched: BlockRange) -> None:
        """Check that the blocks continue the recorded chain.

        Raises:
            InconsistentResponse: the node returned blocks of another fork.
            FinalBlockChanged, ChainBehindCursor: the chain does not have the recorded block.
        """
        if fetched.parent_hash != cursor.hash:
            await require_same_chain(self.contracts.rpc, cursor)
            raise InconsistentResponse(f"block {fetched.first} does not follow {cursor}")

    async def _report_failure(self, error: Exception, cursor: BlockStamp, lease: HeldLease) -> None:
        log.warning("listener.node_unavailable", reason=str(error), **block_fields(cursor))
        if isinstance(error, InvalidResponse):
            await self._report_endpoint_faults([error.fault])
        if isinstance(error, ChainBehindCursor):
            await self.chain_behind.report_behind(self.database, error, lease)

    async def _report_endpoint_faults(self, faults: Sequence[EndpointFault]) -> None:
        if not faults:
            return
        for fault in faults:
            log.error(
                "endpoint.invalid_response",
                endpoint=fault.endpoint,
                kind=fault.kind.value,
                block=fault.block_number,
                reason=fault.description,
            )
        async with self.database.write() as session:
            await record_endpoint_faults(session, faults)

    async def _queue_reconciliation(self, cursor: BlockStamp) -> None:
        """Queue a reconciliation after a catch-up. Its older ranges may be weakly proven: a log missing there shows here."""
        async with self.database.write() as session:
            await outbox.add(session, RECONCILE, WHOLE_FUND, priority=OutboxPriority.HIGH, payload={"block": cursor.number})

    async def _queue_examination(self) -> None:
        """Queue an examination of the contracts: while this listener did not run, they may have become others."""
        async with self.database.write() as session:
            await outbox.add(session, CONTRACTS, WHOLE_FUND, priority=OutboxPriority.HIGH)

    async def _record(
        self, segment: Segment, tracked: TrackedContracts, final: BlockStamp, lease: HeldLease
    ) -> tuple[BlockStamp, TrackedContracts]:
        """Record the segment in as many transactions as its logs need; return the new cursor and tracked contracts."""
        await self._report_endpoint_faults(segment.proof.faults)
        headers = len(segment.fetched.headers)
        for fetched, logs in segment.pieces(self.options.batch_logs_max):
            behind = final.number - fetched.last.number
            fetch_stats = FetchStats(segment.seconds * len(fetched.headers) / headers, behind)
            new = await self._record_one(fetched, logs, segment.proof.level, fetch_stats, tracked, lease)
            tracked = tracked.with_added(new)
        return segment.fetched.last, tracked

    async def _record_one(
        self,
        fetched: BlockRange,
        logs: list[DecodedLog],
        level: ProofLevel,
        fetch_stats: FetchStats,
        tracked: TrackedContracts,
        lease: HeldLease,
    ) -> list[TrackedContract]:
        began = monotonic()
        try:
            new = await record(
                self.database, fetched, logs, tracked=tracked, epoch=lease.epoch, level=level, fetch_stats=fetch_stats
            )
        except CursorMoved as error:
            # Another process writes, so this one no longer holds the lease: stand by, and start again from the cursor.
            raise LeaseLost(str(error)) from error
        LISTENER_BLOCKS.inc(fetched.last.number - fetched.first + 1)
        LISTENER_SECONDS.labels("fetch").observe(fetch_stats.seconds)
        LISTENER_SECONDS.labels("record").observe(monotonic() - began)
        for status, count in Counter([decoded.status for decoded in logs]).items():
            LISTENER_LOGS.labels(status.value).inc(count)
        _report(logs, with_applied=fetch_stats.lag_blocks <= self.options.strict_proof_blocks)
        for tracked_now in new:
            log.info(
                "contract.tracked",
                contract=tracked_now.contract.value,
                address=checksum(tracked_now.address),
                block=tracked_now.since_block,
            )
        blocks = fetched.last.number - fetched.first + 1
        log.debug("listener.recorded", blocks=blocks, logs=len(logs), proof=level.value, **block_fields(fetched.last))
        return new


def _report(logs: Sequence[DecodedLog], *, with_applied: bool) -> None:
    """Log every quarantined log, and near the head every applied one."""
    for decoded in logs:
        if decoded.status is LogStatus.QUARANTINED:
            log.error("log.quarantined", reason=decoded.reason, log_index=decoded.log.log_index, **_log_fields(decoded))
        elif with_applied and decoded.status is LogStatus.APPLIED:
            tx = hex0x(decoded.log.tx_hash)
            log.info("log.recorded", redemption_id=decoded.request_id, tx=tx, **_log_fields(decoded))


def _log_fields(decoded: DecodedLog) -> dict[str, Any]:
    return {"contract": decoded.contract.value, "log_event": decoded.name, **block_fields(decoded.log.block)}
