"""The books back at the last block that is on the chain, in one transaction; then the listener follows on.

    look (two nodes) ──► a person says the ancestor's number ──► look again ──► rebuild beside ──► one transaction:
        lease taken (new epoch) · inputs above the ancestor removed · cursor set · rebuilt tables swapped in
        · comparisons and NAV points of these blocks marked · every effect that left the house a risk event · halt ended

The new epoch bars whoever held the lease, in the middle of a range too. A crash anywhere leaves all as it was. The tables
are rebuilt by the replay's own means, from the logs that stay; the outbox is not touched: what was due is level-triggered,
and what was done is listed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from psycopg.errors import LockNotAvailable
from sqlalchemy import CursorResult, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from paimon.application.event_listener.ingest.halt import end_halt
from paimon.application.reorg_recovery.effects import OrphanedEffect, list_orphaned_effects
from paimon.application.reorg_recovery.find_fork import BLOCK_COLUMNS, RecordedFork, count_rows, find_fork
from paimon.application.reorg_recovery.node_quorum import NodeQuorum
from paimon.application.replay.rebuild import ProgressCallback, Rebuild, ignore_progress
from paimon.application.replay.replay import CursorLocked
from paimon.application.replay.shadow_tables import open_shadow
from paimon.application.replay.swap import apply_shadow
from paimon.application.risk_control.record_findings import record_facts
from paimon.domain.kernel.chain import BlockStamp
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.leases import force_acquire
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)


class AncestorChanged(StartupError):
    """The ancestor is not the one that was confirmed."""


@dataclass(frozen=True, slots=True)
class RecoveryPlan:
    """What would go, by table, and what has left the house already."""

    fork: RecordedFork
    rows: Mapping[str, int]
    effects: Sequence[OrphanedEffect]


@dataclass(frozen=True, slots=True)
class RecoveryResult:
    """What was done. `rows_changed` are those of the projections, by table."""

    plan: RecoveryPlan
    epoch: int
    rows_changed: Mapping[str, int]


async def plan_recovery(session: AsyncSession, node_quorum: NodeQuorum) -> RecoveryPlan:
    """Changes nothing.

    Raises:
        NoAncestor, NodesDisagree, NodeBehind, RpcUnavailable, RpcError.
    """
    fork = await find_fork(session, node_quorum)
    above = fork.ancestor.number
    effects = await list_orphaned_effects(session, node_quorum, above=above) if fork.changed else []
    return RecoveryPlan(fork, await count_rows(session, above=above), effects)


async def recover(
    engine: AsyncEngine,
    contracts: FundContracts,
    node_quorum: NodeQuorum,
    *,
    to: int,
    lease: str,
    owner: str,
    progress: ProgressCallback = ignore_progress,
    lock_timeout_seconds: float = 5.0,
) -> RecoveryResult:
    """Carry out the plan whose ancestor is block `to`. `engine` is the owner's.

    Raises:
        AncestorChanged: by what the nodes say now; nothing was changed.
        NoAncestor, NodesDisagree, NodeBehind, RpcUnavailable, RpcError: the same.
        CursorLocked, ForeignLogs, NoTemporaryTables: the same.
    """
    async with open_shadow(engine) as shadow:
        async with shadow.transaction() as session:
            plan = await plan_recovery(session, node_quorum)
        if plan.fork.ancestor.number != to:
            raise AncestorChanged(
                f"the last recorded block that is on the chain is {plan.fork.ancestor}, not block {to}: look again"
                " (`paimon recover`), then confirm what it says"
            )
        rebuild = Rebuild(shadow, contracts, progress)
        if plan.fork.changed is not None:
            await rebuild.catch_up(until=to)
        try:
            async with shadow.transaction() as session:
                await session.execute(text(f"SET LOCAL lock_timeout = {round(lock_timeout_seconds * 1_000)}"))
                epoch = await force_acquire(session, lease, owner)
                await _hold_cursor(session, plan.fork)
                done = await _apply_plan(session, rebuild, plan, node_quorum, epoch=epoch)
        except OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable):
                raise
            raise CursorLocked(
                f"a lock on the books was not free within {lock_timeout_seconds:g} s; nothing was changed. A transaction"
                " hangs: see pg_locks and pg_stat_activity"
            ) from error
    log.critical(
        "reorg.recovered",
        ancestor=str(plan.fork.ancestor),
        abandoned=str(plan.fork.cursor),
        epoch=done.epoch,
        effects=len(done.plan.effects),
        rows=dict(done.plan.rows),
    )
    return done


async def _apply_plan(
    session: WriteSession, rebuild: Rebuild, plan: RecoveryPlan, node_quorum: NodeQuorum, *, epoch: int
) -> RecoveryResult:
    ancestor, changed = plan.fork.ancestor, plan.fork.changed
    if changed is None:  # the nodes have what is recorded, after all
        await end_halt(session, block=ancestor.number)
        return RecoveryResult(plan, epoch, {})
    effects = await list_orphaned_effects(session, node_quorum, above=ancestor.number)
    removed = await _remove(session, above=ancestor.number)
    await _set_cursor(session, ancestor, epoch=epoch)
    await rebuild.fold_to(session, ancestor.number)
    rows_changed = await apply_shadow(session)
    await _mark_orphaned(session, above=ancestor.number)
    await record_facts(session, [each.finding(changed) for each in effects], block=ancestor.number)
    await end_halt(session, block=ancestor.number)
    return RecoveryResult(RecoveryPlan(plan.fork, removed, effects), epoch, rows_changed)


_HOLD_CURSOR: Final = text("SELECT number, hash FROM derived.cursor FOR UPDATE")
_SET_CURSOR: Final = text("""
    UPDATE derived.cursor SET number = :number, hash = :hash, timestamp = :timestamp, epoch = :epoch
