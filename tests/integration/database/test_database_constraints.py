"""Tests of table constraints: each refuses the wrong values and states it names."""

from collections.abc import AsyncIterator
from datetime import time, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import CheckConstraint, Index, Table, UniqueConstraint, func, select
from sqlalchemy.exc import IntegrityError
from tests.conftest import TEMPLATE
from tests.support.database_roles import WITHOUT_TRIGGERS
from tests.support.factories import catalogue_rows, multisig_rows, plan_rows
from tests.support.factories.rows import HASH, VALID, insert_dependencies, insert_row, rolled_back
from tests.support.factories.strategies import EPOCH, address

from paimon.domain.kernel.chain import Hash32
from paimon.domain.kernel.units import UINT256_MAX
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
    TrackedContractRow,
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
from paimon.infrastructure.database.models.ops.plan import PlanRow
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
from paimon.infrastructure.database.sessions import Database, WriteSession, create_engine
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration

OTHER = Hash32(b"\x02" * 32)
InvalidRow = tuple[type[Base], dict[str, Any], str]
"""A table, the columns that make its valid row invalid, and the constraint that must refuse it."""

MALFORMED_SUBJECTS = [
    {"subject_id": malformed} for malformed in ("", "-1", "01", str(UINT256_MAX + 1), f"0x{'0' * 64}", f"{UUID(int=2)}:0")
]
MALFORMED_SUBJECTS += [
    {"kind": "execute_safe", "subject_type": "safe_transaction", "subject_id": malformed}
    for malformed in ("1", f"0x{'0' * 63}", f"0x{'A' * 64}", "0" * 64)
]
MALFORMED_SUBJECTS += [
    {"kind": "plan_step", "subject_type": "plan_call", "subject_id": malformed}
    for malformed in (f"{UUID(int=2)}", f"{UUID(int=2)}:", f"{UUID(int=2)}:1000", "1:0")
]

