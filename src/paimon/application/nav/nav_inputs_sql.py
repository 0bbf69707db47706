"""SQL of NAV inputs: the recorded events between two blocks that change NAV."""

from datetime import UTC
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.domain.asset.token_transfer import TransferPurpose
from paimon.domain.kernel.chain import Address, Hash32, LogPosition
from paimon.domain.kernel.units import RawAmount
from paimon.domain.vault.nav_inputs import (
    AssetTransfer,
    DepositInput,
    FeeInput,
    FeeInputKind,
    NavInputs,
    RedemptionInput,
    RedemptionTransition,
)

_ASSET_TRANSFERS: Final = text("""
    SELECT transfer.block_number, transfer.log_index, transfer.tx_hash, transfer.at, transfer.token, transfer.direction,
           transfer.amount, transfer.purpose, coalesce(trade.token, otc_order.token) AS asset, otc_order.order_id
      FROM derived.token_transfers AS transfer
      LEFT JOIN derived.trades AS trade
             ON trade.block_number = transfer.block_number AND trade.log_index = transfer.source_log_index
            AND transfer.purpose IN ('PURCHASE', 'SALE')
      LEFT JOIN derived.raw_logs AS log
             ON log.block_number = transfer.block_number AND log.log_index = transfer.source_log_index
            AND transfer.purpose IN ('OTC_PAYMENT', 'OTC_DELIVERY')
      LEFT JOIN derived.otc_orders AS otc_order
             ON otc_order.manager = log.address AND otc_order.order_id = CAST(log.args ->> 'orderId' AS numeric)
     WHERE transfer.block_number > :after AND transfer.block_number <= :until AND transfer.direction <> 'INTERNAL'
     ORDER BY transfer.block_number, transfer.log_index
""")

_DEPOSITS: Final = text("""
    SELECT block_number, log_index, tx_hash, at, assets, shares FROM derived.deposits
     WHERE block_number > :after AND block_number <= :until ORDER BY block_number, log_index
""")

_REDEMPTIONS: Final = text("""
    SELECT log.block_number, log.log_index, log.tx_hash, block.timestamp AS at, log.event,
           request.gross_amount, request.shares
      FROM derived.raw_logs AS log
      JOIN derived.blocks AS block ON block.number = log.block_number
      JOIN derived.redemption_requests AS request ON request.request_id = log.request_id
     WHERE log.block_number > :after AND log.block_number <= :until AND log.status = 'APPLIED'
       AND log.contract = 'RedemptionManager' AND log.event = ANY(:events)
     ORDER BY log.block_number, log.log_index
""")

_FEES: Final = text("""
    SELECT block_number, log_index, tx_hash, at, kind, entry_type, amount FROM derived.fee_entries
     WHERE block_number > :after AND block_number <= :until AND entry_type <> 'PAID' ORDER BY block_number, log_index, kind
""")

_TRANSITIONS: Final = {
    "RedemptionRequested": RedemptionTransition.REQUESTED,
    "RedemptionCancelled": RedemptionTransition.RETURNED,
    "RedemptionRejected": RedemptionTransition.RETURNED,
    "RedemptionSettled": RedemptionTransition.SETTLED,
}
_FEE_KINDS: Final = {
    ("MANAGEMENT", "ACCRUED"): FeeInputKind.MANAGEMENT_ACCRUED,
    ("PERFORMANCE", "ACCRUED"): FeeInputKind.PERFORMANCE_ACCRUED,
    ("REDEMPTION", "ACCRUED"): FeeInputKind.REDEMPTION_KEPT,
    ("REDEMPTION", "RELEASED"): FeeInputKind.REDEMPTION_RELEASED,
}


async def load_nav_inputs(session: AsyncSession, *, after: int, until: int) -> NavInputs:
    """Return the inputs recorded in the blocks after `after`, up to `until`, oldest first."""
    values = {"after": after, "until": until}
    asset_transfers = await session.execute(_ASSET_TRANSFERS, values)
    deposits = await session.execute(_DEPOSITS, values)
    redemptions = await session.execute(_REDEMPTIONS, {**values, "events": list(_TRANSITIONS)})
    fees = await session.execute(_FEES, values)
    return NavInputs(
        asset_transfers=tuple(_asset_transfer(row) for row in asset_transfers),
        deposits=tuple(DepositInput(_log_position(row), _raw(row.assets), _raw(row.shares)) for row in deposits),
        redemptions=tuple(
            RedemptionInput(_log_position(row), _TRANSITIONS[row.event], _raw(row.gross_amount), _raw(row.shares))
            for row in redemptions
        ),
        fees=tuple(FeeInput(_log_position(row), _FEE_KINDS[row.kind, row.entry_type], _raw(row.amount)) for row in fees),
    )


def _asset_transfer(row: Row[Any]) -> AssetTransfer:
    return AssetTransfer(
        log_position=_log_position(row),
        token=Address(bytes(row.token)),
        amount=int(row.amount) if row.direction == "IN" else -int(row.amount),
        purpose=TransferPurpose(row.purpose),
        asset=None if row.asset is None else Address(bytes(row.asset)),
        order_id=None if row.order_id is None else int(row.order_id),
    )


def _log_position(row: Row[Any]) -> LogPosition:
    return LogPosition(row.block_number, row.log_index, Hash32(bytes(row.tx_hash)), row.at.astimezone(UTC))


def _raw(amount: Any) -> RawAmount:
    return RawAmount(int(amount))
