"""The rights table: what each role may do with each table, function and sequence. What is not here, no role may do.

A new table gets its row here in the change that creates it; a test compares this table with a migrated database. A privilege
with columns covers these columns only. `SELECT … FOR UPDATE` needs UPDATE on one column: where a process only locks a row,
the column is the one whose change does least.
"""

from collections.abc import Mapping
from typing import Final

from paimon.infrastructure.database.rights.privileges import Privileges
from paimon.infrastructure.database.rights.roles import DatabaseRole

_API, _LISTENER, _WORKER = DatabaseRole.API, DatabaseRole.LISTENER, DatabaseRole.WORKER
_SCHEDULER, _PLANNER, _AUDITOR = DatabaseRole.SCHEDULER, DatabaseRole.PLANNER, DatabaseRole.AUDITOR
_CLI = DatabaseRole.CLI

_READERS: Final = (_API, _LISTENER, _WORKER, _PLANNER, _AUDITOR, _CLI)
_OPS_READERS: Final = (_API, _WORKER, _AUDITOR, _CLI)
_METRICS_READERS: Final = (*_OPS_READERS, _LISTENER, _SCHEDULER)
"""API, listener, scheduler and workers serve the metrics of the whole system; `paimon audit` and `paimon status` read them."""

Cells = Mapping[DatabaseRole, str]


def _row(readers: tuple[DatabaseRole, ...], writers: Cells | None = None) -> dict[DatabaseRole, Privileges]:
    """Return a row: SELECT for the readers, and the writers' cells as they are."""
    cells = {**dict.fromkeys(readers, "SELECT"), **(writers or {})}
    return {role: Privileges.parse(cells[role]) for role in DatabaseRole if role in cells}


_PROJECTED: Final[Cells] = {_LISTENER: "SELECT, INSERT, UPDATE", _WORKER: "SELECT, INSERT, UPDATE, DELETE"}
"""The listener projects. The worker applies decisions about quarantined logs, which rebuilds the projections."""

_DECISION_APPLIED: Final = "UPDATE (status, outcome, ended_at)"
_OUTBOX_AGAIN: Final = "UPDATE (available_at, enqueued_at, attempts, dead_lettered_at)"
_GRANT_ADDED: Final = (
    "SELECT, INSERT (address, role, name, sequence, previous, granted, denied, granted_by, nonce, typed_data, signature,"
    " expires_at)"
)
"""The time is the database's, so that a check refuses a grant whose signature has expired."""
_TRIAGED: Final = "UPDATE (status, owner_role, owner_address, acknowledged_at, acknowledged_by, resolved_at, resolved_by, note)"
"""What people do with a risk event. What was found is the checks' own."""
_EMERGENCY_DECIDED: Final = "UPDATE (state, state_since, steps, ended_at, end_reason, end_evidence)"
_EMERGENCY_ADVANCED: Final = "UPDATE (state, state_since, critical_since, steps, ended_at, end_reason, end_evidence)"
"""Which level was answered is the worker's to say. Of the others, `follow_decision` asks for what a person signed."""
_REBALANCE_SUBMITTED: Final = "UPDATE (status, plan_id, closed_at, close_reason)"
_TICKET_DECIDED: Final = "UPDATE (status, decided_at, closed_at, decided_externally, void_reason)"

