"""The derived tables once more from the recorded logs: to prove the live ones equal, or to put them right.

Logs are decoded again from their bytes and folded by the listener's own code into a shadow (see `shadow`), while the
listener goes on. Then either

- *check*: what was recorded is held against itself (see `inputs`). Then one snapshot of the database holds the live
  tables and the cursor they stand at; the shadow is led to that very block inside it, compared, and forgotten. Nothing
  durable is written and nobody waits; or
- *replay*: the cursor's row is locked, at which the listener waits before its next range; the few logs recorded since
  are folded, and the rows that differ are replaced (see `swap`). One transaction: a crash leaves all as it was.

Neither asks the chain. The outbox is left alone too, for what the events made due was due once; but for logs that were in
quarantine until now, and made nothing due. What people decided about single logs is taken up here (see `verdicts`).
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import structlog
from psycopg.errors import LockNotAvailable
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from paimon.application.replay.inputs import find_input_differences
from paimon.application.replay.quarantine_decisions import (
    QuarantineDecisions,
    add_due_messages,
    close_requested,
    find_newly_applied,
    load_quarantine_decisions,
)
from paimon.application.replay.rebuild import ProgressCallback, Rebuild, ignore_progress, read_cursor_block
from paimon.application.replay.shadow_tables import Shadow, open_shadow
from paimon.application.replay.swap import ReplayComparison, apply_shadow, compare_with_live
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

LOCK_RETRIES_MAX: Final = 5
SUPERSEDED_MAX: Final = 5
_ONE_SNAPSHOT: Final = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


class CursorLocked(StartupError):
    """The cursor's row stayed locked: some transaction on the books hangs, and `pg_locks` says whose."""


@dataclass(frozen=True, slots=True)
class ReplayCheck:
    """`logs` recorded logs, up to block `at`, folded and compared."""

    at: int
    logs: int
    comparison: ReplayComparison


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """`rows_changed`, by table, were not what the logs up to block `at` add up to."""

    at: int
    logs: int
    rows_changed: dict[str, int]
    listener_paused_seconds: float


class _Superseded(Exception):
    """Another replay carried out decisions that what was rebuilt here does not know."""


async def check(
    engine: AsyncEngine, contracts: FundContracts, *, progress: ProgressCallback = ignore_progress, examples_max: int = 20
) -> ReplayCheck:
    """Prove the live tables equal to what the recorded logs add up to, or name what differs.

    Raises:
        NothingRecorded, ForeignLogs, NoTemporaryTables, CursorLocked.
    """
    checked = await _retry_while_superseded(
        lambda: _check_replay(engine, contracts, progress=progress, examples_max=examples_max),
    )
    for each in checked.comparison.examples:
        log.error("replay.difference_found", table=each.table, key=each.key, column=each.column, block=checked.at)
    log.info("replay.checked", block=checked.at, logs=checked.logs, rows_differing=checked.comparison.rows_differing)
    return checked


async def replay(
    engine: AsyncEngine,
    contracts: FundContracts,
    *,
    progress: ProgressCallback = ignore_progress,
    lock_timeout_seconds: float = 5.0,
) -> ReplayResult:
    """Make the live tables what the recorded logs add up to, and carry out what people decided about single logs.

    Raises:
        NothingRecorded, ForeignLogs, NoTemporaryTables, CursorLocked.
    """
    done = await _retry_while_superseded(
        lambda: _replay(engine, contracts, progress=progress, lock_timeout_seconds=lock_timeout_seconds),
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
        f"other replays carried out decisions about single logs {SUPERSEDED_MAX} times while this one worked; nothing is"
        " changed by it. Let them finish, then run it again"
    )


async def _check_replay(
    engine: AsyncEngine, contracts: FundContracts, *, progress: ProgressCallback, examples_max: int
) -> ReplayCheck:
    async with open_shadow(engine) as shadow:
        async with shadow.transaction() as session:
            await session.execute(_ONE_SNAPSHOT)
            at = await read_cursor_block(session)
            inputs = await find_input_differences(session)
            verdicts = await load_quarantine_decisions(session, include_requested=False)
        rebuild = Rebuild(shadow, contracts, progress, verdicts.skipped)
        comparison = ReplayComparison(0, ())
        if not any(each.table == "raw_logs" for each in inputs):  # from logs that contradict each other nothing follows
            await rebuild.catch_up()
            async with shadow.transaction() as session:
                await session.execute(_ONE_SNAPSHOT)
                at = await read_cursor_block(session)
                await _require_unchanged_decisions(session, verdicts)
                await rebuild.fold_to(session, at)
                comparison = await compare_with_live(session, examples_max=examples_max)
    return ReplayCheck(at, rebuild.logs, comparison.with_more(inputs, examples_max=examples_max))


async def _replay(
    engine: AsyncEngine, contracts: FundContracts, *, progress: ProgressCallback, lock_timeout_seconds: float
) -> ReplayResult:
    async with open_shadow(engine) as shadow:
        async with shadow.transaction() as session:
            verdicts = await load_quarantine_decisions(session, include_requested=True)
        rebuild = Rebuild(shadow, contracts, progress, verdicts.skipped)
        for _ in range(LOCK_RETRIES_MAX):
            await rebuild.catch_up()
            if (done := await _swap(shadow, rebuild, verdicts, lock_timeout_seconds)) is not None:
                return done
    raise CursorLocked(
        f"the row of derived.cursor was locked for {LOCK_RETRIES_MAX} times {lock_timeout_seconds:g} s; the live tables"
        " are as they were. A transaction hangs: see pg_locks and pg_stat_activity"
    )


async def _require_unchanged_decisions(session: WriteSession, verdicts: QuarantineDecisions) -> None:
    """Raises _Superseded."""
    if (await load_quarantine_decisions(session, include_requested=False)).applied != verdicts.applied:
        raise _Superseded


async def _swap(
    shadow: Shadow, rebuild: Rebuild, verdicts: QuarantineDecisions, lock_timeout_seconds: float
) -> ReplayResult | None:
    """Catch up the tail and swap, with the listener held before its next range; None when it could not be held.

    Raises:
        _Superseded
    """
    milliseconds = round(lock_timeout_seconds * 1_000)
    final_rebuild = replace(rebuild)  # what a failed transaction folded, the shadow forgets
    try:
        async with shadow.transaction() as session:
            await session.execute(text(f"SET LOCAL lock_timeout = {milliseconds}"))
            at = await read_cursor_block(session, hold=True)
            held = time.monotonic()
            await _require_unchanged_decisions(session, verdicts)
            await final_rebuild.fold_to(session, at)
            newly_applied = await find_newly_applied(session)
            changed = await apply_shadow(session)
            decisions_applied = await close_requested(session, verdicts.requested_ids)
            await add_due_messages(session, newly_applied, decisions_applied, at=at)
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        log.warning("replay.lock_timed_out", lock_timeout_seconds=lock_timeout_seconds)
        return None
    return ReplayResult(at, final_rebuild.logs, changed, time.monotonic() - held)