NO_LOG: dict[str, Any] = {"block_number": None, "block_hash": None, "log_index": None}
NO_REQUEST: dict[str, Any] = {"request_id": None, "owner": None, "receiver": None}
OF_BOTH: dict[str, Any] = {"plan_id": UUID(int=2), "requested_by": address(1), "passed_when_raised": True}
OF_A_PLAN = OF_BOTH | NO_REQUEST
INVALID_STATES: list[InvalidRow] = [
    (CursorRow, {"id": 2}, "ck_cursor_single_row"),
    (RawLogRow, {"reason": "odd"}, "ck_raw_logs_reason_when_quarantined"),
    (RawLogRow, {"status": "QUARANTINED"}, "ck_raw_logs_reason_when_quarantined"),
    (RedemptionRequestRow, {"status": "SETTLED", "closed_at": EPOCH}, "ck_redemption_requests_amounts_when_settled"),
    (
        RedemptionRequestRow,
        {"status": "SETTLED", "closed_at": EPOCH, "settled_net_amount": 1},
        "ck_redemption_requests_amounts_when_settled",
    ),
    (RedemptionRequestRow, {"settled_net_amount": 1, "settled_fee": 0}, "ck_redemption_requests_amounts_when_settled"),
    (RedemptionRequestRow, {"settled_fee": 0}, "ck_redemption_requests_amounts_when_settled"),
    (RedemptionRequestRow, {"status": "CANCELLED"}, "ck_redemption_requests_closed_when_terminal"),
    (RedemptionRequestRow, {"closed_at": EPOCH}, "ck_redemption_requests_closed_when_terminal"),
    (RedemptionRequestRow, {"requires_approval": True}, "ck_redemption_requests_pending_without_approval"),
    (RedemptionRequestRow, {"status": "PENDING_APPROVAL"}, "ck_redemption_requests_approval_statuses_require_approval"),
    (RedemptionRequestRow, {"status": "APPROVED"}, "ck_redemption_requests_approval_statuses_require_approval"),
    (
        RedemptionRequestRow,
        {"status": "REJECTED", "closed_at": EPOCH, "requires_approval": True},
        "ck_redemption_requests_reason_when_rejected",
    ),
    (RedemptionRequestRow, {"rejection_reason": "no"}, "ck_redemption_requests_reason_when_rejected"),
    (LeaseRow, {"epoch": -1}, "ck_leases_epoch_not_negative"),
    (OperatorDecisionRow, {"kind": "replay_message"}, "ck_operator_decisions_target_is_outbox_message_or_log"),
    (OperatorDecisionRow, NO_LOG | {"outbox_id": 1}, "ck_operator_decisions_target_is_outbox_message_or_log"),
    (OperatorDecisionRow, {"log_index": None}, "ck_operator_decisions_log_key_complete"),
    (OperatorDecisionRow, {"kind": "replay_message", "outbox_id": 1}, "ck_operator_decisions_log_key_complete"),
    (OperatorDecisionRow, {"signature": None}, "ck_operator_decisions_signed_action_complete"),
    (OperatorDecisionRow, {"status": "DONE"}, "ck_operator_decisions_ended_at_unless_requested"),
    (OperatorDecisionRow, {"outcome": "left out"}, "ck_operator_decisions_outcome_when_ended"),
    (WalletRow, {"next_nonce": -1}, "ck_wallets_nonce_not_negative"),
    (WalletRow, {"seen_block": 1}, "ck_wallets_chain_state_complete"),
    (WalletRow, {"last_error": "no answer"}, "ck_wallets_last_error_with_time"),
    (IntentRow, {"aborting_as": "FAILED", "abort_reason": "w"}, "ck_transaction_intents_aborting_as_known"),
    (IntentRow, {"aborting_as": "EXPIRED"}, "ck_transaction_intents_abort_reason_when_aborting"),
    (IntentRow, {"subject_type": "plan_call", "subject_id": f"{UUID(int=2)}:0"}, "ck_transaction_intents_subject_type_of_kind"),
    *((IntentRow, subject, "ck_transaction_intents_subject_id_form") for subject in MALFORMED_SUBJECTS),
    (AttemptRow, {"channel": "private"}, "ck_transaction_attempts_signed_at_block_when_private"),
    (OperatorActionRow, {"intent_id": None}, "ck_operator_actions_target_is_intent_or_wallet"),
    (OperatorActionRow, {"outcome": "done", "ended_at": EPOCH}, "ck_operator_actions_ended_at_unless_requested"),
    (OperatorActionRow, {"outcome": "done"}, "ck_operator_actions_outcome_when_ended"),
    (ApprovalTicketRow, {"rules": "{}"}, "ck_approval_tickets_rules_named"),
    (ApprovalTicketRow, {"required_approvals": 0}, "ck_approval_tickets_required_approvals_positive"),
    (ApprovalTicketRow, {"deadline_at": EPOCH}, "ck_approval_tickets_sla_in_order"),
    (ApprovalTicketRow, {"status": "APPROVED"}, "ck_approval_tickets_decided_when_not_open"),
    (ApprovalTicketRow, {"decided_at": EPOCH}, "ck_approval_tickets_decided_when_not_open"),
    (ApprovalTicketRow, {"closed_at": EPOCH}, "ck_approval_tickets_decided_before_closed"),
    (ApprovalTicketRow, {"owner": None}, "ck_approval_tickets_one_subject"),
    (ApprovalTicketRow, NO_REQUEST, "ck_approval_tickets_one_subject"),
    (ApprovalTicketRow, OF_A_PLAN | {"passed_when_raised": None}, "ck_approval_tickets_one_subject"),
    (ApprovalTicketRow, OF_BOTH, "ck_approval_tickets_one_subject"),
    (ApprovalTicketRow, OF_A_PLAN | {"status": "VOID", "decided_at": EPOCH}, "ck_approval_tickets_void_with_reason"),
    (ApprovalTicketRow, OF_A_PLAN | {"void_reason": "the amount changed"}, "ck_approval_tickets_void_with_reason"),
    (IntentRow, {"status": "FINAL"}, "ck_transaction_intents_closed_when_terminal"),
    (IntentRow, {"closed_at": EPOCH}, "ck_transaction_intents_closed_when_terminal"),
    (AttemptRow, {"status": "MINED"}, "ck_transaction_attempts_block_hash_when_mined"),
    (AttemptRow, {"status": "FINAL"}, "ck_transaction_attempts_block_hash_when_mined"),
    (OutboxMessageRow, {"done_at": EPOCH, "dead_lettered_at": EPOCH}, "ck_outbox_done_or_dead_lettered"),
    (RiskEventRow, {"owner_address": address(1)}, "ck_risk_events_one_owner"),
    (RiskEventRow, {"owner_role": None}, "ck_risk_events_one_owner"),
    (RiskEventRow, {"acknowledged_at": EPOCH}, "ck_risk_events_acknowledged_by_with_time"),
    (RiskEventRow, {"status": "ACKNOWLEDGED"}, "ck_risk_events_acknowledged_at_when_acknowledged"),
    (RiskEventRow, {"status": "RESOLVED", "resolved_block": 1}, "ck_risk_events_resolved_at_when_resolved"),
    (RiskEventRow, {"resolved_block": 1}, "ck_risk_events_resolved_by_check_or_person"),
    (RiskEventRow, {"status": "RESOLVED", "resolved_at": EPOCH}, "ck_risk_events_resolved_by_check_or_person"),
    (RiskEventRow, {"first_seen_block": 2}, "ck_risk_events_seen_in_order"),
    (NotificationRow, {"status": "SENT"}, "ck_notifications_sent_at_when_sent"),
    (NotificationRow, {"sent_at": EPOCH}, "ck_notifications_sent_at_when_sent"),
    (NotificationRow, {"status": "SENDING"}, "ck_notifications_claimed_at_while_sending"),
    (NotificationRow, {"occasion": "ENDED"}, "ck_notifications_ended_names_its_message"),
    (NotificationRow, {"attempts": -1}, "ck_notifications_counted"),
    (NotificationRow, {"events": -1}, "ck_notifications_counted"),
    (NotificationRow, {"status": "LOST"}, "ck_notifications_status_known"),
    (NotificationRow, {"occasion": "MAYBE"}, "ck_notifications_occasion_known"),
    (NotificationRow, {"severity": "MILD"}, "ck_notifications_severity_known"),
    (NotificationRow, {"language": "de"}, "ck_notifications_language_known"),
    (NotificationPreferenceRow, {"person": bytes(21)}, "ck_notification_preferences_person_length"),
    (NotificationPreferenceRow, {"language": "de"}, "ck_notification_preferences_language_known"),
    (NotificationPreferenceRow, {"severity_min": "MILD"}, "ck_notification_preferences_severity_min_known"),
    (NotificationPreferenceRow, {"quiet_from": time(22)}, "ck_notification_preferences_quiet_hours_whole"),
    (RangeProofRow, {"first_block": 3}, "ck_range_proofs_blocks_in_order"),
    (RangeProofRow, {"level": "odd"}, "ck_range_proofs_level_known"),
    (EndpointFaultRow, {"occurrences": 0}, "ck_endpoint_faults_occurrences_positive"),
    (EndpointFaultRow, {"kind": "odd"}, "ck_endpoint_faults_kind_known"),
    (BlockRow, {"previous_kept_number": 1}, "ck_blocks_previous_recorded_block_is_earlier"),
    (EventProcessingLogRow, {"first_block": 3}, "ck_event_processing_logs_blocks_in_order"),
    (EventProcessingLogRow, {"quarantined": 2}, "ck_event_processing_logs_quarantined_within_logs"),
    (EventProcessingLogRow, {"lag_blocks": -1}, "ck_event_processing_logs_lag_blocks_not_negative"),
    (EventProcessingLogRow, {"fetch_us": -1}, "ck_event_processing_logs_durations_not_negative"),
    (EventProcessingHourRow, {"hour": EPOCH + timedelta(minutes=1)}, "ck_event_processing_hourly_hour_is_truncated"),
    (EventProcessingHourRow, {"batches": 3}, "ck_event_processing_hourly_batches_positive"),
    (ContractFactsRow, {"contract": "Oracle"}, "ck_contract_facts_contract_known"),
    (ContractFactsRow, {"address": bytes(19)}, "ck_contract_facts_address_length"),
    (ContractFactsRow, {"implementation": bytes(32)}, "ck_contract_facts_implementation_length"),
    (ContractFactsRow, {"admin": b""}, "ck_contract_facts_admin_length"),
    (ContractFactsRow, {"code_hash": bytes(20)}, "ck_contract_facts_code_hash_length"),
    (ContractFactsRow, {"block_hash": b""}, "ck_contract_facts_block_hash_length"),
    (ContractFactsRow, {"last_block_hash": b""}, "ck_contract_facts_last_block_hash_length"),
    (ContractFactsRow, {"last_block_number": -1}, "ck_contract_facts_blocks_in_order"),
    (PriceObservationRow, {"token": bytes(19)}, "ck_price_observations_token_length"),
    (PriceObservationRow, {"price": -1}, "ck_price_observations_price_uint256"),
    (PriceObservationRow, {"kind": "RUMOUR"}, "ck_price_observations_kind_known"),
    (PriceObservationRow, {"price": None, "fault": "ODD"}, "ck_price_observations_fault_known"),
    (PriceObservationRow, {"price": None}, "ck_price_observations_price_or_fault"),
    (PriceObservationRow, {"publications": -1}, "ck_price_observations_publications_counted"),
    (ReportRow, {"kind": "yearly"}, "ck_reports_kind_known"),
    (ReportRow, {"status": "LATE"}, "ck_reports_status_known"),
    (ReportRow, {"data_hash": bytes(31)}, "ck_reports_data_hash_length"),
    (ReportRow, {"last_day": EPOCH.date() - timedelta(days=1)}, "ck_reports_days_in_order"),
    (ReportRow, {"version": 0, "replaces": 1}, "ck_reports_version_positive"),
    (ReportRow, {"version": 2}, "ck_reports_later_version_replaces"),
    (ReportRow, {"files": Jsonb([])}, "ck_reports_has_files"),
    (ReportRow, {"opening_block": 2, "closing_block": 1}, "ck_reports_blocks_in_order"),
    (PriceJudgementRow, {"token": bytes(21)}, "ck_price_judgements_token_length"),
    (PriceJudgementRow, {"price": 2**256}, "ck_price_judgements_price_uint256"),
    (PriceJudgementRow, {"contract_price": -1}, "ck_price_judgements_contract_price_uint256"),
    (PriceJudgementRow, {"tier": "L4"}, "ck_price_judgements_tier_known"),
    (PriceJudgementRow, {"trust": "MAYBE"}, "ck_price_judgements_trust_known"),
    (PriceJudgementRow, {"missed": -1}, "ck_price_judgements_missed_counted"),
    (PriceJudgementRow, {"price": None}, "ck_price_judgements_trusted_has_price"),
    (LiquidityForecastRow, {"block_hash": bytes(31)}, "ck_liquidity_forecasts_block_hash_length"),
    (RiskPolicyRow, {"version": "0123456789AB"}, "ck_risk_policies_version_form"),
    (RiskAssessmentRow, {"id": 2}, "ck_risk_assessment_one_row"),
    (RiskAssessmentRow, {"score": 101}, "ck_risk_assessment_score_in_range"),
    (RiskMetricHourRow, {"hour": EPOCH + timedelta(minutes=1)}, "ck_risk_metrics_hourly_hour_is_truncated"),
    (RiskMetricHourRow, {"samples": 0}, "ck_risk_metrics_hourly_samples_positive"),
    (RiskMetricHourRow, {"last_value": 3}, "ck_risk_metrics_hourly_last_within_bounds"),
    (RetentionRunRow, {"rows_removed": -1}, "ck_retention_runs_rows_removed_not_negative"),
    (UserGrantRow, {"sequence": 0}, "ck_user_grants_sequence_positive"),
    (UserGrantRow, {"expires_at": EPOCH}, "ck_user_grants_granted_in_time"),
    (SignedActionRow, {"action": ""}, "ck_signed_actions_action_and_resource_named"),
    (SignedActionRow, {"resource": ""}, "ck_signed_actions_action_and_resource_named"),
    (AssetProfileRow, {"version": 0}, "ck_asset_profiles_version_positive"),
    (AssetProfileRow, {"counterparty": ""}, "ck_asset_profiles_counterparty_named"),
    (AssetProfileRow, {"days_to_cash": -1}, "ck_asset_profiles_days_to_cash_not_negative"),
    (AssetProfileRow, {"cost_bps": 10_001}, "ck_asset_profiles_cost_bps_range"),
    (StandInRow, {"stand_in": address(1)}, "ck_stand_ins_two_people"),
    (StandInRow, {"ends_at": EPOCH}, "ck_stand_ins_ends_later"),
    (StandInRow, {"ended_at": EPOCH}, "ck_stand_ins_ended_by_a_person"),
    (StandInRow, {"ended_by": address(1)}, "ck_stand_ins_ended_by_a_person"),
    (StandInRow, {"ended_at": EPOCH, "ended_by": bytes(21)}, "ck_stand_ins_ended_by_length"),
    (StandInRow, {"nonce": OTHER}, "fk_stand_ins_nonce_signed_actions"),
    (SubjectKeyRow, {"wrapped_by": bytes(7)}, "ck_subject_keys_wrapped_by_length"),
    (SubjectKeyRow, {"wrapped_key": None}, "ck_subject_keys_erased_has_no_key"),
    (SubjectKeyRow, {"erased_by": address(2)}, "ck_subject_keys_erased_by_a_person"),
    (SubjectKeyRow, {"wrapped_key": None, "erased_at": EPOCH, "erased_by": bytes(21)}, "ck_subject_keys_erased_by_length"),
    (PendingLogRow, {"event": "Deposit"}, "ck_pending_logs_args_with_event"),
    (PendingLogRow, {"args": {}}, "ck_pending_logs_args_with_event"),
]

