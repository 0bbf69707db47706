"""The loop that keeps the books at the chain's final block, run by the holder of the listener's lease.

Wake (doorbell or poll) → ask for the final block → fetch the next range → decode → prove → record → repeat until caught up.
Only final blocks are recorded, so a reorganisation needs no undo. Should a *recorded* block change all the same, the
loop stops and says so, and nobody records until a person has seen to it (see `halt`). A node that is away, or whose chain
ends before what is recorded, is waited for (see `behind`).
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
from paimon.application.common.topics import RECONCILE, WHOLE_FUND
from paimon.application.event_listener.fetch.block_range import BlockRange, EndpointFault, InconsistentResponse, InvalidResponse
from paimon.application.event_listener.fetch.decode import DecodedLog
from paimon.application.event_listener.fetch.log_filter import LogFilter
from paimon.application.event_listener.fetch.range_proofs import record_endpoint_faults
from paimon.application.event_listener.fetch.tracked_contracts import (
    fetch_tracked,
    load_tracked_contracts,
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
    """What following needs. One per process; it works only while it holds the lease."""

    database: Database
    contracts: FundContracts
    chain: ChainAdapter
    options: ChainSettings
    start_block: int
    behind: ChainBehindMonitor = field(default_factory=ChainBehindMonitor)
    report_progress: CatchUpCallback = field(default_factory=ProgressLogger)
    """Of how far it is, while it catches up."""
    _range_size: int = field(init=False)
    """Blocks to ask for at once, of those that are followed live."""

    def __post_init__(self) -> None:
        self._range_size = self.options.batch_blocks_max

    async def follow(self, lease: HeldLease) -> None:
        """Follow the chain until cancelled or the lease is lost; stand by as long as there is a halt."""
        while True:
            await stand_by(self.database, pause_seconds=self.options.poll_seconds)
            try:
                await self._follow(lease)
            except FinalBlockChanged as changed:
                log.critical("listener.final_block_changed", endpoint=self.contracts.rpc.endpoint, reason=str(changed))
                await halt(self.database, changed, lease)

    async def _follow(self, lease: HeldLease) -> None:
        new_heads = NewHeadsSubscription(
            self.options.ws_url.get_secret_value() if self.options.ws_url else None,
            poll_seconds=self.options.poll_seconds,
        )
        self.behind.begin()
        cursor, tracked = await self._start(lease)
        log.info("listener.started", epoch=lease.epoch, **block_fields(cursor))
        subscription = asyncio.create_task(new_heads.listen())
        idle_since_block = cursor.number
        try:
            while True:
                advanced = await self._advance(cursor, tracked, lease)
                if advanced is None:
                    if cursor.number - idle_since_block > self.options.strict_proof_blocks:
                        await self._queue_reconciliation(cursor)
                    idle_since_block = cursor.number
                    await new_heads.wait()
                else:
                    cursor, tracked = advanced
        finally:
            subscription.cancel()

    async def _start(self, lease: HeldLease) -> tuple[BlockStamp, TrackedContracts]:
        """Where to go on and what to follow, once the node answers: one that is away is waited for, like later on."""
        while True:
            try:
                cursor = await take_cursor(self.database, self.contracts, self.chain, lease, start_block=self.start_block)
                await require_same_chain(self.contracts.rpc, cursor)
                await self.behind.report_caught_up(self.database, cursor, lease)
                async with self.database.read() as session:
                    tracked = await load_tracked_contracts(session)
                require_same_fund(tracked, self.contracts.addresses)
            except _RETRYABLE_ERRORS as error:
                log.warning("listener.node_unavailable", reason=str(error))
                if isinstance(error, ChainBehindCursor):
                    await self.behind.report_behind(self.database, error, lease)
                await asyncio.sleep(self.options.poll_seconds)
            else:
                return cursor, tracked

    async def _advance(
        self, cursor: BlockStamp, tracked: TrackedContracts, lease: HeldLease
    ) -> tuple[BlockStamp, TrackedContracts] | None:
        """Record the next final blocks; None when caught up or when the node gives nothing usable now."""
        try:
            final = await self.chain.final_block(self.contracts.rpc)
            if final.number < cursor.number:
                await fetch_cursor_header(self.contracts.rpc, cursor)  # a node that only lags in calling it final is no matter
            elif final.number == cursor.number and final.hash != cursor.hash:
                await require_same_chain(self.contracts.rpc, cursor)
            await self.behind.report_caught_up(self.database, cursor, lease)
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
        """Record stretches until what is left is followed live, a contract comes in that those fetched ahead know nothing of,
        or the node fails; None when nothing was recorded.
        """
        last, started_from = final.number - self.options.strict_proof_blocks, cursor
        ahead = CatchUp(self.contracts, tracked, cursor.number + 1, last, self.options)
        progress = CatchUpTracker(cursor.number, last, self.report_progress)
        try:
            async with aclosing(ahead.segments()) as segments:
                async for segment in segments:
                    await self._require_continuity(cursor, segment.fetched)
                    cursor, tracked_now = await self._record(segment, tracked, final, lease)
                    progress.advance_to(cursor.number, logs=len(segment.logs))
                    if tracked_now != tracked:
                        return cursor, tracked_now
        except _RETRYABLE_ERRORS as error:
            await self._report_failure(error, cursor, lease)
        return None if cursor == started_from else (cursor, tracked)

    async def _fetch_and_prove(self, cursor: BlockStamp, tracked: TrackedContracts, final: BlockStamp) -> Segment:
        """The blocks behind the cursor, with every header, cut to what one transaction may hold and its proof may cost.

        Raises:
            FinalBlockChanged, ChainBehindCursor, InvalidResponse, InconsistentResponse, RpcUnavailable, RpcError.
        """
        began, options = monotonic(), self.options
        last = min(final.number, cursor.number + self._range_size)
        rpc = await self.contracts.rpc.at_height(last).preferred()
        fetched, logs = await fetch_tracked(rpc, self.contracts, tracked, cursor.number + 1, last)
        await self._require_continuity(cursor, fetched)
        candidates = candidate_blocks(fetched.headers, LogFilter.of(tracked))
        # What is asked for and then cut off is asked for again: in dense blocks, over and over.
        limits = ((len(logs), options.batch_logs_max), (len(candidates), options.receipts_blocks_max))
        self._range_size = min(
            next_range_size(len(fetched.headers), found, items_target=most, blocks_max=options.batch_blocks_max)
            for found, most in limits
        )
        fetched = next(fetched.pieces(options.batch_logs_max))
        if len(candidates) > options.receipts_blocks_max:
            fetched = fetched.before(candidates[options.receipts_blocks_max].stamp.number)
        proof, logs = await prove_tracked(prove, rpc, self.contracts, tracked, fetched, logs[: len(fetched.logs)])
        return Segment(proof, logs, monotonic() - began)

    async def _require_continuity(self, cursor: BlockStamp, fetched: BlockRange) -> None:
        """Raises InconsistentResponse when the node gave another chain's blocks, FinalBlockChanged when it has left ours."""
        if fetched.parent_hash != cursor.hash:
            await require_same_chain(self.contracts.rpc, cursor)
            raise InconsistentResponse(f"block {fetched.first} does not follow {cursor}")

    async def _report_failure(self, error: Exception, cursor: BlockStamp, lease: HeldLease) -> None:
        log.warning("listener.node_unavailable", reason=str(error), **block_fields(cursor))
        if isinstance(error, InvalidResponse):
            await self._report_endpoint_faults([error.fault])
        if isinstance(error, ChainBehindCursor):
            await self.behind.report_behind(self.database, error, lease)

    async def _report_endpoint_faults(self, faults: Sequence[EndpointFault]) -> None:
        if not faults:
            return
        for each in faults:
            log.error(
                "endpoint.invalid_response",
                endpoint=each.endpoint,
                lie=each.lie.value,
                block=each.block_number,
                reason=each.description,
            )
        async with self.database.write() as session:
            await record_endpoint_faults(session, faults)

    async def _queue_reconciliation(self, cursor: BlockStamp) -> None:
        """After a long way whose older ranges may be weakly proven: what is missing from them shows in the state here."""
        async with self.database.write() as session:
            await outbox.add(session, RECONCILE, WHOLE_FUND, priority=OutboxPriority.HIGH, payload={"block": cursor.number})

    async def _record(
        self, segment: Segment, tracked: TrackedContracts, final: BlockStamp, lease: HeldLease
    ) -> tuple[BlockStamp, TrackedContracts]:
        """Commit the stretch, in as many transactions as its logs need; where the books stand after it."""
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
            # Someone else writes. Whoever is right, it is not this holder any more: stand by, and start from the cursor.
            raise LeaseLost(str(error)) from error
        LISTENER_BLOCKS.inc(fetched.last.number - fetched.first + 1)
        LISTENER_SECONDS.labels("fetch").observe(fetch_stats.seconds)
        LISTENER_SECONDS.labels("record").observe(monotonic() - began)
        for status, count in Counter([each.status for each in logs]).items():
            LISTENER_LOGS.labels(status.value).inc(count)
        _report(logs, each=fetch_stats.lag_blocks <= self.options.strict_proof_blocks)
        for each in new:
            log.info("contract.tracked", contract=each.contract.value, address=checksum(each.address), block=each.since_block)
        blocks = fetched.last.number - fetched.first + 1
        log.debug("listener.recorded", blocks=blocks, logs=len(logs), proof=level.value, **block_fields(fetched.last))
        return new


def _report(logs: Sequence[DecodedLog], *, each: bool) -> None:
    """What a person should know of: every log that is news, and whatever was quarantined."""
    for decoded in logs:
        if decoded.status is LogStatus.QUARANTINED:
            log.error("log.quarantined", reason=decoded.reason, log_index=decoded.log.log_index, **_log_fields(decoded))
        elif each and decoded.status is LogStatus.APPLIED:
            tx = hex0x(decoded.log.tx_hash)
            log.info("log.recorded", redemption_id=decoded.request_id, tx=tx, **_log_fields(decoded))


def _log_fields(decoded: DecodedLog) -> dict[str, Any]:
    return {"contract": decoded.contract.value, "log_event": decoded.name, **block_fields(decoded.log.block)}
