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

from paimon.application.common.log_fields import shown
from paimon.application.common.topics import BOOKS, RECONCILE
from paimon.application.event_listener.fetch.block_range import Caught, InconsistentAnswer, Range, UntrueAnswer
from paimon.application.event_listener.fetch.decode import DecodedLog
from paimon.application.event_listener.fetch.log_filter import Wanted
from paimon.application.event_listener.fetch.range_proofs import count_lies
from paimon.application.event_listener.fetch.tracked_contracts import (
    fetch_followed,
    load_followed,
    prove_followed,
    require_same_fund,
)
from paimon.application.event_listener.fetch.verify import hiding_blocks, prove
from paimon.application.event_listener.ingest.catch_up import CatchUp, LogLines, Progress, Stretch, Tell
from paimon.application.event_listener.ingest.chain_behind import BehindWatch, ChainBehindCursor
from paimon.application.event_listener.ingest.cursor import fetch_cursor, require_same_chain, take_cursor
from paimon.application.event_listener.ingest.halt import FinalBlockChanged, halt, stand_by
from paimon.application.event_listener.ingest.new_heads import Doorbell
from paimon.application.event_listener.record.batch_log import Fetching
from paimon.application.event_listener.record.record import CursorMoved, record
from paimon.domain.chain.range_proof import ProofLevel
from paimon.domain.chain.range_size import next_step
from paimon.domain.chain.tracked_contracts import Followed, FollowedContract
from paimon.domain.kernel.chain import BlockStamp, checksum, hex0x
from paimon.infrastructure.blockchain.contracts import FundContracts
from paimon.infrastructure.blockchain.finality import ChainAdapter
from paimon.infrastructure.blockchain.rpc import RpcError, RpcUnavailable
from paimon.infrastructure.database.leases import HeldLease, LeaseLost
from paimon.infrastructure.database.models.derived import LogStatus
from paimon.infrastructure.database.models.ops.outbox import OutboxPriority
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.observability.metrics import LISTENER_BLOCKS, LISTENER_LOGS, LISTENER_SECONDS
from paimon.infrastructure.queue import outbox
from paimon.settings import ChainSettings

log = structlog.get_logger(__name__)

_WAITED_FOR: Final = (RpcUnavailable, RpcError, InconsistentAnswer, ChainBehindCursor)


