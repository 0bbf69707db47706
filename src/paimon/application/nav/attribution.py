"""NAV explained from the books: the kept snapshots of a range, what was recorded between them, and their parts.

A range is explained snapshot by snapshot and the parts are added up. So each trade and deposit is valued at the prices of
its own hour, or of its own block where a snapshot followed it, and explaining a month is explaining its days.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC
from typing import Any, Final

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.common.topics import BOOKS, RECONCILE
from paimon.application.nav.overview import SnapshotNotFound
from paimon.application.nav.ranges import KEPT, NothingBetween, Point, ends_of
from paimon.application.nav.snapshot_json import from_json
from paimon.application.risk_control.record_findings import keep_facts
from paimon.domain.asset.token_transfer import Purpose
from paimon.domain.kernel.chain import Address, Hash32, LogPlace
from paimon.domain.kernel.units import Bps, RawAmount
from paimon.domain.risk.nav_publication import MATERIAL
from paimon.domain.risk.risk_event import unexplained_findings
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.domain.vault.nav_attribution import explain
from paimon.domain.vault.nav_components import Explanation, chain
from paimon.domain.vault.nav_inputs import Deposited, FeeMove, FeeMoved, Flow, Happenings, Redeemed, RequestStep
from paimon.infrastructure.database.models.derived import ObservationRow
from paimon.infrastructure.database.models.ops.outbox import OutboxPriority
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.queue import outbox

_CHUNK: Final = 100


async def explain_range(database: Database, start: Point, end: Point, *, steps_max: int) -> Explanation:
    """The change between two snapshots, through at most `steps_max` of those between them, evenly chosen.

    Raises:
        BlockNotRecorded, SnapshotNotFound, NothingBetween.
    """
    async with database.read() as session:
        ends = await ends_of(session, start, end)
        blocks = await _blocks_between(session, ends.first, ends.last, steps_max=steps_max)
        happened = _Recorded(await load_happenings(session, after=ends.first, until=ends.last))
        told: Explanation | None = None
        earlier: FundSnapshot | None = None
        async for snapshot in _snapshots(session, blocks):
            if earlier is not None:
                step = explain(earlier, snapshot, happened.until(snapshot.at.number))
                told = step if told is None else chain((told, step))
            earlier = snapshot
    if told is None:
        raise SnapshotNotFound(f"the snapshots from block {ends.first} to {ends.last} are gone")
    return replace(told, since_first=ends.since_first)


async def report_unexplained(database: Database, snapshot: FundSnapshot, *, material: Bps = MATERIAL) -> Explanation | None:
    """Explain a snapshot that was just kept from the one before it; what nobody tells of becomes a risk event, and has the
    books compared."""
    before = Point(block=snapshot.at.number - 1)
    try:
        told = await explain_range(database, before, Point(block=snapshot.at.number), steps_max=2)
    except (SnapshotNotFound, NothingBetween):
        return None
    if told.unexplained:
        async with database.write() as session:
            if await keep_facts(session, unexplained_findings(told, threshold=material), block=snapshot.at.number):
                await outbox.add(session, RECONCILE, BOOKS, priority=OutboxPriority.HIGH, payload={"block": snapshot.at.number})
    return told


async def _blocks_between(session: AsyncSession, first: int, last: int, *, steps_max: int) -> list[int]:
    query = select(ObservationRow.block_number).where(*KEPT, ObservationRow.block_number.between(first, last))
    blocks = list(await session.scalars(query.order_by(ObservationRow.block_number)))
    every = -(-(len(blocks) - 1) // steps_max)
    return [*blocks[:-1:every], blocks[-1]]


async def _snapshots(session: AsyncSession, blocks: Sequence[int]) -> AsyncIterator[FundSnapshot]:
    for start in range(0, len(blocks), _CHUNK):
        chunk = blocks[start : start + _CHUNK]
        query = (
            select(ObservationRow.data)
            .where(*KEPT, ObservationRow.block_number.in_(chunk))
            .order_by(ObservationRow.block_number)
        )
        for data in await session.scalars(query):
            yield from_json(data)


class _Recorded:
    """Happenings in the order of their blocks, cut into intervals that follow each other."""

    def __init__(self, everything: Happenings) -> None:
        self._everything = everything
        self._reached = dict.fromkeys(("flows", "deposits", "redemptions", "fees"), 0)

    def until(self, block: int) -> Happenings:
        return Happenings(**{name: self._take(name, block) for name in self._reached})

    def _take(self, name: str, until: int) -> tuple[Any, ...]:
        items, start = getattr(self._everything, name), self._reached[name]
        end = start
        while end < len(items) and items[end].place.block_number <= until:
            end += 1
        self._reached[name] = end
        return tuple(items[start:end])


_FLOWS = text("""
    SELECT moved.block_number, moved.log_index, moved.tx_hash, moved.at, moved.token, moved.direction, moved.amount,
           moved.purpose, coalesce(traded.token, ordered.token) AS asset, ordered.order_id
      FROM derived.token_transfers AS moved
      LEFT JOIN derived.trades AS traded
             ON traded.block_number = moved.block_number AND traded.log_index = moved.told_by
            AND moved.purpose IN ('PURCHASE', 'SALE')
      LEFT JOIN derived.raw_logs AS told
             ON told.block_number = moved.block_number AND told.log_index = moved.told_by
            AND moved.purpose IN ('OTC_PAYMENT', 'OTC_DELIVERY')
      LEFT JOIN derived.otc_orders AS ordered
             ON ordered.manager = told.address AND ordered.order_id = CAST(told.args ->> 'orderId' AS numeric)
     WHERE moved.block_number > :after AND moved.block_number <= :until AND moved.direction <> 'WITHIN'
     ORDER BY moved.block_number, moved.log_index
