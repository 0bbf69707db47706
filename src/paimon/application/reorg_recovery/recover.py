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
from paimon.application.reorg_recovery.effects import Effect, list_effects
from paimon.application.reorg_recovery.find_fork import ROWS_OF_BLOCKS, Break, count_rows, find_break
from paimon.application.reorg_recovery.node_quorum import Witnesses
from paimon.application.replay.rebuild import Progress, Rebuild, in_silence
from paimon.application.replay.replay import BooksBusy
from paimon.application.replay.shadow_tables import open_shadow
from paimon.application.replay.swap import swap_in
from paimon.application.risk_control.record_findings import keep_facts
from paimon.domain.kernel.chain import BlockStamp
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.contracts import FundContracts
from paimon.infrastructure.database.leases import seize
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)


class AnotherAncestor(StartupError):
    """The ancestor is not the one that was confirmed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What would go, by table, and what has left the house already."""

    found: Break
    rows: Mapping[str, int]
    effects: Sequence[Effect]


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was done. `rows_changed` are those of the projections, by table."""

    plan: Plan
    epoch: int
    rows_changed: Mapping[str, int]


async def make_plan(session: AsyncSession, witnesses: Witnesses) -> Plan:
    """Changes nothing.

    Raises:
        NoAncestor, NodesDisagree, NodeBehind, RpcUnavailable, RpcError.
    """
    found = await find_break(session, witnesses)
    above = found.ancestor.number
    effects = await list_effects(session, witnesses, above=above) if found.changed else []
    return Plan(found, await count_rows(session, above=above), effects)


async def recover(
    engine: AsyncEngine,
    contracts: FundContracts,
    witnesses: Witnesses,
    *,
    to: int,
    lease: str,
    owner: str,
    progress: Progress = in_silence,
    lock_timeout_seconds: float = 5.0,
) -> Recovered:
    """Carry out the plan whose ancestor is block `to`. `engine` is the owner's.

    Raises:
        AnotherAncestor: by what the nodes say now; nothing was changed.
        NoAncestor, NodesDisagree, NodeBehind, RpcUnavailable, RpcError: the same.
        BooksBusy, ForeignLogs, NoTemporaryTables: the same.
    """
    async with open_shadow(engine) as shadow:
        async with shadow.transaction() as session:
            plan = await make_plan(session, witnesses)
        if plan.found.ancestor.number != to:
            raise AnotherAncestor(
                f"the last recorded block that is on the chain is {plan.found.ancestor}, not block {to}: look again"
                " (`paimon recover`), then confirm what it says"
            )
        rebuild = Rebuild(shadow, contracts, progress)
        if plan.found.changed is not None:
            await rebuild.catch_up(until=to)
        try:
            async with shadow.transaction() as session:
                await session.execute(text(f"SET LOCAL lock_timeout = {round(lock_timeout_seconds * 1_000)}"))
                epoch = await seize(session, lease, owner)
                await _hold_cursor(session, plan.found)
                done = await _carry_out(session, rebuild, plan, witnesses, epoch=epoch)
        except OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable):
                raise
            raise BooksBusy(
                f"a lock on the books was not free within {lock_timeout_seconds:g} s; nothing was changed. A transaction"
                " hangs: see pg_locks and pg_stat_activity"
            ) from error
    log.critical(
        "books.recovered",
        ancestor=str(plan.found.ancestor),
        given_up=str(plan.found.cursor),
        epoch=done.epoch,
        effects=len(done.plan.effects),
        rows=dict(done.plan.rows),
    )
    return done


async def _carry_out(session: WriteSession, rebuild: Rebuild, plan: Plan, witnesses: Witnesses, *, epoch: int) -> Recovered:
    ancestor, changed = plan.found.ancestor, plan.found.changed
    if changed is None:  # the nodes have what is recorded, after all
        await end_halt(session, block=ancestor.number)
        return Recovered(plan, epoch, {})
    effects = await list_effects(session, witnesses, above=ancestor.number)
    removed = await _remove(session, above=ancestor.number)
    await _set_cursor(session, ancestor, epoch=epoch)
    await rebuild.fold_to(session, ancestor.number)
    rows_changed = await swap_in(session)
    await _mark_owned(session, above=ancestor.number)
    await keep_facts(session, [each.finding(changed) for each in effects], block=ancestor.number)
    await end_halt(session, block=ancestor.number)
    return Recovered(Plan(plan.found, removed, effects), epoch, rows_changed)


_HOLD_CURSOR: Final = text("SELECT number, hash FROM derived.cursor FOR UPDATE")
_SET_CURSOR: Final = text("""
    UPDATE derived.cursor SET number = :number, hash = :hash, timestamp = :timestamp, epoch = :epoch
""")


async def _hold_cursor(session: WriteSession, found: Break) -> None:
    """From here on nobody records; and nobody did since the nodes were asked."""
    row = (await session.execute(_HOLD_CURSOR)).one()
    if (row.number, bytes(row.hash)) != (found.cursor.number, found.cursor.hash):
        raise AnotherAncestor(f"the listener went on to block {row.number} meanwhile: look again (`paimon recover`)")


async def _set_cursor(session: WriteSession, at: BlockStamp, *, epoch: int) -> None:
    values = {"number": at.number, "hash": at.hash, "timestamp": at.timestamp, "epoch": epoch}
    await session.execute(_SET_CURSOR, values)


_CUT_PROOF: Final = text("UPDATE derived.range_proofs SET last_block = :above WHERE last_block > :above")
"""Of the range that the ancestor is in."""


async def _remove(session: WriteSession, *, above: int) -> dict[str, int]:
    removed = {}
    for table, column in ROWS_OF_BLOCKS.items():
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
            "UPDATE owned.book_checks SET orphaned = true WHERE block_number > :above",
            "DELETE FROM owned.nav_points WHERE status = 'WITHHELD' AND block_number > :above",
            "UPDATE owned.nav_points SET status = 'ORPHANED' WHERE status = 'PUBLISHED' AND block_number > :above",
            """UPDATE owned.risk_events SET last_seen_block = :above, first_seen_block = least(first_seen_block, :above)
                WHERE kind = 'BOOK_DIFFERENCE' AND state <> 'RESOLVED' AND last_seen_block > :above""",
        ),
    )
)


async def _mark_owned(session: WriteSession, *, above: int) -> None:
    values: dict[str, Any] = {"above": above}
    for statement in _MARKS:
        await session.execute(statement, values)