""")


async def _hold_cursor(session: WriteSession, fork: RecordedFork) -> None:
    """From here on nobody records; and nobody did since the nodes were asked."""
    row = (await session.execute(_HOLD_CURSOR)).one()
    if (row.number, bytes(row.hash)) != (fork.cursor.number, fork.cursor.hash):
        raise AncestorChanged(f"the listener went on to block {row.number} meanwhile: look again (`paimon recover`)")


async def _set_cursor(session: WriteSession, at: BlockStamp, *, epoch: int) -> None:
    values = {"number": at.number, "hash": at.hash, "timestamp": at.timestamp, "epoch": epoch}
    await session.execute(_SET_CURSOR, values)


_CUT_PROOF: Final = text("UPDATE derived.range_proofs SET last_block = :above WHERE last_block > :above")
"""Of the range that the ancestor is in."""


async def _remove(session: WriteSession, *, above: int) -> dict[str, int]:
    removed = {}
    for table, column in BLOCK_COLUMNS.items():
        statement = text(f"DELETE FROM {table} WHERE {column} > :above")  # noqa: S608 — names of `look`
        result = await session.execute(statement, {"above": above}, execution_options={"preserve_rowcount": True})
        assert isinstance(result, CursorResult)  # noqa: S101 — what a DELETE gives
        removed[table] = result.rowcount
    await session.execute(_CUT_PROOF, {"above": above})
    return removed


# A difference of the books is looked for at a block; one that was found above the ancestor is found there again, or gone.
_MARKS: Final = tuple(
    map(
        text,
        (
            "UPDATE ops.reconciliations SET orphaned = true WHERE block_number > :above",
            "DELETE FROM ops.nav_points WHERE status = 'WITHHELD' AND block_number > :above",
            "UPDATE ops.nav_points SET status = 'ORPHANED' WHERE status = 'PUBLISHED' AND block_number > :above",
            """UPDATE ops.risk_events SET last_seen_block = :above, first_seen_block = least(first_seen_block, :above)
                WHERE kind = 'RECONCILIATION_BREAK' AND status <> 'RESOLVED' AND last_seen_block > :above""",
        ),
    )
)


async def _mark_orphaned(session: WriteSession, *, above: int) -> None:
    values: dict[str, Any] = {"above": above}
    for statement in _MARKS:
        await session.execute(statement, values)
