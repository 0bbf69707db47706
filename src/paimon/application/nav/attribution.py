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

from paimon.application.common.topics import RECONCILE, WHOLE_FUND
from paimon.application.nav.overview import SnapshotNotFound
from paimon.application.nav.ranges import KEPT_SNAPSHOTS, EmptyRange, RangeEnd, resolve_range
from paimon.application.nav.snapshot_json import from_json
from paimon.application.risk_control.record_findings import record_facts
from paimon.domain.asset.token_transfer import TransferPurpose
from paimon.domain.kernel.chain import Address, Hash32, LogPosition
from paimon.domain.kernel.units import Bps, RawAmount
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.risk.nav_publication import MATERIAL_THRESHOLD
from paimon.domain.risk.risk_event import unexplained_nav_findings
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.domain.vault.nav_attribution import attribute_nav_change
from paimon.domain.vault.nav_components import NavAttribution, combine_attributions
from paimon.domain.vault.nav_inputs import (
    AssetTransfer,
    DepositInput,
    FeeInput,
    FeeInputKind,
    NavInputs,
    RedemptionInput,
    RedemptionTransition,
)
from paimon.infrastructure.database.models.derived import ObservationRow
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.queue import outbox

_CHUNK: Final = 100


async def attribute_range(database: Database, start: RangeEnd, end: RangeEnd, *, steps_max: int) -> NavAttribution:
    """The change between two snapshots, through at most `steps_max` of those between them, evenly chosen.

    Raises:
        BlockNotRecorded, SnapshotNotFound, EmptyRange.
    """
    async with database.read() as session:
        ends = await resolve_range(session, start, end)
        blocks = await _blocks_between(session, ends.first, ends.last, steps_max=steps_max)
        nav_inputs = _InputReader(await load_nav_inputs(session, after=ends.first, until=ends.last))
        told: NavAttribution | None = None
        earlier: FundSnapshot | None = None
        async for snapshot in _snapshots(session, blocks):
            if earlier is not None:
                step = attribute_nav_change(earlier, snapshot, nav_inputs.until(snapshot.at.number))
                told = step if told is None else combine_attributions((told, step))
            earlier = snapshot
    if told is None:
        raise SnapshotNotFound(f"the snapshots from block {ends.first} to {ends.last} are gone")
    return replace(told, from_first_snapshot=ends.from_first_snapshot)


async def report_unexplained(
    database: Database, snapshot: FundSnapshot, *, material: Bps = MATERIAL_THRESHOLD
) -> NavAttribution | None:
    """Explain a snapshot that was just kept from the one before it; what nobody tells of becomes a risk event, and has the
    books compared."""
    before = RangeEnd(block=snapshot.at.number - 1)
    try:
        told = await attribute_range(database, before, RangeEnd(block=snapshot.at.number), steps_max=2)
    except (SnapshotNotFound, EmptyRange):
        return None
    if told.unexplained:
        async with database.write() as session:
            if await record_facts(session, unexplained_nav_findings(told, threshold=material), block=snapshot.at.number):
                await outbox.add(
                    session, RECONCILE, WHOLE_FUND, priority=OutboxPriority.HIGH, payload={"block": snapshot.at.number}
                )
    return told