@dataclass(slots=True)
class Listener:
    """What following needs. One per process; it works only while it holds the lease."""

    database: Database
    contracts: FundContracts
    chain: ChainAdapter
    options: ChainSettings
    start_block: int
    behind: BehindWatch = field(default_factory=BehindWatch)
    tell: Tell = field(default_factory=LogLines)
    """Of how far it is, while it catches up."""
    _step: int = field(init=False)
    """Blocks to ask for at once, of those that are followed live."""

    def __post_init__(self) -> None:
        self._step = self.options.batch_blocks_max

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
        doorbell = Doorbell(
            self.options.ws_url.get_secret_value() if self.options.ws_url else None,
            poll_seconds=self.options.poll_seconds,
        )
        self.behind.begin()
        cursor, followed = await self._start(lease)
        log.info("listener.started", epoch=lease.epoch, **shown(cursor))
        ringing = asyncio.create_task(doorbell.listen())
        rested_at = cursor.number
        try:
            while True:
                advanced = await self._advance(cursor, followed, lease)
                if advanced is None:
                    if cursor.number - rested_at > self.options.live_blocks:
                        await self._have_books_compared(cursor)
                    rested_at = cursor.number
                    await doorbell.wait()
                else:
                    cursor, followed = advanced
        finally:
            ringing.cancel()

    async def _start(self, lease: HeldLease) -> tuple[BlockStamp, Followed]:
        """Where to go on and what to follow, once the node answers: one that is away is waited for, like later on."""
        while True:
            try:
                cursor = await take_cursor(self.database, self.contracts, self.chain, lease, start_block=self.start_block)
                await require_same_chain(self.contracts.rpc, cursor)
                await self.behind.is_there(self.database, cursor, lease)
                async with self.database.read() as session:
                    followed = await load_followed(session)
                require_same_fund(followed, self.contracts.addresses)
            except _WAITED_FOR as error:
                log.warning("listener.waits_for_node", reason=str(error))
                if isinstance(error, ChainBehindCursor):
                    await self.behind.is_behind(self.database, error, lease)
                await asyncio.sleep(self.options.poll_seconds)
            else:
                return cursor, followed

    async def _advance(self, cursor: BlockStamp, followed: Followed, lease: HeldLease) -> tuple[BlockStamp, Followed] | None:
        """Record the next final blocks; None when caught up or when the node gives nothing usable now."""
        try:
            final = await self.chain.final_block(self.contracts.rpc)
            if final.number < cursor.number:
                await fetch_cursor(self.contracts.rpc, cursor)  # a node that only lags in calling it final is no matter
            elif final.number == cursor.number and final.hash != cursor.hash:
                await require_same_chain(self.contracts.rpc, cursor)
            await self.behind.is_there(self.database, cursor, lease)
            if final.number <= cursor.number:
                return None
            if final.number - cursor.number > self.options.live_blocks:
                return await self._catch_up(cursor, followed, final, lease)
            stretch = await self._proven(cursor, followed, final)
        except _WAITED_FOR as error:
            await self._report_failure(error, cursor, lease)
            return None
        return await self._record(stretch, followed, final, lease)

    async def _catch_up(
        self, cursor: BlockStamp, followed: Followed, final: BlockStamp, lease: HeldLease
    ) -> tuple[BlockStamp, Followed] | None:
        """Record stretches until what is left is followed live, a contract comes in that those fetched ahead know nothing of,
        or the node fails; None when nothing was recorded.
        """
        last, began_at = final.number - self.options.live_blocks, cursor
        ahead = CatchUp(self.contracts, followed, cursor.number + 1, last, self.options)
        progress = Progress(cursor.number, last, self.tell)
        try:
            async with aclosing(ahead.stretches()) as stretches:
                async for stretch in stretches:
                    await self._require_continues(cursor, stretch.fetched)
                    cursor, now_followed = await self._record(stretch, followed, final, lease)
                    progress.reached(cursor.number, logs=len(stretch.logs))
                    if now_followed != followed:
                        return cursor, now_followed
        except _WAITED_FOR as error:
            await self._report_failure(error, cursor, lease)
        return None if cursor == began_at else (cursor, followed)

    async def _proven(self, cursor: BlockStamp, followed: Followed, final: BlockStamp) -> Stretch:
        """The blocks behind the cursor, with every header, cut to what one transaction may hold and its proof may cost.

        Raises:
            FinalBlockChanged, ChainBehindCursor, UntrueAnswer, InconsistentAnswer, RpcUnavailable, RpcError.
        """
        began, options = monotonic(), self.options
        last = min(final.number, cursor.number + self._step)
        rpc = await self.contracts.rpc.at_height(last).preferred()
        fetched, logs = await fetch_followed(rpc, self.contracts, followed, cursor.number + 1, last)
        await self._require_continues(cursor, fetched)
        hiding = hiding_blocks(fetched.headers, Wanted.of(followed))
        # What is asked for and then cut off is asked for again: in dense blocks, over and over.
        limits = ((len(logs), options.batch_logs_max), (len(hiding), options.receipts_blocks_max))
        self._step = min(
            next_step(len(fetched.headers), found, wanted=most, blocks_max=options.batch_blocks_max) for found, most in limits
        )
        fetched = next(fetched.pieces(options.batch_logs_max))
        if len(hiding) > options.receipts_blocks_max:
            fetched = fetched.before(hiding[options.receipts_blocks_max].stamp.number)
        proof, logs = await prove_followed(prove, rpc, self.contracts, followed, fetched, logs[: len(fetched.logs)])
        return Stretch(proof, logs, monotonic() - began)

    async def _require_continues(self, cursor: BlockStamp, fetched: Range) -> None:
        """Raises InconsistentAnswer when the node gave another chain's blocks, FinalBlockChanged when it has left ours."""
        if fetched.parent_hash != cursor.hash:
            await require_same_chain(self.contracts.rpc, cursor)
            raise InconsistentAnswer(f"block {fetched.first} does not follow {cursor}")

    async def _report_failure(self, error: Exception, cursor: BlockStamp, lease: HeldLease) -> None:
        log.warning("listener.waits_for_node", reason=str(error), **shown(cursor))
        if isinstance(error, UntrueAnswer):
            await self._report_lies([error.caught])
        if isinstance(error, ChainBehindCursor):
            await self.behind.is_behind(self.database, error, lease)

    async def _report_lies(self, caught: Sequence[Caught]) -> None:
        if not caught:
            return
        for each in caught:
            log.error("endpoint.lied", endpoint=each.endpoint, lie=each.lie.value, block=each.block_number, reason=each.words)
        async with self.database.write() as session:
            await count_lies(session, caught)

    async def _have_books_compared(self, cursor: BlockStamp) -> None:
        """After a long way whose older ranges may be weakly proven: what is missing from them shows in the state here."""
        async with self.database.write() as session:
            await outbox.add(session, RECONCILE, BOOKS, priority=OutboxPriority.HIGH, payload={"block": cursor.number})

    async def _record(
        self, stretch: Stretch, followed: Followed, final: BlockStamp, lease: HeldLease
    ) -> tuple[BlockStamp, Followed]:
        """Commit the stretch, in as many transactions as its logs need; where the books stand after it."""
        await self._report_lies(stretch.proof.caught)
        headers = len(stretch.fetched.headers)
        for fetched, logs in stretch.pieces(self.options.batch_logs_max):
            behind = final.number - fetched.last.number
            fetching = Fetching(stretch.seconds * len(fetched.headers) / headers, behind)
            new = await self._record_one(fetched, logs, stretch.proof.level, fetching, followed, lease)
            followed = followed.with_more(new)
        return stretch.fetched.last, followed

    async def _record_one(
        self,
        fetched: Range,
        logs: list[DecodedLog],
        level: ProofLevel,
        fetching: Fetching,
        followed: Followed,
        lease: HeldLease,
    ) -> list[FollowedContract]:
        began = monotonic()
        try:
            new = await record(
                self.database, fetched, logs, followed=followed, epoch=lease.epoch, level=level, fetching=fetching
            )
        except CursorMoved as error:
            # Someone else writes. Whoever is right, it is not this holder any more: stand by, and start from the cursor.
            raise LeaseLost(str(error)) from error
        LISTENER_BLOCKS.inc(fetched.last.number - fetched.first + 1)
        LISTENER_SECONDS.labels("fetch").observe(fetching.seconds)
        LISTENER_SECONDS.labels("record").observe(monotonic() - began)
        for status, count in Counter([each.status for each in logs]).items():
            LISTENER_LOGS.labels(status.value).inc(count)
        _report(logs, each=fetching.behind_blocks <= self.options.live_blocks)
        for each in new:
            log.info("contract.followed", contract=each.contract.value, address=checksum(each.address), block=each.since_block)
        blocks = fetched.last.number - fetched.first + 1
        log.debug("listener.recorded", blocks=blocks, logs=len(logs), proof=level.value, **shown(fetched.last))
        return new


def _report(logs: Sequence[DecodedLog], *, each: bool) -> None:
    """What a person should know of: every log that is news, and whatever was quarantined."""
    for decoded in logs:
        if decoded.status is LogStatus.QUARANTINED:
            log.error("log.quarantined", reason=decoded.reason, log_index=decoded.log.log_index, **_named(decoded))
        elif each and decoded.status is LogStatus.APPLIED:
            tx = hex0x(decoded.log.tx_hash)
            log.info("log.recorded", redemption_id=decoded.request_id, tx=tx, **_named(decoded))


def _named(decoded: DecodedLog) -> dict[str, Any]:
    return {"contract": decoded.contract.value, "log_event": decoded.name, **shown(decoded.log.block)}