UNKNOWN = "no such value"
UNKNOWN_VALUES: list[InvalidRow] = [
    (table, {column: UNKNOWN}, f"ck_{table.__tablename__}_{column}_known")
    for table, columns in {
        RawLogRow: ("status", "contract"),
        RedemptionRequestRow: ("channel", "status"),
        RoleHolderRow: ("contract",),
        RiskAssessmentRow: ("level", "indicated", "lower_highest"),
        RiskMetricRow: ("level",),
        LiquidityForecastRow: ("horizon",),
        ContractFlagRow: ("contract",),
        UserGrantRow: ("role",),
        ApprovalTicketRow: ("type", "sla_stage", "at_deadline"),
        ApprovalRecordRow: ("verdict",),
        WalletRow: ("name",),
        IntentRow: ("kind", "subject_type"),
        AttemptRow: ("status", "channel"),
        OutboxMessageRow: ("priority",),
        OperatorActionRow: ("kind",),
        OperatorDecisionRow: ("kind",),
        RiskEventRow: ("kind", "severity", "owner_role"),
        PendingLogRow: ("contract",),
    }.items()
    for column in columns
]

UNKNOWN_VALUES += [
    (ApprovalTicketRow, {"status": UNKNOWN, "decided_at": EPOCH}, "ck_approval_tickets_status_known"),
    (IntentRow, {"status": UNKNOWN, "closed_at": EPOCH}, "ck_transaction_intents_status_known"),
    (RiskEventRow, {"status": UNKNOWN}, "ck_risk_events_status_known"),
    (OperatorActionRow, {"status": UNKNOWN, "outcome": "o", "ended_at": EPOCH}, "ck_operator_actions_status_known"),
    (OperatorDecisionRow, {"status": UNKNOWN, "outcome": "o", "ended_at": EPOCH}, "ck_operator_decisions_status_known"),
]