TABLES: Final[Mapping[str, Mapping[DatabaseRole, Privileges]]] = {
    # What was read from the chain
    "derived.cursor": _row(
        (*_READERS, _SCHEDULER),
        {_LISTENER: "SELECT, INSERT, UPDATE", _WORKER: "SELECT, UPDATE (timestamp)", _CLI: "SELECT, UPDATE (timestamp)"},
    ),
    "derived.blocks": _row(
        (*_READERS, _SCHEDULER),
        {
            _LISTENER: "SELECT, INSERT, UPDATE, DELETE",
            _WORKER: "SELECT, UPDATE (recorded_at)",
            _CLI: "SELECT, UPDATE (recorded_at)",
        },
    ),
    "derived.raw_logs": _row(
        (*_READERS, _SCHEDULER),
        {
            _LISTENER: "SELECT, INSERT",
            _WORKER: "SELECT, UPDATE (contract, event, args, request_id, status, reason)",
            _API: "SELECT, UPDATE (reason)",
            _CLI: "SELECT, UPDATE (reason)",
        },
    ),
    "derived.observations": _row(_READERS, {_WORKER: "SELECT, INSERT, DELETE", _CLI: "SELECT, INSERT, DELETE"}),
    "derived.tracked_contracts": _row(_READERS, {_LISTENER: "SELECT, INSERT"}),
    "derived.range_proofs": _row(_READERS, {_LISTENER: "SELECT, INSERT, UPDATE", _CLI: "SELECT, INSERT, DELETE"}),
    "derived.daily_snapshots": _row(_READERS, {_WORKER: "SELECT, INSERT", _CLI: "SELECT, INSERT"}),
    "derived.asset_holdings_snapshots": _row(_READERS, {_WORKER: "SELECT, INSERT", _CLI: "SELECT, INSERT"}),
    # Projections
    "derived.share_balances": _row(_READERS, _PROJECTED),
    "derived.redemption_requests": _row(_READERS, _PROJECTED),
    "derived.deposits": _row(_READERS, _PROJECTED),
    "derived.role_holders": _row(_READERS, {**_PROJECTED, _LISTENER: "SELECT, INSERT, UPDATE, DELETE"}),
    "derived.role_changes": _row(_READERS, _PROJECTED),
    "derived.contract_flags": _row(_READERS, _PROJECTED),
    "derived.protocol_addresses": _row(_READERS, _PROJECTED),
    "derived.liquidity_alerts": _row(_READERS, _PROJECTED),
    "derived.asset_configs": _row(_READERS, _PROJECTED),
    "derived.tier_configs": _row(_READERS, _PROJECTED),
    "derived.trades": _row(_READERS, _PROJECTED),
    "derived.otc_orders": _row(_READERS, _PROJECTED),
    "derived.token_transfers": _row(_READERS, _PROJECTED),
    "derived.token_flows": _row(_READERS, _PROJECTED),
    "derived.fee_accounts": _row(_READERS, _PROJECTED),
    "derived.fee_entries": _row(_READERS, _PROJECTED),
    "derived.transactions": _row(_READERS, _PROJECTED),
    # People and approvals
    "ops.user_grants": _row((*_OPS_READERS, _PLANNER), dict.fromkeys((_API, _CLI), _GRANT_ADDED)),
    "ops.first_super_admins": _row((*_OPS_READERS, _PLANNER)),
    "ops.signed_actions": _row(_OPS_READERS, dict.fromkeys((_API, _CLI, _PLANNER), "SELECT, INSERT")),
    "ops.subject_keys": _row(
        (),
        {
            _API: "SELECT, INSERT (address, wrapped_by, wrapped_key), UPDATE (wrapped_key, wrapped_by, erased_at, erased_by)",
            _CLI: "SELECT, UPDATE (wrapped_key, wrapped_by, erased_at, erased_by)",
        },
    ),
    "ops.stand_ins": _row(
        (_WORKER, _AUDITOR),
        dict.fromkeys(
            (_API, _CLI), "SELECT, INSERT (person, stand_in, starts_at, ends_at, reason, nonce), UPDATE (ended_at, ended_by)"
        ),
    ),
    "ops.asset_profiles": _row(
        (_WORKER, _PLANNER, _AUDITOR),
        dict.fromkeys(
            (_API, _CLI),
            "SELECT, INSERT (token, version, counterparty, days_to_cash, cost_bps, reason, changed_by, nonce)",
        ),
    ),
    "ops.sign_in_challenges": _row((), {_API: "SELECT, INSERT, UPDATE, DELETE"}),
    "ops.sessions": _row((_AUDITOR,), {_API: "SELECT, INSERT, UPDATE, DELETE", _CLI: "SELECT, UPDATE (ended_at, end_reason)"}),
    "ops.api_keys": _row(
        (_AUDITOR,),
        {
            _API: "SELECT, INSERT, UPDATE (last_used_at, last_used_from, revoked_at)",
            _CLI: "SELECT, UPDATE (revoked_at)",
        },
    ),
    "ops.refresh_tokens": _row((), {_API: "SELECT, INSERT, UPDATE (used_at)"}),
    "ops.approval_tickets": _row(
        _METRICS_READERS,
        {
            _API: f"SELECT, INSERT, {_TICKET_DECIDED}",
            _WORKER: "SELECT, INSERT, UPDATE",
            _PLANNER: "SELECT, INSERT",
            _CLI: "SELECT, INSERT",
        },
    ),
    "ops.approval_policies": _row(_OPS_READERS, {_API: "SELECT, INSERT", _CLI: "SELECT, INSERT", _PLANNER: "SELECT"}),
    "ops.approval_policy_drafts": _row((_AUDITOR,), {_API: "SELECT, INSERT, UPDATE, DELETE", _CLI: "SELECT, DELETE"}),
    "ops.approval_records": _row(_OPS_READERS, {_API: "SELECT, INSERT"}),
    "ops.invalid_votes": _row(_METRICS_READERS, {_WORKER: "SELECT, INSERT"}),
    # Sending
    "ops.wallets": _row(
        _METRICS_READERS,
        {
            _API: "SELECT, INSERT",
            _WORKER: "SELECT, INSERT, UPDATE",
            _PLANNER: "SELECT, INSERT",
            _CLI: "SELECT, INSERT",
        },
    ),
    "ops.transaction_intents": _row(
        _METRICS_READERS,
        {
            _API: "SELECT, INSERT",
            _WORKER: (
                "SELECT, INSERT, UPDATE (status, unfunded, reason, next_check_at, unknown_since, aborting_as,"
                " abort_reason, closed_at)"
            ),
            _PLANNER: "SELECT, INSERT",
            _CLI: "SELECT, INSERT",
        },
    ),
    "ops.transaction_attempts": _row(
        _OPS_READERS,
        {
            _WORKER: (
                "SELECT, INSERT, UPDATE (status, channel, answer, broadcast_at, block_number, block_hash, succeeded, gas_used)"
            ),
            _PLANNER: "SELECT",
        },
    ),
    "ops.operator_actions": _row(
        _OPS_READERS, {_API: "SELECT, INSERT", _CLI: "SELECT, INSERT", _WORKER: f"SELECT, {_DECISION_APPLIED}"}
    ),
    "ops.plans": _row(_OPS_READERS, {_API: "SELECT, INSERT", _PLANNER: "SELECT, INSERT", _CLI: "SELECT, INSERT"}),
    "ops.plan_calls": _row(_OPS_READERS, {_API: "SELECT, INSERT", _PLANNER: "SELECT, INSERT", _CLI: "SELECT, INSERT"}),
    "ops.rebalance_history": _row(
        _OPS_READERS,
        {
            **dict.fromkeys((_API, _CLI), f"SELECT, INSERT, {_REBALANCE_SUBMITTED}"),
            _PLANNER: "SELECT, INSERT, UPDATE (status, plan_id, closed_at, close_reason, outcome)",
        },
    ),
    "ops.rebalance_triggers": _row(_OPS_READERS, {_PLANNER: "SELECT, INSERT, UPDATE"}),
    "ops.safes": _row(_OPS_READERS, dict.fromkeys((_API, _WORKER, _PLANNER, _CLI), "SELECT, INSERT, UPDATE")),
    "ops.safe_proposals": _row(
        _OPS_READERS,
        {
            **dict.fromkeys(
                (_API, _PLANNER, _CLI), "SELECT, INSERT, UPDATE (expires_at, outcome, executed_tx_hash, closed_at)"
            ),
            _WORKER: "SELECT, UPDATE (expires_at, outcome, executed_tx_hash, closed_at)",
        },
    ),
    "ops.safe_signatures": _row(
        (*_OPS_READERS, _PLANNER),
        dict.fromkeys((_API, _CLI), "SELECT, INSERT, UPDATE (signature, is_contract_signature, submitted_by, signed_at)"),
    ),
    # Operations
    "ops.leases": _row(
        _OPS_READERS,
        dict.fromkeys((_LISTENER, _SCHEDULER, _PLANNER, _AUDITOR), "SELECT, INSERT, UPDATE"),
    ),
    "ops.signer_leases": _row(_METRICS_READERS, {DatabaseRole.SIGNER: "SELECT, INSERT, UPDATE"}),
    "ops.outbox": _row(
        _METRICS_READERS,
        {
            _API: f"SELECT, INSERT, {_OUTBOX_AGAIN}",
            _CLI: f"SELECT, INSERT, {_OUTBOX_AGAIN}",
            _LISTENER: "SELECT, INSERT",
            _PLANNER: "SELECT, INSERT",
            _WORKER: ("SELECT, INSERT, UPDATE (available_at, enqueued_at, attempts, last_error, done_at, dead_lettered_at)"),
        },
    ),
    "ops.operator_decisions": _row(
        (*_OPS_READERS, _LISTENER),
        {
            _API: f"SELECT, INSERT, {_DECISION_APPLIED}",
            _CLI: f"SELECT, INSERT, {_DECISION_APPLIED}",
            _WORKER: f"SELECT, {_DECISION_APPLIED}",
        },
    ),
    "ops.risk_events": _row(
        (*_METRICS_READERS, _PLANNER),
        {
            _API: f"SELECT, {_TRIAGED}",
            **dict.fromkeys((_LISTENER, _WORKER, _CLI), "SELECT, INSERT, UPDATE"),
        },
    ),
    "ops.emergencies": _row(
        _OPS_READERS,
        {
            _API: f"SELECT, INSERT, {_EMERGENCY_DECIDED}",
            _CLI: f"SELECT, INSERT, {_EMERGENCY_DECIDED}",
            _WORKER: f"SELECT, INSERT, {_EMERGENCY_ADVANCED}",
        },
    ),
    "ops.emergency_timeline": _row(_OPS_READERS, dict.fromkeys((_API, _CLI, _WORKER), "SELECT, INSERT")),
    "ops.risk_policies": _row(_OPS_READERS, {_WORKER: "SELECT, INSERT"}),
    "ops.risk_assessment": _row(_METRICS_READERS, {_WORKER: "SELECT, INSERT, UPDATE"}),
    "ops.liquidity_forecasts": _row((*_OPS_READERS, _PLANNER), {_WORKER: "SELECT, INSERT, UPDATE"}),
    "ops.risk_metrics_series": _row(_OPS_READERS, {_WORKER: "SELECT, INSERT"}),
    "ops.risk_metrics_hourly": _row(_OPS_READERS, {_WORKER: "SELECT, INSERT, UPDATE"}),
    "ops.price_observations": _row((*_OPS_READERS, _PLANNER), dict.fromkeys((_WORKER, _CLI), "SELECT, INSERT")),
    "ops.price_judgements": _row((*_METRICS_READERS, _PLANNER), dict.fromkeys((_WORKER, _CLI), "SELECT, INSERT")),
    "ops.contract_facts": _row(
        (*_METRICS_READERS, _PLANNER),
        dict.fromkeys((_WORKER, _CLI), "SELECT, INSERT, UPDATE (last_block_number, last_block_hash, last_block_timestamp)"),
    ),
    "ops.acknowledgement_links": _row(_OPS_READERS, {_API: "SELECT, INSERT, UPDATE (used_at)"}),
    "ops.routed_events": _row(_OPS_READERS, {_WORKER: "SELECT, INSERT, UPDATE"}),
    "ops.notification_events": _row(_OPS_READERS, {_WORKER: "SELECT, INSERT, UPDATE (dropped, message_id)"}),
    "ops.notifications": _row(
        _METRICS_READERS,
        {
            _API: "SELECT, INSERT, UPDATE (status, created_at, due_at, attempts)",
            _CLI: "SELECT, INSERT",
            _WORKER: ("SELECT, INSERT, UPDATE (status, attempts, due_at, claimed_at, sent_at, ended_at, receipt, last_error)"),
        },
    ),
    "ops.notification_preferences": _row(_OPS_READERS, {_API: "SELECT, INSERT, UPDATE"}),
    "ops.reconciliations": _row((*_METRICS_READERS, _PLANNER), {_WORKER: "SELECT, INSERT", _CLI: "SELECT, INSERT"}),
    "ops.nav_points": _row(
        (*_OPS_READERS, _PLANNER),
        dict.fromkeys((_WORKER, _CLI), "SELECT, INSERT, UPDATE (status, reconciliation_id, decided_at, published_at)"),
    ),
    "ops.reports": _row(_OPS_READERS, dict.fromkeys((_WORKER, _CLI), "SELECT, INSERT")),
    "ops.pending_logs": _row(_OPS_READERS, {_LISTENER: "SELECT, INSERT, DELETE"}),
    "ops.endpoint_faults": _row(_OPS_READERS, dict.fromkeys((_LISTENER, _CLI), "SELECT, INSERT, UPDATE")),
    "ops.event_processing_logs": _row(_OPS_READERS, {_LISTENER: "SELECT, INSERT"}),
    "ops.event_processing_hourly": _row(_OPS_READERS, {_LISTENER: "SELECT, INSERT, UPDATE"}),
    "ops.signer_checks": _row(_OPS_READERS, {_WORKER: "SELECT, INSERT, UPDATE"}),
    "ops.audit_entries": _row((_API, _WORKER, _CLI), {_AUDITOR: "SELECT, UPDATE (position, leaf, sealed_at)"}),
    "ops.audit_subtrees": _row((_API, _WORKER, _CLI), {_AUDITOR: "SELECT, INSERT"}),
    "ops.audit_roots": _row(_METRICS_READERS, {_AUDITOR: "SELECT, INSERT"}),
    "ops.audit_day_roots": _row(_METRICS_READERS, {_AUDITOR: "SELECT, INSERT"}),
    "ops.retention_runs": _row(_OPS_READERS, {DatabaseRole.RETENTION: "SELECT, INSERT, UPDATE"}),
    "public.alembic_version": _row((*_READERS, _SCHEDULER)),
}
"""By table and role. A table without a row of its own fails the test of this table."""

