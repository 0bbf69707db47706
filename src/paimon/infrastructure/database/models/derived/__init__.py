"""Tables of the schema `derived`: what was read from the chain, and the projections made from it."""

from typing import Final

from paimon.infrastructure.database.models.base import Base
from paimon.infrastructure.database.models.derived.asset import AssetConfigRow, OtcOrderRow, TierConfigRow, TradeRow
from paimon.infrastructure.database.models.derived.chain import (
    BlockRow,
    ChainTransactionRow,
    CursorRow,
    ObservationRow,
    RangeProofRow,
    RawLogRow,
    TrackedContractRow,
)
from paimon.infrastructure.database.models.derived.contract import ContractFlagRow, LiquidityAlertRow, ProtocolAddressRow
from paimon.infrastructure.database.models.derived.fee import FeeAccountRow, FeeEntryRow
from paimon.infrastructure.database.models.derived.redemption import RedemptionRequestRow
from paimon.infrastructure.database.models.derived.role import RoleChangeRow, RoleHolderRow
from paimon.infrastructure.database.models.derived.snapshot import AssetHoldingSnapshotRow, DailySnapshotRow
from paimon.infrastructure.database.models.derived.token import TokenFlowRow, TokenTransferRow
from paimon.infrastructure.database.models.derived.vault import DepositRow, ShareBalanceRow

INPUTS: Final[tuple[type[Base], ...]] = (
    CursorRow,
    BlockRow,
    RawLogRow,
    ObservationRow,
    TrackedContractRow,
    RangeProofRow,
    DailySnapshotRow,
    AssetHoldingSnapshotRow,
)
"""Tables of what was read from the chain. A replay reads them, and rewrites only how raw logs were decoded."""

PROJECTIONS: Final[tuple[type[Base], ...]] = (
    ShareBalanceRow,
    RedemptionRequestRow,
    DepositRow,
    RoleHolderRow,
    RoleChangeRow,
    ContractFlagRow,
    ProtocolAddressRow,
    LiquidityAlertRow,
    AssetConfigRow,
    TierConfigRow,
    TradeRow,
    OtcOrderRow,
    TokenTransferRow,
    TokenFlowRow,
    FeeAccountRow,
    FeeEntryRow,
    ChainTransactionRow,
)
"""Projections: all other tables of this schema. A replay rebuilds them.

The key and the values of a row are functions of the logs up to its block. A projection holds no number from a sequence, no
time of writing, and nothing that depends on how the logs were divided into batches.
"""

__all__ = [
    "INPUTS",
    "PROJECTIONS",
    "AssetConfigRow",
    "BlockRow",
    "ChainTransactionRow",
    "ContractFlagRow",
    "CursorRow",
    "DepositRow",
    "FeeAccountRow",
    "FeeEntryRow",
    "LiquidityAlertRow",
    "ObservationRow",
    "OtcOrderRow",
    "ProtocolAddressRow",
    "RangeProofRow",
    "RawLogRow",
    "RedemptionRequestRow",
    "RoleChangeRow",
    "RoleHolderRow",
    "ShareBalanceRow",
    "TierConfigRow",
    "TokenFlowRow",
    "TokenTransferRow",
    "TrackedContractRow",
    "TradeRow",
]