WRONG_LENGTHS: list[InvalidRow] = [
    (table, {column: b"\x01" * wrong}, f"ck_{table.__tablename__}_{column}_length")
    for table, columns in {
        CursorRow: ("hash",),
        BlockRow: ("hash", "parent_hash"),
        RawLogRow: ("block_hash", "tx_hash", "address"),
        ObservationRow: ("block_hash",),
        ShareBalanceRow: ("holder",),
        RedemptionRequestRow: ("owner", "receiver"),
        RoleHolderRow: ("role", "account"),
        UserGrantRow: ("address", "granted_by", "previous", "nonce"),
        FirstSuperAdminRow: ("address",),
        SubjectKeyRow: ("address",),
        SignedActionRow: ("nonce", "signer"),
        StandInRow: ("person", "stand_in", "nonce"),
        SignInChallengeRow: ("address",),
        ApprovalTicketRow: ("owner", "receiver"),
        ApprovalRecordRow: ("nonce", "voter"),
        WalletRow: ("address",),
        IntentRow: ("payload_hash", "wallet", "to_address"),
        AttemptRow: ("hash", "wallet"),
        ReconciliationRow: ("block_hash",),
        OperatorActionRow: ("nonce", "requested_by"),
        PendingLogRow: ("block_hash", "tx_hash", "address"),
        OperatorDecisionRow: ("requested_by", "block_hash", "nonce"),
    }.items()
    for column in columns
    for wrong in (0, 33)
]

