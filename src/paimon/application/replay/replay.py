"""Replay: the derived tables rebuilt from the recorded logs, to prove the live ones equal or to correct them.

Logs are decoded again from their bytes and folded by the listener's own code into a shadow (see `shadow_tables`), while the
listener goes on. Then either

- *check*: the inputs are compared with themselves (see `inputs`). Then one snapshot of the database holds the live tables and
  their cursor; the shadow is brought to that block inside it, compared, and discarded. Nothing durable is written and no
  process waits; or
- *replay*: the cursor's row is locked, and the listener waits for it before its next range. The few logs recorded since are
  folded, and the rows that differ are replaced (see `swap`). It is one transaction: a crash leaves everything as it was.

Neither calls the chain. The outbox is left alone too, because what the events made due was due once. The exception are logs
that were quarantined until now, and made nothing due. Operators' decisions about single logs are applied here (see
`quarantine_decisions`).
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import structlog

from paimon.application.audit.maintenance import Maintenance, record_maintenance
from paimon.application.replay.inputs import find_input_differences
from paimon.application.replay.quarantine_decisions import QuarantineDecisions, add_due_messages
from paimon.application.replay.queries import LockTimeout, lock_timeouts, read_cursor_block, read_one_snapshot, set_lock_timeout
from paimon.application.replay.rebuild import ProgressCallback, Rebuild, ignore_progress
from paimon.application.replay.shadow_tables import Engine, Shadow, open_shadow
from paimon.application.replay.store import close_requested, find_newly_applied, load_quarantine_decisions
from paimon.application.replay.swap import ReplayComparison, apply_shadow, compare_with_live
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

LOCK_RETRIES_MAX: Final = 5
SUPERSEDED_MAX: Final = 5


class CursorLocked(StartupError):
    """The cursor's row stayed locked: a transaction hangs, and `pg_locks` names it."""


@dataclass(frozen=True, slots=True)
class ReplayCheck:
    """`logs` recorded logs, up to block `at`, were folded and compared."""

    at: int
    logs: int
    comparison: ReplayComparison


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """`rows_changed`, by table, differed from what the logs up to block `at` add up to."""

    at: int
    logs: int
    rows_changed: dict[str, int]
    listener_paused_seconds: float


class _Superseded(Exception):
    """Another replay applied decisions that this rebuild does not know."""


async def check_replay(
    engine: Engine, contracts: FundContracts, *, progress: ProgressCallback = ignore_progress, examples_max: int = 20
) -> ReplayCheck:
    """Prove the live tables equal to what the recorded logs add up to, or name what differs.

    Raises:
        NothingRecorded, ForeignLogs, NoTemporaryTables, CursorLocked.
    """
    checked = await _retry_while_superseded(
        lambda: _check_replay(engine, contracts, progress=progress, examples_max=examples_max),
    )
    for difference in checked.comparison.examples:
        log.error(
            "replay.difference_found",
            table=difference.table,
            key=difference.key,
            column=difference.column,
            block=checked.at,
        )
    log.info("replay.checked", block=checked.at, logs=checked.logs, rows_differing=checked.comparison.rows_differing)
    return checked


async def replay(
    engine: Engine,
    contracts: FundContracts,
    *,
    progress: ProgressCallback = ignore_progress,
    lock_timeout_seconds: float = 5.0,
    run_by: str | None = None,
) -> ReplayResult:
    """Correct the live tables to what the recorded logs add up to, and apply the requested decisions about single logs.

    `run_by` is the person at a terminal, for the audit trail. A worker has none: the decisions that it applies are entries.

    Raises:
        NothingRecorded, ForeignLogs, NoTemporaryTables, CursorLocked.
    """
    done = await _retry_while_superseded(
        lambda: _replay(engine, contracts, progress=progress, lock_timeout_seconds=lock_timeout_seconds, run_by=run_by),
    )
    log.info("replay.completed", block=done.at, logs=done.logs, rows_changed=done.rows_changed)
    return done


