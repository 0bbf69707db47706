"""One valid row of each table, so that a test changes only the column under test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import text
from tests.support.factories import catalogue_rows, multisig_rows, plan_rows
from tests.support.factories.strategies import EPOCH, address

from paimon.domain.approval.ticket import TicketStatus, TicketType, Verdict
from paimon.domain.chain.range_proof import InvalidResponseKind, ProofLevel
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import ContractName, Hash32, checksum
from paimon.domain.notification.message import MessageLanguage, MessageStatus, Occasion
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.price.observation import SourceKind
from paimon.domain.price.trust import PriceTrust
from paimon.domain.redemption.request import RedemptionChannel, RedemptionStatus
from paimon.domain.risk.liquidity_forecast import Horizon
from paimon.domain.risk.operator_decision import OperatorDecisionKind
from paimon.domain.risk.risk_event import RiskKind, RiskStatus, Severity
from paimon.domain.risk.risk_policy import IndicatorStatus, RiskLevel
from paimon.domain.transaction.intent_subject import SubjectType
from paimon.domain.transaction.lifecycle import AttemptStatus, IntentKind, WalletName
from paimon.domain.transaction.operator_action import ActionKind
from paimon.domain.user.roles import UserRole
from paimon.infrastructure.database.models.base import Base
from paimon.infrastructure.database.models.derived import (
    BlockRow,
    ContractFlagRow,
    CursorRow,
    ObservationRow,
    RangeProofRow,
    RawLogRow,
    RedemptionRequestRow,
    RoleHolderRow,
    ShareBalanceRow,
)
from paimon.infrastructure.database.models.ops.approval import ApprovalRecordRow, ApprovalTicketRow
from paimon.infrastructure.database.models.ops.asset_profile import AssetProfileRow
from paimon.infrastructure.database.models.ops.contract_facts import ContractFactsRow
from paimon.infrastructure.database.models.ops.event_listener import (
    EndpointFaultRow,
    EventProcessingHourRow,
    EventProcessingLogRow,
)
from paimon.infrastructure.database.models.ops.fund_risk import (
    LiquidityForecastRow,
    RiskAssessmentRow,
    RiskMetricHourRow,
    RiskMetricRow,
    RiskPolicyRow,
)
from paimon.infrastructure.database.models.ops.lease import LeaseRow
from paimon.infrastructure.database.models.ops.notification import NotificationPreferenceRow, NotificationRow
from paimon.infrastructure.database.models.ops.operator_action import OperatorActionRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.pending_log import PendingLogRow
from paimon.infrastructure.database.models.ops.price import PriceJudgementRow, PriceObservationRow
from paimon.infrastructure.database.models.ops.quarantine import OperatorDecisionRow
from paimon.infrastructure.database.models.ops.reconciliation import ReconciliationRow
from paimon.infrastructure.database.models.ops.report import ReportRow
from paimon.infrastructure.database.models.ops.retention import RetentionRunRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.models.ops.signed_action import SignedActionRow
from paimon.infrastructure.database.models.ops.stand_in import StandInRow
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow, WalletRow
from paimon.infrastructure.database.models.ops.user import FirstSuperAdminRow, SignInChallengeRow, SubjectKeyRow, UserGrantRow
from paimon.infrastructure.database.sessions import Database, WriteSession

HASH: Final = Hash32(b"\x01" * 32)
INTENT_ID: Final = UUID(int=1)
TICKET_ID: Final = "TKT-1"

VALID: Final[dict[type[Base], dict[str, Any]]] = {
    CursorRow: {"id": 1, "number": 1, "hash": HASH, "timestamp": EPOCH, "epoch": 1},
    BlockRow: {"number": 1, "hash": HASH, "parent_hash": HASH, "timestamp": EPOCH, "previous_kept_number": 0},
    RawLogRow: {
        "block_number": 1,
        "log_index": 0,
        "block_hash": HASH,
        "tx_hash": HASH,
        "tx_index": 0,
        "address": address(1),
        "contract": ContractName.VAULT,
        "topics": [HASH],
        "data": b"",
        "status": LogStatus.UNKNOWN,
    },
    ObservationRow: {
        "kind": "k",
        "subject": "s",
        "block_number": 1,
        "block_hash": HASH,
        "block_timestamp": EPOCH,
        "data": {},
    },
    RangeProofRow: {"first_block": 1, "last_block": 2, "level": ProofLevel.CHAINED},
    ShareBalanceRow: {"holder": address(1), "shares": 1, "locked_shares": 1, "since": EPOCH},
    RedemptionRequestRow: {
        "request_id": 1,
        "owner": address(1),
        "receiver": address(1),
        "shares": 1,
        "gross_amount": 1,
        "estimated_fee": 0,
        "channel": RedemptionChannel.STANDARD,
        "requires_approval": False,
        "window_id": 0,
        "status": RedemptionStatus.PENDING,
        "requested_at": EPOCH,
        "settlement_at": EPOCH,
        "updated_block": 1,
    },
    RoleHolderRow: {"contract": ContractName.VAULT, "role": HASH, "account": address(1)},
    ContractFlagRow: {"contract": ContractName.VAULT, "flag": "paused", "enabled": True, "since_block": 1},
    LeaseRow: {"name": "listener", "owner": "tests", "epoch": 1, "expires_at": EPOCH},
    SubjectKeyRow: {"address": address(1), "wrapped_by": bytes(8), "wrapped_key": bytes(60)},
    SignedActionRow: {
        "nonce": HASH,
        "action": "set_asset_profile",
        "resource": f"/assets/{checksum(address(9))}",
        "signer": address(1),
        "typed_data": {},
        "signature": b"s",
        "expires_at": EPOCH,
    },
    AssetProfileRow: {
        "token": address(9),
        "version": 1,
        "counterparty": "North Bank",
        "days_to_cash": 2,
        "cost_bps": 30,
        "reason": "a test",
        "changed_by": address(1),
        "nonce": HASH,
    },
    StandInRow: {
        "id": 1,
        "person": address(1),
        "stand_in": address(2),
        "starts_at": EPOCH,
        "ends_at": EPOCH + timedelta(days=1),
        "reason": "on leave",
        "nonce": HASH,
    },
    UserGrantRow: {
        "address": address(1),
        "role": UserRole.VIEWER,
        "name": "willa",
        "sequence": 1,
        "previous": HASH,
        "granted_by": address(2),
        "nonce": HASH,
        "typed_data": {},
        "signature": b"\x01",
        "expires_at": datetime(2999, 1, 1, tzinfo=UTC),
    },
    FirstSuperAdminRow: {"address": address(1), "name": "ada"},
    SignInChallengeRow: {"nonce": "n", "address": address(1), "message": "m", "expires_at": EPOCH},
    ApprovalTicketRow: {
        "id": TICKET_ID,
        "type": TicketType.STANDARD_REDEMPTION,
        "request_id": 1,
        "owner": address(1),
        "receiver": address(1),
        "gross_amount": 1,
        "policy_version": 1,
        "rules": ["standard_redemption"],
        "required_approvals": 1,
        "status": TicketStatus.PENDING,
        "opened_at": EPOCH,
        "warn_at": EPOCH,
        "escalate_at": EPOCH + timedelta(hours=1),
        "deadline_at": EPOCH + timedelta(hours=2),
    },
    ApprovalRecordRow: {
        "nonce": HASH,
        "ticket_id": TICKET_ID,
        "voter": address(2),
        "verdict": Verdict.APPROVE,
        "reason": "",
        "typed_data": {},
        "signature": b"s",
        "expires_at": EPOCH,
        "decided_at": EPOCH,
    },
    WalletRow: {"address": address(1), "name": WalletName.KEEPER, "next_nonce": 0},
    IntentRow: {
        "id": INTENT_ID,
        "idempotency_key": "settle-redemption:1",
        "payload_hash": HASH,
        "kind": IntentKind.SETTLE_REDEMPTION,
        "wallet": address(1),
        "to_address": address(2),
        "data": b"",
        "value_wei": 0,
        "subject_type": SubjectType.REDEMPTION,
        "subject_id": "1",
    },
    AttemptRow: {
        "hash": HASH,
        "intent_id": INTENT_ID,
        "wallet": address(1),
        "nonce": 0,
        "gas_limit": 21_000,
        "max_fee_wei": 1,
        "priority_fee_wei": 1,
        "raw": b"r",
        "status": AttemptStatus.SIGNED,
    },
    NotificationRow: {
        "key": "msg_1",
        "channel": "operators",
        "occasion": Occasion.OPENED,
        "severity": Severity.WARNING,
        "language": MessageLanguage.ENGLISH,
        "title": "t",
        "body": "b",
        "dedup_key": "k",
        "events": 1,
        "is_group": False,
        "status": MessageStatus.QUEUED,
    },
    NotificationPreferenceRow: {"person": address(1), "severity_min": Severity.WARNING, "time_zone": "UTC"},
    OperatorActionRow: {
        "nonce": HASH,
        "kind": ActionKind.CANCEL,
        "wallet": address(1),
        "intent_id": INTENT_ID,
        "target": "settle-redemption:1",
        "reason": "",
        "requested_by": address(2),
        "typed_data": {},
        "signature": b"s",
        "expires_at": EPOCH,
    },
    OperatorDecisionRow: {
        "kind": OperatorDecisionKind.SKIP_LOG,
        "block_number": 1,
        "block_hash": HASH,
        "log_index": 0,
        "problem": "it does not decode",
        "reason": "a test",
        "requested_by": address(1),
        "nonce": HASH,
        "typed_data": {},
        "signature": b"s",
        "expires_at": EPOCH,
    },
    OutboxMessageRow: {"kind": "fund", "aggregate_id": "fund", "payload": {}, "priority": OutboxPriority.NORMAL},
    ReconciliationRow: {"block_number": 1, "block_hash": HASH, "figures_compared": 1, "discrepancies": []},
    RiskEventRow: {
        "kind": RiskKind.RECONCILIATION_BREAK,
        "subject": "supply",
        "observed": "1",
        "expected": "2",
        "severity": Severity.CRITICAL,
        "status": RiskStatus.OPEN,
        "owner_role": UserRole.ADMIN,
        "first_seen_at": EPOCH,
        "first_seen_block": 1,
        "last_seen_at": EPOCH,
        "last_seen_block": 1,
    },
    EventProcessingLogRow: {
        "time": EPOCH,
        "last_block": 2,
        "first_block": 1,
        "last_block_at": EPOCH,
        "logs": 1,
        "quarantined": 0,
        "lag_blocks": 0,
        "fetch_us": 1,
        "record_us": 1,
    },
    EventProcessingHourRow: {
        "hour": EPOCH,
        "batches": 1,
        "blocks": 2,
        "logs": 1,
        "quarantined": 0,
        "lag_blocks_max": 0,
        "fetch_us": 1,
        "record_us": 1,
        "record_us_max": 1,
    },
    ContractFactsRow: {
        "id": 1,
        "contract": ContractName.VAULT,
        "address": address(1),
        "code_hash": bytes(32),
        "implementation": None,
        "admin": None,
        "functions": Jsonb({}),
        "errors": Jsonb([]),
        "unknown_selectors": Jsonb([]),
        "block_number": 1,
        "block_hash": bytes(32),
        "block_timestamp": EPOCH,
        "last_block_number": 1,
        "last_block_hash": bytes(32),
        "last_block_timestamp": EPOCH,
    },
    PriceObservationRow: {
        "token": bytes(20),
        "source": "adapter",
        "kind": SourceKind.ADAPTER,
        "upstream": "adapter",
        "price": 1,
        "valued_at": EPOCH,
        "seen_at": EPOCH,
        "publications": 1,
    },
    ReportRow: {
        "kind": "daily",
        "first_day": EPOCH.date(),
        "last_day": EPOCH.date(),
        "version": 1,
        "status": "FINAL",
        "draft_reasons": Jsonb([]),
        "data_hash": bytes(32),
        "files": Jsonb([{"format": "json", "language": None, "sha256": "00" * 32, "size": 1}]),
    },
    PriceJudgementRow: {
        "token": bytes(20),
        "tier": "L2",
        "block_number": 1,
        "at": EPOCH,
        "trust": PriceTrust.TRUSTED,
        "price": 1,
        "contract_price": 1,
        "valued_at": EPOCH,
        "missed": 0,
        "released": False,
        "reasons": Jsonb([]),
        "notes": Jsonb([]),
        "sources": Jsonb([]),
    },
    RiskPolicyRow: {"version": "0123456789ab", "content": {}},
    LiquidityForecastRow: {
        "horizon": Horizon.SEVEN_DAYS,
        "block_number": 1,
        "block_hash": bytes(32),
        "block_at": EPOCH,
        "made_at": EPOCH,
        "policy_version": "0123456789ab",
        "content": Jsonb({}),
    },
    RiskAssessmentRow: {
        "id": 1,
        "block_number": 1,
        "block_at": EPOCH,
        "assessed_at": EPOCH,
        "level": RiskLevel.NORMAL,
        "level_since": EPOCH,
        "indicated": RiskLevel.NORMAL,
        "lower_highest": RiskLevel.NORMAL,
        "score": 0,
        "policy_version": "0123456789ab",
        "measurements": [],
        "contributions": [],
    },
    RiskMetricRow: {
        "time": EPOCH,
        "indicator": "l1_ratio",
        "block_number": 1,
        "value": 1,
        "level": IndicatorStatus.NORMAL,
        "threshold_version": "0123456789ab",
    },
    RiskMetricHourRow: {
        "hour": EPOCH,
        "indicator": "l1_ratio",
        "samples": 1,
        "minimum": 1,
        "maximum": 2,
        "total": 1,
        "last_value": 1,
        "last_at": EPOCH,
    },
    EndpointFaultRow: {
        "endpoint": "node:8545",
        "kind": InvalidResponseKind.OMITTED_LOG,
        "occurrences": 1,
        "last_block": 1,
        "last_description": "log 0 was left out",
    },
    PendingLogRow: {
        "block_hash": HASH,
        "log_index": 0,
        "block_number": 1,
        "block_timestamp": EPOCH,
        "tx_hash": HASH,
        "address": address(1),
        "contract": ContractName.VAULT,
    },
    RetentionRunRow: {"series": "s", "ran_at": EPOCH, "retention_start": EPOCH, "rows_removed": 0, "complete": True},
    **catalogue_rows.VALID,
    **multisig_rows.VALID,
    **plan_rows.VALID,
}

DEPENDENCIES: Final[dict[type[Base], tuple[type[Base], ...]]] = {
    RawLogRow: (BlockRow,),
    ApprovalRecordRow: (ApprovalTicketRow,),
    IntentRow: (WalletRow,),
    AttemptRow: (WalletRow, IntentRow),
    OperatorActionRow: (WalletRow, IntentRow),
    AssetProfileRow: (SignedActionRow,),
    StandInRow: (SignedActionRow,),
    **multisig_rows.DEPENDENCIES,
    **plan_rows.DEPENDENCIES,
}
"""The tables that a table's row refers to."""


def plain_sql(value: Any) -> Any:
    """Convert a value for the driver, past the models' types: what a table refuses must not depend on them."""
    if isinstance(value, StrEnum):
        return value.value
    return Jsonb(value) if isinstance(value, dict) or value == [] else value


async def insert_row(session: WriteSession, table: type[Base], **changes: Any) -> None:
    """Insert a valid row with these columns changed."""
    row = VALID[table] | changes
    columns, values = ", ".join(row), ", ".join(f":{column}" for column in row)
    statement = text(f"INSERT INTO {table.__table__} ({columns}) VALUES ({values})")
    await session.execute(statement, {column: plain_sql(value) for column, value in row.items()})


async def insert_dependencies(session: WriteSession, table: type[Base]) -> None:
    for needed in DEPENDENCIES.get(table, ()):
        await insert_row(session, needed)


class _RolledBack(Exception):
    """Rolls back the rows that a test inserted into the shared tables."""


@asynccontextmanager
async def rolled_back(database: Database) -> AsyncIterator[WriteSession]:
    with suppress(_RolledBack):
        async with database.write() as session:
            yield session
            raise _RolledBack