_PEOPLE: dict[str, dict[str, Any]] = {
    "owner_address": {"owner_role": None},
    "acknowledged_by": {"acknowledged_at": EPOCH},
    "resolved_by": {"status": "RESOLVED", "resolved_at": EPOCH},
}
WRONG_LENGTHS += [
    (RiskEventRow, others | {column: b"\x01" * wrong}, f"ck_risk_events_{column}_length")
    for column, others in _PEOPLE.items()
    for wrong in (0, 33)
]

WRONG_LENGTHS += [
    (ApprovalTicketRow, OF_A_PLAN | {"requested_by": b"\x01" * wrong}, "ck_approval_tickets_requested_by_length")
    for wrong in (0, 33)
]

WRONG_AMOUNTS: list[InvalidRow] = [
    (table, {column: wrong}, f"ck_{table.__tablename__}_{column}_uint256")
    for table, columns in {
        ShareBalanceRow: ("shares", "locked_shares"),
        RedemptionRequestRow: ("request_id", "shares", "gross_amount", "estimated_fee", "window_id"),
        ApprovalTicketRow: ("request_id", "gross_amount"),
        IntentRow: ("value_wei",),
        AttemptRow: ("max_fee_wei", "priority_fee_wei"),
    }.items()
    for column in columns
    for wrong in (-1, UINT256_MAX + 1)
]
SEEN = {"seen_at": EPOCH, "seen_block": 1, "latest_nonce": 0, "final_nonce": 0}
WRONG_AMOUNTS += [
    (WalletRow, SEEN | {"balance_wei": wrong}, "ck_wallets_balance_wei_uint256") for wrong in (-1, UINT256_MAX + 1)
]
SETTLED = {"status": "SETTLED", "closed_at": EPOCH, "settled_fee": 0, "settled_net_amount": 0}
WRONG_AMOUNTS += [
    (RedemptionRequestRow, SETTLED | {column: wrong}, f"ck_redemption_requests_{column}_uint256")
    for column in ("settled_fee", "settled_net_amount")
    for wrong in (-1, UINT256_MAX + 1)
]

