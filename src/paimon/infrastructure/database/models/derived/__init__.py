"""What the chain said, and what follows from it. Every row here can be rebuilt from `raw_logs` and `observations`."""

from typing import Final

from paimon.infrastructure.database.models.base import Base
from paimon.infrastructure.database.models.derived.asset import AssetConfigRow, OtcOrderRow, TierConfigRow, TradeRow
from paimon.infrastructure.database.models.derived.chain import (
    BlockRow,
    ChainTransactionRow,
    CursorRow,
    LogStatus,
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
"""What was asked of the chain and what it said. A replay reads these and rewrites but what a raw log was decoded to."""

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
"""What follows from the logs, and what a replay therefore rebuilds: every table of this schema that is no input.

A row here has nothing but what the logs say: its key and its values are functions of the logs up to its block. No number
from a sequence, no time of writing, nothing that depends on how the logs were cut into batches.
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
    "LogStatus",
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
