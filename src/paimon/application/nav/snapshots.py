"""Snapshots: reads of the fund at the last recorded final block, kept as evidence and shown as the overview.

Three things request a snapshot: the clock (each minute), events that move value (the FUND message) and an operator. The read is
the same for all. Its result is stored in one of two ways:

    kept     an observation `fund_snapshot`, with its rows in the time series: the first of each hour, any after events,
             any that moves net assets or shares, any that an operator requested
    latest   an observation `fund_latest`, which the next one replaces: what the overview shows between two kept ones

A burst of events gives one snapshot: a message that comes within the pause after the last one is deferred to its end, and by
then one read covers everything recorded. Whether a snapshot is due is read from the recorded state (events after the newest
kept snapshot), not from the message, so that order and repetition of messages do not matter.
"""

from dataclasses import dataclass
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from paimon.application.common.chain_position import chain_position
from paimon.application.common.recorded_block import lock_recorded_block
from paimon.application.common.topics import RECONCILE, WHOLE_FUND
from paimon.application.deployment.store import find_deployment
from paimon.application.nav.attribution import report_unexplained
from paimon.application.nav.overview import FundPublisher
from paimon.application.nav.store import (
    find_kept_snapshot,
    find_newest_snapshot,
    is_message_scheduled,
    is_snapshot_due,
    list_granted_roles,
    schedule_message,
    store_snapshot,
)
from paimon.application.nav.valuation_failure import clear_valuation_failure, record_valuation_failure
from paimon.application.oracle.judge import judge_prices
from paimon.domain.kernel.units import Bps
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.price.policy import PricePolicy
from paimon.domain.vault.fund_snapshot import FundSnapshot, should_keep_snapshot
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.reads import CallReverted
from paimon.infrastructure.blockchain.contracts.snapshot import read_snapshot
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.infrastructure.queue import outbox

log = structlog.get_logger(__name__)

_PAUSE_KEY: Final = "paimon:snapshot:pause"


@dataclass(frozen=True, slots=True)
class SnapshotResult:
    """A snapshot that was read, and whether it is kept as history."""

    snapshot: FundSnapshot
    kept: bool


async def take_snapshot(
    database: Database,
    contracts: FundContracts,
    publisher: FundPublisher,
    *,
    material_threshold: Bps,
    prices: PricePolicy,
    keep: bool = False,
) -> SnapshotResult | None:
    """Read the fund at the last recorded final block, judge its prices, store it and publish it.

    Return None before the listener's first batch, and when a recovery removed the block while it was read.

    Raises:
        CallReverted, RpcUnavailable, RpcError.
    """
    async with database.read() as session:
        at = await chain_position(session)
        previous_kept = await find_kept_snapshot(session)
        previous = await find_newest_snapshot(session)
        due = keep or await is_snapshot_due(session)
        roles = await list_granted_roles(session)
        deployment = await find_deployment(session)
    if at is None:
        return None
    try:
        snapshot = await read_snapshot(contracts, at=at, requested_roles=roles, deployment=deployment)
    except CallReverted as error:
        await record_valuation_failure(database, error, at=at)
        raise
    kept = (
        due or previous_kept == snapshot or should_keep_snapshot(previous_kept, snapshot, material_threshold=material_threshold)
    )
    async with database.write() as session:
        if not await lock_recorded_block(session, at):
            return None
        await store_snapshot(session, snapshot, kept=kept)
        await clear_valuation_failure(session, at=at)
        await judge_prices(session, snapshot, prices)
        if kept and not snapshot.tier_values_match:
            await outbox.add(session, RECONCILE, WHOLE_FUND, priority=OutboxPriority.HIGH, payload={"block": at.number})
    await publisher.publish_overview(previous=previous)
    if kept:
        await report_unexplained(database, snapshot, material_threshold=material_threshold)
    _log_snapshot(snapshot, kept=kept)
    return SnapshotResult(snapshot, kept)


def _log_snapshot(snapshot: FundSnapshot, *, kept: bool) -> None:
    block = snapshot.at.number
    if not snapshot.tier_values_match:
        log.error("fund.tier_values_differ", block=block, ours=[str(position.value) for position in snapshot.assets])
    if snapshot.pending_value:
        log.error("fund.pending_value_not_counted", block=block, value=str(snapshot.pending_value))
    if snapshot.has_stale_cache:
        log.info("fund.contract_cache_stale", block=block, cached=str(snapshot.contract.asset_value))
    log.info("fund.snapshot_taken", block=block, net_assets=str(snapshot.net_assets), kept=kept)


async def snapshot_after_events(
    database: Database,
    contracts: FundContracts,
    publisher: FundPublisher,
    redis: Redis,
    *,
    material_threshold: Bps,
    prices: PricePolicy,
    pause_seconds: float,
) -> None:
    """Take a snapshot if events were recorded since the last kept one and the pause after it is over.

    Within the pause it takes none; `defer_if_due` schedules one for its end.
    """
    async with database.read() as session:
        due = await is_snapshot_due(session)
    if due and await _begin_pause(redis, pause_seconds):
        await take_snapshot(database, contracts, publisher, material_threshold=material_threshold, prices=prices)


async def defer_if_due(session: WriteSession, kind: str, *, pause_seconds: float) -> None:
    """Schedule one message for the end of the pause while events wait for their snapshot, however many request it."""
    if await is_snapshot_due(session) and not await is_message_scheduled(session, kind):
        schedule_message(session, kind, pause_seconds=pause_seconds)


async def _begin_pause(redis: Redis, pause_seconds: float) -> bool:
    """Begin the next pause; return whether the last one is over.

    Without Redis there is no pause: too many snapshots are better than none.
    """
    try:
        return bool(await redis.set(_PAUSE_KEY, 1, nx=True, px=max(int(pause_seconds * 1000), 1)))
    except RedisError as error:
        log.warning("snapshot.pause_unknown", reason=type(error).__name__)
        return True
