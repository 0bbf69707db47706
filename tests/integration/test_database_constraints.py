"""Wrong values and wrong states that the tables refuse by themselves, whoever writes them."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import CheckConstraint, Index, Table, UniqueConstraint, select
from sqlalchemy.exc import IntegrityError
from tests.conftest import TEMPLATE
from tests.support import catalogue_rows, multisig_rows, plan_rows
from tests.support.rows import HASH, VALID, put, put_what_it_needs, undone
from tests.support.strategies import EPOCH, address

from paimon.domain.kernel.chain import Hash32
from paimon.domain.kernel.units import UINT256_MAX
from paimon.infrastructure.database.models.base import Base
from paimon.infrastructure.database.models.derived import (
    Block,
    ContractFlag,
    Cursor,
    FollowedContractRow,
    Holding,
    Observation,
    RangeProofRow,
    RawLog,
    RedemptionRequest,
    RoleHolder,
)
from paimon.infrastructure.database.models.ops.approval import ApprovalRecord, ApprovalTicket
from paimon.infrastructure.database.models.ops.event_listener import EndpointLie, EventProcessingHour, EventProcessingLog
from paimon.infrastructure.database.models.ops.lease import Lease
from paimon.infrastructure.database.models.ops.operator_action import DeskDeed
from paimon.infrastructure.database.models.ops.outbox import OutboxMessage
from paimon.infrastructure.database.models.ops.pending_log import UnfinalLog
from paimon.infrastructure.database.models.ops.plan import Plan
from paimon.infrastructure.database.models.ops.quarantine import RemedyRow
from paimon.infrastructure.database.models.ops.reconciliation import BookCheck
from paimon.infrastructure.database.models.ops.retention import RetentionRun
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.models.ops.transaction import TransactionAttempt, TransactionIntent, Wallet
from paimon.infrastructure.database.models.ops.user import SignInChallenge, UserRow
from paimon.infrastructure.database.sessions import Database, WriteSession, create_engine
from paimon_devkit.stack.postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration

OTHER = Hash32(b"\x02" * 32)
Wrong = tuple[type[Base], dict[str, Any], str]
"""A table, the columns that make its valid row wrong, and the constraint that must say so."""

NO_LOG: dict[str, Any] = {"block_number": None, "block_hash": None, "log_index": None}
STATES: list[Wrong] = [
    (Cursor, {"id": 2}, "ck_cursor_single_row"),
    (RawLog, {"reason": "odd"}, "ck_raw_logs_reason_when_quarantined"),
    (RawLog, {"status": "quarantined"}, "ck_raw_logs_reason_when_quarantined"),
    (RedemptionRequest, {"status": "SETTLED", "closed_at": EPOCH}, "ck_redemption_requests_amounts_when_settled"),
    (
        RedemptionRequest,
        {"status": "SETTLED", "closed_at": EPOCH, "settled_net_amount": 1},
        "ck_redemption_requests_amounts_when_settled",
    ),
    (RedemptionRequest, {"settled_net_amount": 1, "settled_fee": 0}, "ck_redemption_requests_amounts_when_settled"),
    (RedemptionRequest, {"settled_fee": 0}, "ck_redemption_requests_amounts_when_settled"),
    (RedemptionRequest, {"status": "CANCELLED"}, "ck_redemption_requests_closed_when_terminal"),
    (RedemptionRequest, {"closed_at": EPOCH}, "ck_redemption_requests_closed_when_terminal"),
    (RedemptionRequest, {"requires_approval": True}, "ck_redemption_requests_pending_needs_nobody"),
    (RedemptionRequest, {"status": "PENDING_APPROVAL"}, "ck_redemption_requests_approval_states"),
    (RedemptionRequest, {"status": "APPROVED"}, "ck_redemption_requests_approval_states"),
    (
        RedemptionRequest,
        {"status": "REJECTED", "closed_at": EPOCH, "requires_approval": True},
        "ck_redemption_requests_reason_when_rejected",
    ),
    (RedemptionRequest, {"rejection_reason": "no"}, "ck_redemption_requests_reason_when_rejected"),
    (Lease, {"epoch": -1}, "ck_leases_epoch_counts_up"),
    (RemedyRow, {"kind": "replay_reaction"}, "ck_remedies_of_a_reaction_or_a_log"),
    (RemedyRow, NO_LOG | {"outbox_id": 1}, "ck_remedies_of_a_reaction_or_a_log"),
    (RemedyRow, {"log_index": None}, "ck_remedies_names_its_log"),
    (RemedyRow, {"kind": "replay_reaction", "outbox_id": 1}, "ck_remedies_names_its_log"),
    (RemedyRow, {"signature": None}, "ck_remedies_signed_whole"),
    (RemedyRow, {"state": "done"}, "ck_remedies_dated_when_ended"),
    (RemedyRow, {"outcome": "left out"}, "ck_remedies_ends_with_an_outcome"),
    (Wallet, {"next_nonce": -1}, "ck_wallets_nonce_counts_up"),
    (Wallet, {"seen_block": 1}, "ck_wallets_seen_whole"),
    (Wallet, {"interrupted_by": "no answer"}, "ck_wallets_interrupted_by_something"),
    (TransactionIntent, {"giving_up": "failed", "giving_up_because": "w"}, "ck_transaction_intents_giving_up_known"),
    (TransactionIntent, {"giving_up": "expired"}, "ck_transaction_intents_given_up_for_a_reason"),
    (TransactionAttempt, {"channel": "private"}, "ck_transaction_attempts_private_since_a_block"),
    (DeskDeed, {"intent_id": None}, "ck_desk_deeds_about_an_intent_or_its_wallet"),
    (DeskDeed, {"outcome": "done", "ended_at": EPOCH}, "ck_desk_deeds_dated_when_ended"),
    (DeskDeed, {"outcome": "done"}, "ck_desk_deeds_ends_with_an_outcome"),
    (ApprovalTicket, {"required_approvals": 0}, "ck_approval_tickets_needs_someone"),
    (ApprovalTicket, {"deadline_at": EPOCH}, "ck_approval_tickets_sla_in_order"),
    (ApprovalTicket, {"status": "APPROVED"}, "ck_approval_tickets_decided_when_not_open"),
    (ApprovalTicket, {"decided_at": EPOCH}, "ck_approval_tickets_decided_when_not_open"),
    (ApprovalTicket, {"closed_at": EPOCH}, "ck_approval_tickets_decided_before_closed"),
    (TransactionIntent, {"status": "final"}, "ck_transaction_intents_closed_when_terminal"),
    (TransactionIntent, {"closed_at": EPOCH}, "ck_transaction_intents_closed_when_terminal"),
    (TransactionAttempt, {"status": "mined"}, "ck_transaction_attempts_mined_in_a_block"),
    (TransactionAttempt, {"status": "final"}, "ck_transaction_attempts_mined_in_a_block"),
    (OutboxMessage, {"done_at": EPOCH, "dead_at": EPOCH}, "ck_outbox_done_or_dead"),
    (RiskEventRow, {"owner_address": address(1)}, "ck_risk_events_one_owner"),
    (RiskEventRow, {"owner_role": None}, "ck_risk_events_one_owner"),
    (RiskEventRow, {"acknowledged_at": EPOCH}, "ck_risk_events_acknowledged_by_someone"),
    (RiskEventRow, {"state": "ACKNOWLEDGED"}, "ck_risk_events_dated_when_acknowledged"),
    (RiskEventRow, {"state": "RESOLVED", "resolved_block": 1}, "ck_risk_events_dated_when_resolved"),
    (RiskEventRow, {"resolved_block": 1}, "ck_risk_events_resolved_by_look_or_person"),
    (RiskEventRow, {"state": "RESOLVED", "resolved_at": EPOCH}, "ck_risk_events_resolved_by_look_or_person"),
    (RiskEventRow, {"first_seen_block": 2}, "ck_risk_events_seen_in_order"),
    (RangeProofRow, {"first_block": 3}, "ck_range_proofs_blocks_in_order"),
    (RangeProofRow, {"level": "odd"}, "ck_range_proofs_level_known"),
    (EndpointLie, {"times": 0}, "ck_endpoint_lies_happened"),
    (EndpointLie, {"lie": "odd"}, "ck_endpoint_lies_lie_known"),
    (Block, {"kept_before": 1}, "ck_blocks_kept_before_is_earlier"),
    (EventProcessingLog, {"first_block": 3}, "ck_event_processing_logs_blocks_in_order"),
    (EventProcessingLog, {"quarantined": 2}, "ck_event_processing_logs_quarantined_within_logs"),
    (EventProcessingLog, {"behind_blocks": -1}, "ck_event_processing_logs_not_ahead_of_final"),
    (EventProcessingLog, {"fetch_us": -1}, "ck_event_processing_logs_time_passes"),
    (EventProcessingHour, {"hour": EPOCH + timedelta(minutes=1)}, "ck_event_processing_hourly_begins_an_hour"),
    (EventProcessingHour, {"batches": 3}, "ck_event_processing_hourly_sums_something_up"),
    (RetentionRun, {"rows_removed": -1}, "ck_retention_runs_removes"),
    (UnfinalLog, {"event": "Deposit"}, "ck_unfinal_logs_named_with_its_arguments"),
    (UnfinalLog, {"args": {}}, "ck_unfinal_logs_named_with_its_arguments"),
]

UNKNOWN = "no such value"
VALUES: list[Wrong] = [
    (table, {column: UNKNOWN}, f"ck_{table.__tablename__}_{column}_known")
    for table, columns in {
        RawLog: ("status", "contract"),
        RedemptionRequest: ("channel", "status"),
        RoleHolder: ("contract",),
        ContractFlag: ("contract",),
        UserRow: ("role",),
        ApprovalTicket: ("type", "sla_stage"),
        ApprovalRecord: ("verdict",),
        Wallet: ("name",),
        TransactionIntent: ("kind",),
        TransactionAttempt: ("status", "channel"),
        OutboxMessage: ("priority",),
        DeskDeed: ("kind",),
        RemedyRow: ("kind",),
        RiskEventRow: ("kind", "severity", "owner_role"),
        UnfinalLog: ("contract",),
    }.items()
    for column in columns
]

VALUES += [
    (ApprovalTicket, {"status": UNKNOWN, "decided_at": EPOCH}, "ck_approval_tickets_status_known"),
    (TransactionIntent, {"status": UNKNOWN, "closed_at": EPOCH}, "ck_transaction_intents_status_known"),
    (RiskEventRow, {"state": UNKNOWN}, "ck_risk_events_state_known"),
    (DeskDeed, {"state": UNKNOWN, "outcome": "o", "ended_at": EPOCH}, "ck_desk_deeds_state_known"),
    (RemedyRow, {"state": UNKNOWN, "outcome": "o", "ended_at": EPOCH}, "ck_remedies_state_known"),
]

LENGTHS: list[Wrong] = [
    (table, {column: b"\x01" * wrong}, f"ck_{table.__tablename__}_{column}_length")
    for table, columns in {
        Cursor: ("hash",),
        Block: ("hash", "parent_hash"),
        RawLog: ("block_hash", "tx_hash", "address"),
        Observation: ("block_hash",),
        Holding: ("holder",),
        RedemptionRequest: ("owner", "receiver"),
        RoleHolder: ("role", "account"),
        UserRow: ("address",),
        SignInChallenge: ("address",),
        ApprovalTicket: ("owner", "receiver"),
        ApprovalRecord: ("nonce", "voter"),
        Wallet: ("address",),
        TransactionIntent: ("payload_hash", "wallet", "to_address"),
        TransactionAttempt: ("hash", "wallet"),
        BookCheck: ("block_hash",),
        DeskDeed: ("nonce", "asked_by"),
        UnfinalLog: ("block_hash", "tx_hash", "address"),
        RemedyRow: ("asked_by", "block_hash", "nonce"),
    }.items()
    for column in columns
    for wrong in (0, 33)
]

_PEOPLE: dict[str, dict[str, Any]] = {
    "owner_address": {"owner_role": None},
    "acknowledged_by": {"acknowledged_at": EPOCH},
    "resolved_by": {"state": "RESOLVED", "resolved_at": EPOCH},
}
LENGTHS += [
    (RiskEventRow, others | {column: b"\x01" * wrong}, f"ck_risk_events_{column}_length")
    for column, others in _PEOPLE.items()
    for wrong in (0, 33)
]

AMOUNTS: list[Wrong] = [
    (table, {column: wrong}, f"ck_{table.__tablename__}_{column}_uint256")
    for table, columns in {
        Holding: ("shares", "locked_shares"),
        RedemptionRequest: ("request_id", "shares", "gross_amount", "estimated_fee", "window_id"),
        ApprovalTicket: ("request_id", "gross_amount"),
        TransactionIntent: ("value_wei", "request_id"),
        TransactionAttempt: ("max_fee_wei", "priority_fee_wei"),
    }.items()
    for column in columns
    for wrong in (-1, UINT256_MAX + 1)
]
SEEN = {"seen_at": EPOCH, "seen_block": 1, "used_at_latest": 0, "used_at_final": 0}
AMOUNTS += [(Wallet, SEEN | {"balance_wei": wrong}, "ck_wallets_balance_wei_uint256") for wrong in (-1, UINT256_MAX + 1)]
SETTLED = {"status": "SETTLED", "closed_at": EPOCH, "settled_fee": 0, "settled_net_amount": 0}
AMOUNTS += [
    (RedemptionRequest, SETTLED | {column: wrong}, f"ck_redemption_requests_{column}_uint256")
    for column in ("settled_fee", "settled_net_amount")
    for wrong in (-1, UINT256_MAX + 1)
]

# A second row that differs only in the columns given.
TWICE: list[Wrong] = [
    (RiskEventRow, {"observed": "3"}, "uq_risk_events_unresolved"),
    (Cursor, {}, "pk_cursor"),
    (Block, {"hash": OTHER}, "pk_blocks"),
    (Block, {"number": 2}, "uq_blocks_hash"),
    (RawLog, {"block_hash": OTHER}, "pk_raw_logs"),
    (Observation, {}, "uq_observations_kind_subject_block_hash"),
    (Holding, {"shares": 2}, "pk_holdings"),
    (RangeProofRow, {"first_block": 2, "last_block": 3}, "ex_range_proofs_blocks"),
    (EndpointLie, {"times": 2}, "pk_endpoint_lies"),
    (RedemptionRequest, {"owner": address(2)}, "pk_redemption_requests"),
    (RoleHolder, {}, "pk_role_holders"),
    (ContractFlag, {"enabled": False}, "pk_contract_flags"),
    (Lease, {"owner": "another"}, "pk_leases"),
    (UserRow, {"role": "admin"}, "pk_users"),
    (SignInChallenge, {"address": address(2)}, "pk_sign_in_challenges"),
    (ApprovalTicket, {"id": "TKT-2"}, "uq_approval_tickets_request_id"),
    (ApprovalRecord, {"nonce": OTHER}, "uq_approval_records_ticket_id_voter"),
    (ApprovalRecord, {"voter": address(3)}, "pk_approval_records"),
    (Wallet, {"next_nonce": 5}, "pk_wallets"),
    (TransactionIntent, {"id": UUID(int=2)}, "uq_transaction_intents_idempotency_key"),
    (TransactionAttempt, {"hash": OTHER, "nonce": 1}, "uq_transaction_attempts_unacknowledged"),
    (DeskDeed, {"nonce": OTHER}, "uq_desk_deeds_asked_of_intent"),
    (UnfinalLog, {"block_number": 2}, "pk_unfinal_logs"),
    (RemedyRow, {"kind": "release_log", "nonce": OTHER}, "uq_remedies_asked_of_log"),
    (RemedyRow, {"block_hash": OTHER}, "uq_remedies_nonce"),
]
IN_A_BLOCK = {"block_hash": HASH, "block_number": 1}


TWICE += [*catalogue_rows.TWICE, *multisig_rows.TWICE, *plan_rows.TWICE]
WRONG: list[Wrong] = [*STATES, *VALUES, *LENGTHS, *AMOUNTS]
for more in (catalogue_rows, multisig_rows, plan_rows):
    WRONG += [*more.STATES, *more.VALUES, *more.LENGTHS, *more.AMOUNTS]


def named(wrong: Wrong) -> str:
    columns = "-".join(f"{column}={str(value)[:12]}" for column, value in wrong[1].items())
    return f"{wrong[2]}({columns})"


@pytest.fixture(scope="module")
async def tables(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """One database for all of this module: every row put into it is rolled back."""
    name = "paimon_constraints"
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER paimon_owner")
    url = postgres.url("paimon_app", name)
    opened = Database(create_engine(url, pool_size=2, connect_timeout_seconds=5, application_name="tests"))
    yield opened
    await opened.close()
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def refusal_of(session: WriteSession, table: type[Base], columns: dict[str, Any]) -> str | None:
    """The name of the constraint that refuses this row."""
    with pytest.raises(IntegrityError) as refusal:
        async with session.begin_nested():
            await put(session, table, **columns)
    assert isinstance(refusal.value.orig, psycopg.Error)
    return refusal.value.orig.diag.constraint_name


@pytest.mark.parametrize("table", VALID, ids=lambda table: table.__tablename__)
async def test_a_valid_row_is_taken(tables: Database, table: type[Base]) -> None:
    """Without this, a row that is wrong for another reason would pass all tests below."""
    async with undone(tables) as session:
        await put_what_it_needs(session, table)
        await put(session, table)


@pytest.mark.parametrize("wrong", WRONG, ids=named)
async def test_a_wrong_value_or_state_is_refused_by_the_constraint_that_names_it(tables: Database, wrong: Wrong) -> None:
    table, columns, constraint = wrong
    async with undone(tables) as session:
        await put_what_it_needs(session, table)
        assert await refusal_of(session, table, columns) == constraint


@pytest.mark.parametrize("twice", TWICE, ids=named)
async def test_a_second_row_about_the_same_thing_is_refused(tables: Database, twice: Wrong) -> None:
    table, columns, constraint = twice
    async with undone(tables) as session:
        await put_what_it_needs(session, table)
        await put(session, table)
        assert await refusal_of(session, table, columns) == constraint


@pytest.mark.parametrize("status", ["mined", "final"])
async def test_only_one_attempt_of_a_nonce_counts(tables: Database, status: str) -> None:
    async with undone(tables) as session:
        await put_what_it_needs(session, TransactionAttempt)
        await put(session, TransactionAttempt, status=status, **IN_A_BLOCK)
        await put(session, TransactionAttempt, hash=OTHER, status="replaced")
        another = {"hash": Hash32(b"\x03" * 32), "status": "mined", **IN_A_BLOCK}
        assert await refusal_of(session, TransactionAttempt, another) == "uq_transaction_attempts_mined_nonce"
        await put(session, TransactionAttempt, **another | {"nonce": 1})


async def test_a_log_is_recorded_once_whatever_number_its_block_is_given(tables: Database) -> None:
    async with undone(tables) as session:
        await put_what_it_needs(session, RawLog)
        await put(session, RawLog)
        await put(session, Block, number=2, hash=OTHER)
        assert await refusal_of(session, RawLog, {"block_number": 2}) == "uq_raw_logs_block_hash_log_index"


async def test_a_vault_has_one_asset(tables: Database) -> None:
    asset = {"contract": "ERC20", "origin": "vault_asset"}
    async with undone(tables) as session:
        await put(session, FollowedContractRow, **asset)
        another = asset | {"address": address(2)}
        assert await refusal_of(session, FollowedContractRow, another) == "uq_followed_contracts_asset"


@pytest.mark.parametrize(("shared", "constraint"), plan_rows.TWICE_MORE)
async def test_a_signature_and_a_proposal_are_one_plans(tables: Database, shared: dict[str, Any], constraint: str) -> None:
    async with undone(tables) as session:
        await put_what_it_needs(session, Plan)
        await put(session, Plan, **shared)
        another = {"id": UUID(int=9), "idempotency_key": "another"}
        assert await refusal_of(session, Plan, shared | another) == constraint


REFERENCES: list[Wrong] = [
    (RawLog, {}, "fk_raw_logs_block_number_blocks"),
    (ApprovalRecord, {}, "fk_approval_records_ticket_id_approval_tickets"),
    (TransactionIntent, {}, "fk_transaction_intents_wallet_wallets"),
]


@pytest.mark.parametrize("reference", REFERENCES, ids=named)
async def test_a_row_about_nothing_is_refused(tables: Database, reference: Wrong) -> None:
    table, columns, constraint = reference
    async with undone(tables) as session:
        assert await refusal_of(session, table, columns) == constraint


async def test_an_intent_of_no_ticket_and_an_attempt_of_no_intent_are_refused(tables: Database) -> None:
    async with undone(tables) as session:
        await put(session, Wallet)
        about_nothing = {"ticket_id": "TKT-9"}
        named_ticket = "fk_transaction_intents_ticket_id_approval_tickets"
        assert await refusal_of(session, TransactionIntent, about_nothing) == named_ticket
        named_intent = "fk_transaction_attempts_intent_id_transaction_intents"
        assert await refusal_of(session, TransactionAttempt, {}) == named_intent
        await put(session, TransactionIntent)
        named_wallet = "fk_transaction_attempts_wallet_wallets"
        assert await refusal_of(session, TransactionAttempt, {"wallet": address(9)}) == named_wallet


def test_every_check_and_unique_of_these_tables_is_seen_to_refuse_something() -> None:
    """A table that is not in `VALID` has tests of its own, beside what it is for."""
    tables = [table.__table__ for table in VALID]
    declared = {
        str(constraint.name)
        for table in tables
        if isinstance(table, Table)
        for constraint in (*table.constraints, *(index for index in table.indexes if index.unique))
        if isinstance(constraint, CheckConstraint | UniqueConstraint | Index)
    }
    seen = {constraint for _, _, constraint in (*WRONG, *TWICE)}
    seen |= {  # tests of their own
        "uq_transaction_attempts_mined_nonce",
        "uq_raw_logs_block_hash_log_index",
        "uq_followed_contracts_asset",
        "uq_desk_deeds_asked_of_wallet",
        *(constraint for _shared, constraint in plan_rows.TWICE_MORE),
    }
    assert declared <= seen


async def test_an_amount_comes_back_exactly_as_an_int(tables: Database) -> None:
    """NUMERIC through Decimal's default context would round at 28 digits."""
    async with undone(tables) as session:
        session.add(Holding(holder=address(1), shares=UINT256_MAX, locked_shares=UINT256_MAX - 1, since=EPOCH))
        await session.flush()
        row = (await session.execute(select(Holding.shares, Holding.locked_shares))).one()
    assert tuple(row) == (UINT256_MAX, UINT256_MAX - 1)
    assert all(type(each) is int for each in row)
