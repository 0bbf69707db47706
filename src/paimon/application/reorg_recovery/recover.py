"""Recovery from a finality violation: go back to the last recorded block that is on the chain, in one transaction.

    find the fork (two nodes) ──► an operator confirms the ancestor's number ──► find it again ──► rebuild a shadow
        ──► one transaction: lease taken (new epoch) · inputs above the ancestor removed · cursor set · rebuilt tables swapped
        in · reconciliations and NAV points of these blocks marked · every effect that left the system a risk event · halt ended

The new epoch excludes the previous holder of the lease, even in the middle of a range. A crash anywhere leaves everything as it
was. The tables are rebuilt by replay, from the logs that stay. The outbox is left alone: what was due is level-triggered, and
what was done is listed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from paimon.application.audit.maintenance import Maintenance, record_maintenance
from paimon.application.event_listener.ingest.halt import end_halt
from paimon.application.reorg_recovery.effects import OrphanedEffect, list_orphaned_effects
from paimon.application.reorg_recovery.find_fork import RecordedFork, find_fork
from paimon.application.reorg_recovery.node_quorum import NodeQuorum
from paimon.application.reorg_recovery.queries import count_rows
from paimon.application.reorg_recovery.store import lock_cursor, mark_orphaned, remove_inputs, set_cursor
from paimon.application.replay.queries import LockTimeout, lock_timeouts, set_lock_timeout
from paimon.application.replay.rebuild import ProgressCallback, Rebuild, ignore_progress
from paimon.application.replay.replay import CursorLocked
from paimon.application.replay.shadow_tables import Engine, Shadow, open_shadow
from paimon.application.replay.swap import apply_shadow
from paimon.application.risk_control.record_findings import record_facts
from paimon.domain.kernel.chain import hex0x
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.leases import force_acquire
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

log = structlog.get_logger(__name__)


class AncestorChanged(StartupError):
    """The ancestor is not the one that was confirmed."""


@dataclass(frozen=True, slots=True)
class RecoveryPlan:
    """The rows that a recovery removes, by table, and the effects that left the system already."""

    fork: RecordedFork
    rows: Mapping[str, int]
    effects: Sequence[OrphanedEffect]


@dataclass(frozen=True, slots=True)
class RecoveryResult:
    """The plan that was carried out. `rows_changed` are rows of the projections, by table."""

    plan: RecoveryPlan
    epoch: int
    rows_changed: Mapping[str, int]


async def plan_recovery(session: ReadSession | WriteSession, node_quorum: NodeQuorum) -> RecoveryPlan:
    """Return what a recovery would do; change nothing.

    Raises:
        NoAncestor, NodesDisagree, NodeBehind, RpcUnavailable, RpcError.
    """
    fork = await find_fork(session, node_quorum)
    above = fork.ancestor.number
    effects = await list_orphaned_effects(session, node_quorum, above=above) if fork.changed else []
    return RecoveryPlan(fork, await count_rows(session, above=above), effects)


async def recover(
    engine: Engine,
    contracts: FundContracts,
    node_quorum: NodeQuorum,
    *,
    to: int,
    lease: str,
    owner: str,
    run_by: str,
    progress: ProgressCallback = ignore_progress,
    lock_timeout_seconds: float = 5.0,
) -> RecoveryResult:
    """Carry out the plan whose ancestor is block `to`. `engine` is the owner's, `run_by` the person for the audit trail.

    Raises:
        AncestorChanged: the nodes name another ancestor now; nothing was changed.
        NoAncestor, NodesDisagree, NodeBehind, RpcUnavailable, RpcError: nothing was changed.
        CursorLocked, ForeignLogs, NoTemporaryTables: nothing was changed.
    """
    async with open_shadow(engine) as shadow:
        async with shadow.transaction() as session:
            plan = await plan_recovery(session, node_quorum)
        if plan.fork.ancestor.number != to:
            raise AncestorChanged(
                f"the last recorded block that is on the chain is {plan.fork.ancestor}, not block {to}: run"
                " `paimon recover` again, then confirm the block it names"
            )
        rebuild = Rebuild(shadow, contracts, progress)
        if plan.fork.changed is not None:
            await rebuild.catch_up(until=to)
        try:
            done = await _recover(
                shadow,
                rebuild,
                plan,
                node_quorum,
                lease=lease,
                owner=owner,
                run_by=run_by,
                lock_timeout_seconds=lock_timeout_seconds,
            )
        except LockTimeout as error:
            raise CursorLocked(
                f"a lock was not free within {lock_timeout_seconds:g} s; nothing was changed. A transaction hangs: see"
                " pg_locks and pg_stat_activity"
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


async def _recover(
    shadow: Shadow,
    rebuild: Rebuild,
    plan: RecoveryPlan,
    node_quorum: NodeQuorum,
    *,
    lease: str,
    owner: str,
    run_by: str,
    lock_timeout_seconds: float,
) -> RecoveryResult:
    with lock_timeouts():
        async with shadow.transaction() as session:
            await set_lock_timeout(session, lock_timeout_seconds)
            epoch = await force_acquire(session, lease, owner)
            await _lock_cursor(session, plan.fork)
            done = await _apply_plan(session, rebuild, plan, node_quorum, epoch=epoch)
            await _record(session, done, node_quorum, run_by)
            return done


async def _lock_cursor(session: WriteSession, fork: RecordedFork) -> None:
    """Keep every process from recording; raise AncestorChanged if one recorded since the nodes were compared."""
    number, block_hash = await lock_cursor(session)
    if (number, block_hash) != (fork.cursor.number, fork.cursor.hash):
        raise AncestorChanged(f"the listener recorded up to block {number} meanwhile: run `paimon recover` again")


async def _apply_plan(
    session: WriteSession, rebuild: Rebuild, plan: RecoveryPlan, node_quorum: NodeQuorum, *, epoch: int
) -> RecoveryResult:
    ancestor, changed = plan.fork.ancestor, plan.fork.changed
    if changed is None:  # the nodes have every recorded block
        await end_halt(session, block=ancestor.number)
        return RecoveryResult(plan, epoch, {})
    effects = await list_orphaned_effects(session, node_quorum, above=ancestor.number)
    removed = await remove_inputs(session, above=ancestor.number)
    await set_cursor(session, ancestor, epoch=epoch)
    await rebuild.fold_to(session, ancestor.number)
    rows_changed = await apply_shadow(session)
    await mark_orphaned(session, above=ancestor.number)
    await record_facts(session, [effect.finding(changed) for effect in effects], block=ancestor.number)
    await end_halt(session, block=ancestor.number)
    return RecoveryResult(RecoveryPlan(plan.fork, removed, effects), epoch, rows_changed)


async def _record(session: WriteSession, done: RecoveryResult, node_quorum: NodeQuorum, run_by: str) -> None:
    fork = done.plan.fork
    details = {
        "abandoned": str(fork.cursor) if fork.changed else None,
        "ancestor": hex0x(fork.ancestor.hash),
        "nodes": [node.endpoint for node in node_quorum.nodes],
        "rowsRemoved": dict(done.plan.rows),
        "rowsChanged": dict(done.rows_changed),
        "effects": len(done.plan.effects),
    }
    await record_maintenance(session, Maintenance.RECOVERED, block=fork.ancestor.number, run_by=run_by, details=details)