# A second row that differs only in the columns given.
DUPLICATES: list[InvalidRow] = [
    (RiskEventRow, {"observed": "3"}, "uq_risk_events_unresolved"),
    (NotificationRow, {"channel": "other"}, "uq_notifications_key"),
    (CursorRow, {}, "pk_cursor"),
    (BlockRow, {"hash": OTHER}, "pk_blocks"),
    (BlockRow, {"number": 2}, "uq_blocks_hash"),
    (RawLogRow, {"block_hash": OTHER}, "pk_raw_logs"),
    (ObservationRow, {}, "uq_observations_kind_subject_block_hash"),
    (ShareBalanceRow, {"shares": 2}, "pk_share_balances"),
    (RangeProofRow, {"first_block": 2, "last_block": 3}, "ex_range_proofs_blocks"),
    (EndpointFaultRow, {"occurrences": 2}, "pk_endpoint_faults"),
    (RedemptionRequestRow, {"owner": address(2)}, "pk_redemption_requests"),
    (RoleHolderRow, {}, "pk_role_holders"),
    (ContractFlagRow, {"enabled": False}, "pk_contract_flags"),
    (LeaseRow, {"owner": "another"}, "pk_leases"),
    (UserGrantRow, {"sequence": 2}, "uq_user_grants_nonce"),
    (ReportRow, {}, "uq_reports_kind_first_day_version"),
    (SubjectKeyRow, {}, "uq_subject_keys_live"),
    (SignedActionRow, {"signer": address(2)}, "pk_signed_actions"),
    (StandInRow, {"id": 2}, "uq_stand_ins_nonce"),
    (AssetProfileRow, {}, "pk_asset_profiles"),
    (AssetProfileRow, {"version": 2}, "uq_asset_profiles_nonce"),
    (SignInChallengeRow, {"address": address(2)}, "pk_sign_in_challenges"),
    (ApprovalTicketRow, {"id": "TKT-2"}, "uq_approval_tickets_request_id"),
    (ApprovalRecordRow, {"nonce": OTHER}, "uq_approval_records_ticket_id_voter"),
    (ApprovalRecordRow, {"voter": address(3)}, "pk_approval_records"),
    (WalletRow, {"next_nonce": 5}, "pk_wallets"),
    (IntentRow, {"id": UUID(int=2)}, "uq_transaction_intents_idempotency_key"),
    (AttemptRow, {"hash": OTHER, "nonce": 1}, "uq_transaction_attempts_unacknowledged"),
    (OperatorActionRow, {"nonce": OTHER}, "uq_operator_actions_requested_of_intent"),
    (PendingLogRow, {"block_number": 2}, "pk_pending_logs"),
    (OperatorDecisionRow, {"kind": "release_log", "nonce": OTHER}, "uq_operator_decisions_requested_of_log"),
    (OperatorDecisionRow, {"block_hash": OTHER}, "uq_operator_decisions_nonce"),
]
IN_A_BLOCK = {"block_hash": HASH, "block_number": 1}


DUPLICATES += [*catalogue_rows.DUPLICATES, *multisig_rows.DUPLICATES, *plan_rows.DUPLICATES]
WRONG: list[InvalidRow] = [*INVALID_STATES, *UNKNOWN_VALUES, *WRONG_LENGTHS, *WRONG_AMOUNTS]
for more in (catalogue_rows, multisig_rows, plan_rows):
    WRONG += [*more.INVALID_STATES, *more.UNKNOWN_VALUES, *more.WRONG_LENGTHS, *more.WRONG_AMOUNTS]


def named(wrong: InvalidRow) -> str:
    columns = "-".join(f"{column}={str(value)[:12]}" for column, value in wrong[1].items())
    return f"{wrong[2]}({columns})"