SEQUENCES: Final[Mapping[str, tuple[DatabaseRole, ...]]] = {"derived.observations_id_seq": (_WORKER, _CLI)}
"""USAGE by sequence. The sequence of an identity column needs no right of its own."""

FUNCTIONS: Final[Mapping[str, tuple[DatabaseRole, ...]]] = {
    "ops.remove_expired(text, timestamptz, integer)": (DatabaseRole.RETENTION,),
    "ops.remove_audit_payloads(text, timestamptz, integer)": (DatabaseRole.RETENTION,),
    "ops.record_audit(text, text, bytea, text, jsonb)": (_API,),
}
"""EXECUTE by function. PostgreSQL lets every role call a new function; `apply` takes that back."""

TEMPORARY_TABLES: Final = (_WORKER,)
"""The roles that may create temporary tables, in which the projections are rebuilt."""

SCHEMAS: Final = ("derived", "ops")
"""The schemas whose tables, sequences and functions the rights cover; each role may use them, and create nothing in them."""


def roles_of(table: str) -> Mapping[DatabaseRole, Privileges]:
    """Return the roles that have rights on a table, with their privileges."""
    return TABLES[table]


def privileges_of(role: DatabaseRole) -> dict[str, Privileges]:
    """Return a role's privileges by table."""
    return {table: row[role] for table, row in TABLES.items() if role in row}
