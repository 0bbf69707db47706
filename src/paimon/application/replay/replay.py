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

from paimon.application.replay.inputs import inputs_differing
from paimon.application.replay.quarantine_decisions import Verdicts, add_reactions, close_asked, healed_logs, load_verdicts
from paimon.application.replay.rebuild import Progress, Rebuild, in_silence, position_of_books
from paimon.application.replay.shadow_tables import Shadow, open_shadow
from paimon.application.replay.swap import Comparison, compare_with_live, swap_in
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.contracts import FundContracts
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)

Done = TypeVar("Done")

LOCK_TRIES_MAX: Final = 5
OVERTAKEN_MAX: Final = 5
_ONE_SNAPSHOT: Final = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


class BooksBusy(StartupError):
    """The cursor's row stayed locked: some transaction on the books hangs, and `pg_locks` says whose."""


@dataclass(frozen=True, slots=True)
class Checked:
    """`logs` recorded logs, up to block `at`, folded and compared."""

    at: int
    logs: int
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class Replayed:
    """`rows_changed`, by table, were not what the logs up to block `at` add up to."""

    at: int
    logs: int
    rows_changed: dict[str, int]
    listener_held_seconds: float


class _Overtaken(Exception):
    """Another replay carried out decisions that what was rebuilt here does not know."""


async def check(
    engine: AsyncEngine, contracts: FundContracts, *, progress: Progress = in_silence, examples_max: int = 20
) -> Checked:
    """Prove the live tables equal to what the recorded logs add up to, or name what differs.

    Raises:
        NothingRecorded, ForeignLogs, NoTemporaryTables, BooksBusy.
    """
    checked = await _until_not_overtaken(
        lambda: _check(engine, contracts, progress=progress, examples_max=examples_max),
    )
    for each in checked.comparison.examples:
        log.error("books.replay_differs", table=each.table, key=each.key, column=each.column, block=checked.at)
    log.info("books.replay_checked", block=checked.at, logs=checked.logs, rows_differing=checked.comparison.rows_differing)
    return checked


async def replay(
    engine: AsyncEngine, contracts: FundContracts, *, progress: Progress = in_silence, lock_timeout_seconds: float = 5.0
) -> Replayed:
    """Make the live tables what the recorded logs add up to, and carry out what people decided about single logs.

    Raises:
        NothingRecorded, ForeignLogs, NoTemporaryTables, BooksBusy.
    """
    done = await _until_not_overtaken(
        lambda: _replay(engine, contracts, progress=progress, lock_timeout_seconds=lock_timeout_seconds),
    )
    log.info("books.replayed", block=done.at, logs=done.logs, rows_changed=done.rows_changed)
    return done


async def _until_not_overtaken(work: Callable[[], Awaitable[Done]]) -> Done:
    for _ in range(OVERTAKEN_MAX):
        try:
            return await work()
        except _Overtaken:
            log.warning("books.replay_overtaken")
    raise BooksBusy(
        f"other replays carried out decisions about single logs {OVERTAKEN_MAX} times while this one worked; nothing is"
        " changed by it. Let them finish, then run it again"
    )


async def _check(engine: AsyncEngine, contracts: FundContracts, *, progress: Progress, examples_max: int) -> Checked:
    async with open_shadow(engine) as shadow:
        async with shadow.transaction() as session:
            await session.execute(_ONE_SNAPSHOT)
            at = await position_of_books(session)
            inputs = await inputs_differing(session)
            verdicts = await load_verdicts(session, with_asked=False)
        rebuild = Rebuild(shadow, contracts, progress, verdicts.skipped)
        comparison = Comparison(0, ())
        if not any(each.table == "raw_logs" for each in inputs):  # from logs that contradict each other nothing follows
            await rebuild.catch_up()
            async with shadow.transaction() as session:
                await session.execute(_ONE_SNAPSHOT)
                at = await position_of_books(session)
                await _require_the_same(session, verdicts)
                await rebuild.fold_to(session, at)
                comparison = await compare_with_live(session, examples_max=examples_max)
    return Checked(at, rebuild.logs, comparison.with_more(inputs, examples_max=examples_max))


async def _replay(
    engine: AsyncEngine, contracts: FundContracts, *, progress: Progress, lock_timeout_seconds: float
) -> Replayed:
    async with open_shadow(engine) as shadow:
        async with shadow.transaction() as session:
            verdicts = await load_verdicts(session, with_asked=True)
        rebuild = Rebuild(shadow, contracts, progress, verdicts.skipped)
        for _ in range(LOCK_TRIES_MAX):
            await rebuild.catch_up()
            if (done := await _swap(shadow, rebuild, verdicts, lock_timeout_seconds)) is not None:
                return done
    raise BooksBusy(
        f"the row of derived.cursor was locked for {LOCK_TRIES_MAX} times {lock_timeout_seconds:g} s; the live tables"
        " are as they were. A transaction hangs: see pg_locks and pg_stat_activity"
    )


async def _require_the_same(session: WriteSession, verdicts: Verdicts) -> None:
    """Raises _Overtaken."""
    if (await load_verdicts(session, with_asked=False)).settled != verdicts.settled:
        raise _Overtaken


async def _swap(shadow: Shadow, rebuild: Rebuild, verdicts: Verdicts, lock_timeout_seconds: float) -> Replayed | None:
    """Catch up the tail and swap, with the listener held before its next range; None when it could not be held.

    Raises:
        _Overtaken
    """
    milliseconds = round(lock_timeout_seconds * 1_000)
    last_steps = replace(rebuild)  # what a failed transaction folded, the shadow forgets
    try:
        async with shadow.transaction() as session:
            await session.execute(text(f"SET LOCAL lock_timeout = {milliseconds}"))
            at = await position_of_books(session, hold=True)
            held = time.monotonic()
            await _require_the_same(session, verdicts)
            await last_steps.fold_to(session, at)
            healed = await healed_logs(session)
            changed = await swap_in(session)
            carried_out = await close_asked(session, verdicts.asked)
            await add_reactions(session, healed, carried_out, at=at)
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        log.warning("books.replay_waits", lock_timeout_seconds=lock_timeout_seconds)
        return None
    return Replayed(at, last_steps.logs, changed, time.monotonic() - held)