@pytest.fixture(scope="module")
async def tables(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """Create one database for this module; every inserted row is rolled back."""
    name = "paimon_constraints"
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER paimon_owner")
    url = postgres.url("paimon_app", name)
    opened = Database(create_engine(url, pool_size=2, connect_timeout_seconds=5, application_name="tests"))
    yield opened
    await opened.close()
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def refusing_constraint(session: WriteSession, table: type[Base], columns: dict[str, Any]) -> str | None:
    """Return the name of the constraint that refuses this row."""
    with pytest.raises(IntegrityError) as refusal:
        async with session.begin_nested():
            await insert_row(session, table, **columns)
    assert isinstance(refusal.value.orig, psycopg.Error)
    return refusal.value.orig.diag.constraint_name


@pytest.mark.parametrize("table", VALID, ids=lambda table: table.__tablename__)
async def test_valid_row_is_accepted(tables: Database, table: type[Base]) -> None:
    """Otherwise a row that is invalid for another reason would pass all tests below."""
    async with rolled_back(tables) as session:
        await insert_dependencies(session, table)
        await insert_row(session, table)


@pytest.mark.parametrize("wrong", WRONG, ids=named)
async def test_invalid_row_is_refused_by_named_constraint(tables: Database, wrong: InvalidRow) -> None:
    table, columns, constraint = wrong
    async with rolled_back(tables) as session:
        await insert_dependencies(session, table)
        assert await refusing_constraint(session, table, columns) == constraint


@pytest.mark.parametrize("twice", DUPLICATES, ids=named)
async def test_duplicate_row_is_refused_by_named_constraint(tables: Database, twice: InvalidRow) -> None:
    table, columns, constraint = twice
    async with rolled_back(tables) as session:
        await insert_dependencies(session, table)
        await insert_row(session, table)
        assert await refusing_constraint(session, table, columns) == constraint


@pytest.mark.parametrize("status", ["MINED", "FINAL"])
async def test_nonce_has_at_most_one_mined_attempt(tables: Database, status: str) -> None:
    async with rolled_back(tables) as session:
        await insert_dependencies(session, AttemptRow)
        await insert_row(session, AttemptRow, status=status, **IN_A_BLOCK)
        await insert_row(session, AttemptRow, hash=OTHER, status="REPLACED")
        another = {"hash": Hash32(b"\x03" * 32), "status": "MINED", **IN_A_BLOCK}
        assert await refusing_constraint(session, AttemptRow, another) == "uq_transaction_attempts_mined_nonce"
        await insert_row(session, AttemptRow, **another | {"nonce": 1})


async def test_log_is_recorded_once_for_any_block_number(tables: Database) -> None:
    async with rolled_back(tables) as session:
        await insert_dependencies(session, RawLogRow)
        await insert_row(session, RawLogRow)
        await insert_row(session, BlockRow, number=2, hash=OTHER)
        assert await refusing_constraint(session, RawLogRow, {"block_number": 2}) == "uq_raw_logs_block_hash_log_index"


async def test_message_has_one_end_and_one_fallback(tables: Database) -> None:
    for column, changes in (("ends_id", {"occasion": "ENDED", "due_at": EPOCH}), ("fallback_of_id", {"due_at": EPOCH})):
        async with rolled_back(tables) as session:
            await insert_row(session, NotificationRow)
            first = (await session.execute(select(func.max(NotificationRow.id)))).scalar_one()
            await insert_row(session, NotificationRow, key="msg_2", **changes | {column: first})
            another = {"key": "msg_3", **changes, column: first}
            assert await refusing_constraint(session, NotificationRow, another) == f"uq_notifications_{column}"


async def test_report_version_is_replaced_once(tables: Database) -> None:
    async with rolled_back(tables) as session:
        await insert_row(session, ReportRow, id=1)
        await insert_row(session, ReportRow, version=2, replaces=1)
        assert await refusing_constraint(session, ReportRow, {"version": 3, "replaces": 1}) == "uq_reports_replaces"


async def test_plan_has_one_ticket(tables: Database) -> None:
    async with rolled_back(tables) as session:
        await insert_dependencies(session, PlanRow)
        await insert_row(session, PlanRow)
        plan_id = (await session.execute(select(PlanRow.id))).scalar_one()
        await insert_row(session, ApprovalTicketRow, **OF_A_PLAN | {"plan_id": plan_id})
        another = OF_A_PLAN | {"id": "TKT-2", "plan_id": plan_id}
        assert await refusing_constraint(session, ApprovalTicketRow, another) == "uq_approval_tickets_plan_id"


async def test_vault_has_one_asset(tables: Database) -> None:
    asset = {"contract": "ERC20", "origin": "vault_asset"}
    async with rolled_back(tables) as session:
        await insert_row(session, TrackedContractRow, **asset)
        another = asset | {"address": address(2)}
        assert await refusing_constraint(session, TrackedContractRow, another) == "uq_tracked_contracts_asset"


@pytest.mark.parametrize(("shared", "constraint"), plan_rows.DUPLICATE_PAIRS)
async def test_signature_and_proposal_belong_to_one_plan(tables: Database, shared: dict[str, Any], constraint: str) -> None:
    async with rolled_back(tables) as session:
        await insert_dependencies(session, PlanRow)
        await insert_row(session, PlanRow, **shared)
        another = {"nonce": b"\x02" * 32} | shared | {"id": UUID(int=9), "idempotency_key": "another"}
        assert await refusing_constraint(session, PlanRow, another) == constraint


BEHIND_A_TRIGGER: list[InvalidRow] = [
    (AssetProfileRow, {"token": bytes(19)}, "ck_asset_profiles_token_length"),
    (AssetProfileRow, {"nonce": bytes(31)}, "ck_asset_profiles_nonce_length"),
    (AssetProfileRow, {"changed_by": bytes(21)}, "ck_asset_profiles_changed_by_length"),
]


@pytest.mark.parametrize("wrong", BEHIND_A_TRIGGER, ids=named)
async def test_invalid_row_is_refused_by_its_constraint_where_no_trigger_refuses_it_first(
    tables: Database, wrong: InvalidRow
) -> None:
    table, columns, constraint = wrong
    async with rolled_back(tables) as session:
        await session.execute(WITHOUT_TRIGGERS)
        assert await refusing_constraint(session, table, columns) == constraint


REFERENCES: list[InvalidRow] = [
    (RawLogRow, {}, "fk_raw_logs_block_number_blocks"),
    (ApprovalRecordRow, {}, "fk_approval_records_ticket_id_approval_tickets"),
    (IntentRow, {}, "fk_transaction_intents_wallet_wallets"),
]


@pytest.mark.parametrize("reference", REFERENCES, ids=named)
async def test_row_with_missing_reference_is_refused(tables: Database, reference: InvalidRow) -> None:
    table, columns, constraint = reference
    async with rolled_back(tables) as session:
        assert await refusing_constraint(session, table, columns) == constraint


async def test_intent_and_attempt_require_their_references(tables: Database) -> None:
    async with rolled_back(tables) as session:
        await insert_row(session, WalletRow)
        about_nothing = {"ticket_id": "TKT-9"}
        named_ticket = "fk_transaction_intents_ticket_id_approval_tickets"
        assert await refusing_constraint(session, IntentRow, about_nothing) == named_ticket
        named_intent = "fk_transaction_attempts_intent_id_transaction_intents"
        assert await refusing_constraint(session, AttemptRow, {}) == named_intent
        await insert_row(session, IntentRow)
        named_wallet = "fk_transaction_attempts_wallet_wallets"
        assert await refusing_constraint(session, AttemptRow, {"wallet": address(9)}) == named_wallet


def test_every_constraint_is_tested() -> None:
    """A table that is not in `VALID` has its own tests, beside its feature."""
    tables = [table.__table__ for table in VALID]
    declared = {
        str(constraint.name)
        for table in tables
        if isinstance(table, Table)
        for constraint in (*table.constraints, *(index for index in table.indexes if index.unique))
        if isinstance(constraint, CheckConstraint | UniqueConstraint | Index)
    }
    seen = {constraint for _, _, constraint in (*WRONG, *DUPLICATES, *BEHIND_A_TRIGGER)}
    seen |= {  # tests of their own
        "uq_notifications_ends_id",
        "uq_notifications_fallback_of_id",
        "uq_approval_tickets_plan_id",
        "uq_transaction_attempts_mined_nonce",
        "uq_raw_logs_block_hash_log_index",
        "uq_tracked_contracts_asset",
        "uq_reports_replaces",
        "uq_operator_actions_requested_of_wallet",
        *(constraint for _shared, constraint in plan_rows.DUPLICATE_PAIRS),
    }
    assert declared <= seen


async def test_amount_is_read_back_exactly_as_int(tables: Database) -> None:
    """NUMERIC through Decimal's default context would round at 28 digits."""
    async with rolled_back(tables) as session:
        session.add(ShareBalanceRow(holder=address(1), shares=UINT256_MAX, locked_shares=UINT256_MAX - 1, since=EPOCH))
        await session.flush()
        row = (await session.execute(select(ShareBalanceRow.shares, ShareBalanceRow.locked_shares))).one()
    assert tuple(row) == (UINT256_MAX, UINT256_MAX - 1)
    assert all(type(amount) is int for amount in row)