async def _blocks_between(session: AsyncSession, first: int, last: int, *, steps_max: int) -> list[int]:
    query = select(ObservationRow.block_number).where(*KEPT_SNAPSHOTS, ObservationRow.block_number.between(first, last))
    blocks = list(await session.scalars(query.order_by(ObservationRow.block_number)))
    every = -(-(len(blocks) - 1) // steps_max)
    return [*blocks[:-1:every], blocks[-1]]


async def _snapshots(session: AsyncSession, blocks: Sequence[int]) -> AsyncIterator[FundSnapshot]:
    for start in range(0, len(blocks), _CHUNK):
        chunk = blocks[start : start + _CHUNK]
        query = (
            select(ObservationRow.data)
            .where(*KEPT_SNAPSHOTS, ObservationRow.block_number.in_(chunk))
            .order_by(ObservationRow.block_number)
        )
        for data in await session.scalars(query):
            yield from_json(data)


class _InputReader:
    """Happenings in the order of their blocks, cut into intervals that follow each other."""

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


_FLOWS = text("""
    SELECT moved.block_number, moved.log_index, moved.tx_hash, moved.at, moved.token, moved.direction, moved.amount,
           moved.purpose, coalesce(traded.token, ordered.token) AS asset, ordered.order_id
      FROM derived.token_transfers AS moved
      LEFT JOIN derived.trades AS traded
             ON traded.block_number = moved.block_number AND traded.log_index = moved.source_log_index
            AND moved.purpose IN ('PURCHASE', 'SALE')
      LEFT JOIN derived.raw_logs AS told
             ON told.block_number = moved.block_number AND told.log_index = moved.source_log_index
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
     WHERE told.block_number > :after AND told.block_number <= :until AND told.status = 'APPLIED'
       AND told.contract = 'RedemptionManager' AND told.event = ANY(:events)
     ORDER BY told.block_number, told.log_index
""")

_FEES = text("""
    SELECT block_number, log_index, tx_hash, at, kind, entry_type, amount FROM derived.fee_entries
     WHERE block_number > :after AND block_number <= :until AND step <> 'PAID' ORDER BY block_number, log_index, kind
""")

_STEPS: Final = {
    "RedemptionRequested": RedemptionTransition.REQUESTED,
    "RedemptionCancelled": RedemptionTransition.RETURNED,
    "RedemptionRejected": RedemptionTransition.RETURNED,
    "RedemptionSettled": RedemptionTransition.SETTLED,
}
_FEE_MOVES: Final = {
    ("MANAGEMENT", "ACCRUED"): FeeInputKind.MANAGEMENT_ACCRUED,
    ("PERFORMANCE", "ACCRUED"): FeeInputKind.PERFORMANCE_ACCRUED,
    ("REDEMPTION", "ACCRUED"): FeeInputKind.REDEMPTION_KEPT,
    ("REDEMPTION", "RELEASED"): FeeInputKind.REDEMPTION_RELEASED,
}


async def load_nav_inputs(session: AsyncSession, *, after: int, until: int) -> NavInputs:
    """Everything recorded in the blocks after `after`, up to `until`, oldest first."""
    values = {"after": after, "until": until}
    asset_transfers = await session.execute(_FLOWS, values)
    deposits = await session.execute(_DEPOSITS, values)
    redemptions = await session.execute(_REDEMPTIONS, {**values, "events": list(_STEPS)})
    fees = await session.execute(_FEES, values)
    return NavInputs(
        asset_transfers=tuple(_flow(row) for row in asset_transfers),
        deposits=tuple(DepositInput(_place(row), _raw(row.assets), _raw(row.shares)) for row in deposits),
        redemptions=tuple(
            RedemptionInput(_place(row), _STEPS[row.event], _raw(row.gross_amount), _raw(row.shares)) for row in redemptions
        ),
        fees=tuple(FeeInput(_place(row), _FEE_MOVES[row.kind, row.entry_type], _raw(row.amount)) for row in fees),
    )


def _flow(row: Row[Any]) -> AssetTransfer:
    return AssetTransfer(
        log_position=_place(row),
        token=Address(bytes(row.token)),
        amount=int(row.amount) if row.direction == "IN" else -int(row.amount),
        purpose=TransferPurpose(row.purpose),
        asset=None if row.asset is None else Address(bytes(row.asset)),
        order_id=None if row.order_id is None else int(row.order_id),
    )


def _place(row: Row[Any]) -> LogPosition:
    return LogPosition(row.block_number, row.log_index, Hash32(bytes(row.tx_hash)), row.at.astimezone(UTC))


def _raw(amount: Any) -> RawAmount:
    return RawAmount(int(amount))