async def _retry_while_superseded(work: Callable[[], Awaitable[Result]]) -> Result:
    for _ in range(SUPERSEDED_MAX):
        try:
            return await work()
        except _Superseded:
            log.warning("replay.superseded")
    raise CursorLocked(
        f"other replays applied decisions about single logs {SUPERSEDED_MAX} times while this one worked; it changed nothing."
        " Let them finish, then run it again"
    )


async def _check_replay(
    engine: Engine, contracts: FundContracts, *, progress: ProgressCallback, examples_max: int
) -> ReplayCheck:
    async with open_shadow(engine) as shadow:
        async with shadow.transaction() as session:
            await read_one_snapshot(session)
            at = await read_cursor_block(session)
            input_differences = await find_input_differences(session)
            decisions = await load_quarantine_decisions(session, include_requested=False)
        rebuild = Rebuild(shadow, contracts, progress, decisions.skipped)
        comparison = ReplayComparison(0, ())
        if not any(difference.table == "raw_logs" for difference in input_differences):  # contradictory logs cannot be folded
            await rebuild.catch_up()
            async with shadow.transaction() as session:
                await read_one_snapshot(session)
                at = await read_cursor_block(session)
                await _require_unchanged_decisions(session, decisions)
                await rebuild.fold_to(session, at)
                comparison = await compare_with_live(session, examples_max=examples_max)
    return ReplayCheck(at, rebuild.logs, comparison.with_more(input_differences, examples_max=examples_max))


async def _replay(
    engine: Engine, contracts: FundContracts, *, progress: ProgressCallback, lock_timeout_seconds: float, run_by: str | None
) -> ReplayResult:
    async with open_shadow(engine) as shadow:
        async with shadow.transaction() as session:
            decisions = await load_quarantine_decisions(session, include_requested=True)
        rebuild = Rebuild(shadow, contracts, progress, decisions.skipped)
        for _ in range(LOCK_RETRIES_MAX):
            await rebuild.catch_up()
            try:
                return await _swap(shadow, rebuild, decisions, lock_timeout_seconds, run_by)
            except LockTimeout:
                log.warning("replay.lock_timed_out", lock_timeout_seconds=lock_timeout_seconds)
    raise CursorLocked(
        f"the row of derived.cursor was locked for {LOCK_RETRIES_MAX} times {lock_timeout_seconds:g} s; the live tables"
        " are as they were. A transaction hangs: see pg_locks and pg_stat_activity"
    )


async def _require_unchanged_decisions(session: WriteSession, decisions: QuarantineDecisions) -> None:
    """Raise _Superseded when decisions were applied since these were loaded."""
    if (await load_quarantine_decisions(session, include_requested=False)).applied != decisions.applied:
        raise _Superseded


async def _swap(
    shadow: Shadow, rebuild: Rebuild, decisions: QuarantineDecisions, lock_timeout_seconds: float, run_by: str | None
) -> ReplayResult:
    """Fold the last logs and swap the tables, while the listener waits before its next range.

    Raises:
        LockTimeout: the cursor's row was not free in time.
        _Superseded: another replay applied decisions.
    """
    final_rebuild = replace(rebuild)  # the shadow forgets what a failed transaction folded
    with lock_timeouts():
        async with shadow.transaction() as session:
            await set_lock_timeout(session, lock_timeout_seconds)
            at = await read_cursor_block(session, lock=True)
            locked_at = time.monotonic()
            await _require_unchanged_decisions(session, decisions)
            await final_rebuild.fold_to(session, at)
            newly_applied = await find_newly_applied(session)
            rows_changed = await apply_shadow(session)
            decisions_applied = await close_requested(session, decisions.requested_ids)
            await add_due_messages(session, newly_applied, decisions_applied, at=at)
            if run_by is not None:
                details = {"logs": final_rebuild.logs, "rowsChanged": rows_changed}
                await record_maintenance(session, Maintenance.REPLAYED, block=at, run_by=run_by, details=details)
    return ReplayResult(at, final_rebuild.logs, rows_changed, time.monotonic() - locked_at)
