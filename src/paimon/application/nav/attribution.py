"""Attribution of a change of NAV: the kept snapshots of a range, the events recorded between them, and their components.

A range is attributed snapshot by snapshot, and the components are added up. So each trade and deposit is valued at the prices
of its own hour, or of its own block where a snapshot followed it. Attributing a month is attributing its days.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, Final

from paimon.application.common.topics import RECONCILE, WHOLE_FUND
from paimon.application.nav.as_of import SnapshotNotFound
from paimon.application.nav.nav_inputs_sql import load_nav_inputs
from paimon.application.nav.ranges import EmptyRange, RangeEnd, resolve_range
from paimon.application.nav.store import list_kept_blocks, load_kept_snapshots
from paimon.application.risk_control.record_findings import record_facts
from paimon.domain.kernel.units import Bps
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.risk.nav_publication import MATERIAL_THRESHOLD
from paimon.domain.risk.risk_event import unexplained_nav_findings
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.domain.vault.nav_attribution import attribute_nav_change
from paimon.domain.vault.nav_components import NavAttribution, combine_attributions
from paimon.domain.vault.nav_inputs import NavInputs
from paimon.infrastructure.database.sessions import Database, ReadSession
from paimon.infrastructure.queue import outbox

_SNAPSHOTS_PER_QUERY: Final = 100


async def attribute_range(database: Database, start: RangeEnd, end: RangeEnd, *, steps_max: int) -> NavAttribution:
    """Attribute the change between two snapshots, through at most `steps_max` evenly chosen steps between them.

    Raises:
        BlockNotRecorded, SnapshotNotFound, EmptyRange.
    """
    async with database.read() as session:
        ends = await resolve_range(session, start, end)
        attribution = await attribute_blocks(session, ends.first, ends.last, steps_max=steps_max)
    return replace(attribution, from_first_snapshot=ends.from_first_snapshot)


async def attribute_blocks(session: ReadSession, first: int, last: int, *, steps_max: int) -> NavAttribution:
    """Attribute the change between the kept snapshots of two blocks, through at most `steps_max` steps.

    Raises:
        SnapshotNotFound.
    """
    blocks = _choose_evenly(await list_kept_blocks(session, first, last), steps_max=steps_max)
    nav_inputs = _InputReader(await load_nav_inputs(session, after=first, until=last))
    attribution: NavAttribution | None = None
    earlier: FundSnapshot | None = None
    async for snapshot in _snapshots(session, blocks):
        if earlier is not None:
            step = attribute_nav_change(earlier, snapshot, nav_inputs.until(snapshot.at.number))
            attribution = step if attribution is None else combine_attributions((attribution, step))
        earlier = snapshot
    if attribution is None:
        raise SnapshotNotFound(f"the snapshots from block {first} to {last} are missing")
    return attribution


async def report_unexplained(
    database: Database, snapshot: FundSnapshot, *, material_threshold: Bps = MATERIAL_THRESHOLD
) -> NavAttribution | None:
    """Attribute the change from the previous kept snapshot to this one, and report what no event explains.

    An unexplained change becomes a risk event and queues a reconciliation. Return None before the second kept snapshot.
    """
    before = RangeEnd(block=snapshot.at.number - 1)
    try:
        attribution = await attribute_range(database, before, RangeEnd(block=snapshot.at.number), steps_max=2)
    except (SnapshotNotFound, EmptyRange):
        return None
    if attribution.unexplained:
        findings = unexplained_nav_findings(attribution, threshold=material_threshold)
        async with database.write() as session:
            if await record_facts(session, findings, block=snapshot.at.number):
                await outbox.add(
                    session, RECONCILE, WHOLE_FUND, priority=OutboxPriority.HIGH, payload={"block": snapshot.at.number}
                )
    return attribution


def _choose_evenly(blocks: Sequence[int], *, steps_max: int) -> list[int]:
    every = -(-(len(blocks) - 1) // steps_max)
    return [*blocks[:-1:every], blocks[-1]]


async def _snapshots(session: ReadSession, blocks: Sequence[int]) -> AsyncIterator[FundSnapshot]:
    for start in range(0, len(blocks), _SNAPSHOTS_PER_QUERY):
        for snapshot in await load_kept_snapshots(session, blocks[start : start + _SNAPSHOTS_PER_QUERY]):
            yield snapshot


class _InputReader:
    """Inputs in the order of their blocks, cut into intervals that follow each other."""

    def __init__(self, inputs: NavInputs) -> None:
        self._inputs = inputs
        self._reached = dict.fromkeys(("asset_transfers", "deposits", "redemptions", "fees"), 0)

    def until(self, block: int) -> NavInputs:
        return NavInputs(**{name: self._take(name, block) for name in self._reached})

    def _take(self, name: str, until: int) -> tuple[Any, ...]:
        items, start = getattr(self._inputs, name), self._reached[name]
        end = start
        while end < len(items) and items[end].log_position.block_number <= until:
            end += 1
        self._reached[name] = end
        return tuple(items[start:end])