""")

_DEPOSITS = text("""
    SELECT block_number, log_index, tx_hash, at, assets, shares FROM derived.deposits
     WHERE block_number > :after AND block_number <= :until ORDER BY block_number, log_index
""")

_REDEMPTIONS = text("""
    SELECT told.block_number, told.log_index, told.tx_hash, block.timestamp AS at, told.event,
           request.gross_amount, request.shares
      FROM derived.raw_logs AS told
      JOIN derived.blocks AS block ON block.number = told.block_number
      JOIN derived.redemption_requests AS request ON request.request_id = told.request_id
     WHERE told.block_number > :after AND told.block_number <= :until AND told.status = 'applied'
       AND told.contract = 'RedemptionManager' AND told.event = ANY(:events)
     ORDER BY told.block_number, told.log_index
""")

_FEES = text("""
    SELECT block_number, log_index, tx_hash, at, kind, step, amount FROM derived.fee_entries
     WHERE block_number > :after AND block_number <= :until AND step <> 'PAID' ORDER BY block_number, log_index, kind
""")

_STEPS: Final = {
    "RedemptionRequested": RequestStep.REQUESTED,
    "RedemptionCancelled": RequestStep.RETURNED,
    "RedemptionRejected": RequestStep.RETURNED,
    "RedemptionSettled": RequestStep.SETTLED,
}
_FEE_MOVES: Final = {
    ("MANAGEMENT", "ACCRUED"): FeeMove.MANAGEMENT_ACCRUED,
    ("PERFORMANCE", "ACCRUED"): FeeMove.PERFORMANCE_ACCRUED,
    ("REDEMPTION", "ACCRUED"): FeeMove.REDEMPTION_KEPT,
    ("REDEMPTION", "RELEASED"): FeeMove.REDEMPTION_RELEASED,
}


async def load_happenings(session: AsyncSession, *, after: int, until: int) -> Happenings:
    """Everything recorded in the blocks after `after`, up to `until`, oldest first."""
    values = {"after": after, "until": until}
    flows = await session.execute(_FLOWS, values)
    deposits = await session.execute(_DEPOSITS, values)
    redemptions = await session.execute(_REDEMPTIONS, {**values, "events": list(_STEPS)})
    fees = await session.execute(_FEES, values)
    return Happenings(
        flows=tuple(_flow(row) for row in flows),
        deposits=tuple(Deposited(_place(row), _raw(row.assets), _raw(row.shares)) for row in deposits),
        redemptions=tuple(
            Redeemed(_place(row), _STEPS[row.event], _raw(row.gross_amount), _raw(row.shares)) for row in redemptions
        ),
        fees=tuple(FeeMoved(_place(row), _FEE_MOVES[row.kind, row.step], _raw(row.amount)) for row in fees),
    )


def _flow(row: Row[Any]) -> Flow:
    return Flow(
        place=_place(row),
        token=Address(bytes(row.token)),
        amount=int(row.amount) if row.direction == "IN" else -int(row.amount),
        purpose=Purpose(row.purpose),
        asset=None if row.asset is None else Address(bytes(row.asset)),
        order_id=None if row.order_id is None else int(row.order_id),
    )


def _place(row: Row[Any]) -> LogPlace:
    return LogPlace(row.block_number, row.log_index, Hash32(bytes(row.tx_hash)), row.at.astimezone(UTC))


def _raw(amount: Any) -> RawAmount:
    return RawAmount(int(amount))
