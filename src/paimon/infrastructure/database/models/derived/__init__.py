"""What the chain said, and what follows from it. Every row here can be rebuilt from `raw_logs` and `observations`."""

from typing import Final

from paimon.infrastructure.database.models.base import Base
from paimon.infrastructure.database.models.derived.asset import AssetConfig, OtcOrderRow, TierConfig, TradeRow
from paimon.infrastructure.database.models.derived.chain import (
    Block,
    ChainTransactionRow,
    Cursor,
    FollowedContractRow,
    LogStatus,
    Observation,
    RangeProofRow,
    RawLog,
)
from paimon.infrastructure.database.models.derived.contract import ContractFlag, LiquidityAlertRow, ServiceAddress
from paimon.infrastructure.database.models.derived.fee import FeeAccountRow, FeeEntryRow
from paimon.infrastructure.database.models.derived.redemption import RedemptionRequest
from paimon.infrastructure.database.models.derived.role import RoleChangeRow, RoleHolder
from paimon.infrastructure.database.models.derived.snapshot import AssetHoldingSnapshot, DailySnapshot
from paimon.infrastructure.database.models.derived.token import TokenFlowRow, TokenTransferRow
from paimon.infrastructure.database.models.derived.vault import DepositRow, Holding

INPUTS: Final[tuple[type[Base], ...]] = (
    Cursor,
    Block,
    RawLog,
    Observation,
    FollowedContractRow,
    RangeProofRow,
    DailySnapshot,
    AssetHoldingSnapshot,
)
"""What was asked of the chain and what it said. A replay reads these and rewrites but what a raw log was decoded to."""

PROJECTIONS: Final[tuple[type[Base], ...]] = (
    Holding,
    RedemptionRequest,
    DepositRow,
    RoleHolder,
    RoleChangeRow,
    ContractFlag,
    ServiceAddress,
    LiquidityAlertRow,
    AssetConfig,
    TierConfig,
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
    "AssetConfig",
    "Block",
    "ChainTransactionRow",
    "ContractFlag",
    "Cursor",
    "DepositRow",
    "FeeAccountRow",
    "FeeEntryRow",
    "FollowedContractRow",
    "Holding",
    "LiquidityAlertRow",
    "LogStatus",
    "Observation",
    "OtcOrderRow",
    "RangeProofRow",
    "RawLog",
    "RedemptionRequest",
    "RoleChangeRow",
    "RoleHolder",
    "ServiceAddress",
    "TierConfig",
    "TokenFlowRow",
    "TokenTransferRow",
    "TradeRow",
]
