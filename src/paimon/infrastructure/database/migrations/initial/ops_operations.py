"""Tables of leases, outbox, reconciliations, NAV points, risk events, operator decisions and the listener's work."""

from paimon.infrastructure.database.migrations.initial.table_builder import (
    NOW,
    address,
    bigint,
    boolean,
    bytea,
    check,
    create_table,
    foreign_key,
    hash32,
    identity,
    in_values,
    index,
    instant,
    integer,
    jsonb,
    primary_key,
    text,
    uint256,
    unique_index,
)


def create_tables() -> None:
    _create_leases()
    _create_outbox()
    _create_reconciliations()
    _create_nav_points()
    _create_risk_events()
    _create_operator_decisions()
    _create_pending_logs()
    _create_endpoint_faults()
    _create_event_processing_logs()
    _create_event_processing_hourly()
    _create_retention_runs()
    _create_signer_checks()


def _create_leases() -> None:
    create_table(
        "ops.leases",
        text("name"),
        text("owner"),
        bigint("epoch"),
        instant("expires_at"),
        primary_key("name"),
        check("epoch_not_negative", "epoch >= 0"),
    )


def _create_outbox() -> None:
    create_table(
        "ops.outbox",
        identity("id"),
        text("kind"),
        text("aggregate_id"),
        jsonb("payload"),
        in_values("priority", "critical", "high", "normal", "chain", "reports"),
        text("correlation_id", null=True),
        instant("created_at", default=NOW),
        instant("available_at", default=NOW),
        instant("enqueued_at", null=True),
        integer("attempts", default="0"),
        text("last_error", null=True),
        instant("done_at", null=True),
        instant("dead_lettered_at", null=True),
        primary_key("id"),
        check("done_or_dead_lettered", "done_at IS NULL OR dead_lettered_at IS NULL"),
        index("dead_lettered", "dead_lettered_at", where="dead_lettered_at IS NOT NULL"),
        index("due", "available_at", where="done_at IS NULL AND dead_lettered_at IS NULL"),
    )


def _create_reconciliations() -> None:
    create_table(
        "ops.reconciliations",
        identity("id"),
        bigint("block_number"),
        hash32("block_hash"),
        integer("figures_compared"),
        jsonb("discrepancies"),
        instant("checked_at", default=NOW),
        boolean("orphaned", default="false"),
        primary_key("id"),
    )


def _create_nav_points() -> None:
    create_table(
        "ops.nav_points",
        bigint("block_number"),
        hash32("block_hash"),
        instant("time"),
        uint256("net_assets"),
        uint256("effective_supply"),
        uint256("nav_per_share"),
        in_values("status", "PUBLISHED", "WITHHELD", "ORPHANED"),
        text("withheld_reason", null=True),
        bigint("reconciliation_id"),
        instant("decided_at", default=NOW),
        instant("published_at", null=True),
        primary_key("block_number", "block_hash"),
        foreign_key("reconciliation_id", "ops.reconciliations.id"),
        check("published_at_unless_withheld", "(status = 'WITHHELD') = (published_at IS NULL)"),
        check("reason_when_withheld", "status <> 'WITHHELD' OR withheld_reason IS NOT NULL"),
        index("time", "time"),
        index("withheld", "block_number", where="status = 'WITHHELD'"),
    )


def _create_risk_events() -> None:
    create_table(
        "ops.risk_events",
        identity("id"),
        in_values(
            "kind",
            "RECONCILIATION_BREAK",
            "NAV_UNEXPLAINED",
            "LOW_GAS",
            "FINALITY_LAG",
            "FINAL_BLOCK_CHANGED",
            "ORPHANED_EFFECT",
            "CHAIN_BEHIND",
            "EFFECT_UNKNOWN",
        ),
        text("subject"),
        text("observed"),
        text("expected"),
        in_values("severity", "WARNING", "CRITICAL"),
        in_values("status", "OPEN", "ACKNOWLEDGED", "RESOLVED"),
        in_values("owner_role", "viewer", "operator", "admin", "super_admin", null=True),
        address("owner_address", null=True),
        instant("first_seen_at"),
        bigint("first_seen_block"),
        instant("last_seen_at"),
        bigint("last_seen_block"),
        instant("acknowledged_at", null=True),
        address("acknowledged_by", null=True),
        instant("resolved_at", null=True),
        bigint("resolved_block", null=True),
        address("resolved_by", null=True),
        text("note", null=True),
        primary_key("id"),
        check("acknowledged_by_with_time", "(acknowledged_at IS NULL) = (acknowledged_by IS NULL)"),
        check("acknowledged_at_when_acknowledged", "status <> 'ACKNOWLEDGED' OR acknowledged_at IS NOT NULL"),
        check("resolved_at_when_resolved", "(status = 'RESOLVED') = (resolved_at IS NOT NULL)"),
        check("one_owner", "num_nonnulls(owner_role, owner_address) = 1"),
        check(
            "resolved_by_check_or_person",
            "num_nonnulls(resolved_block, resolved_by) = CASE WHEN resolved_at IS NULL THEN 0 ELSE 1 END",
        ),
        check("seen_in_order", "first_seen_block <= last_seen_block"),
        index("first_seen_at", "first_seen_at", "id"),
        index("subject", "kind", "subject"),
        unique_index("unresolved", "kind", "subject", where="status <> 'RESOLVED'"),
    )


def _create_operator_decisions() -> None:
    create_table(
        "ops.operator_decisions",
        identity("id"),
        in_values("kind", "replay_message", "release_log", "skip_log"),
        bigint("outbox_id", null=True),
        bigint("block_number", null=True),
        hash32("block_hash", null=True),
        integer("log_index", null=True),
        text("problem"),
        text("reason"),
        address("requested_by"),
        instant("requested_at", default=NOW),
        hash32("nonce", null=True),
        jsonb("typed_data", null=True),
        bytea("signature", null=True),
        instant("expires_at", null=True),
        in_values("status", "REQUESTED", "DONE", default="REQUESTED"),
        text("outcome", null=True),
        instant("ended_at", null=True),
        primary_key("id"),
        check("ended_at_unless_requested", "(status = 'REQUESTED') = (ended_at IS NULL)"),
        check("outcome_when_ended", "(ended_at IS NULL) = (outcome IS NULL)"),
        check(
            "log_key_complete",
            "num_nonnulls(block_number, block_hash, log_index) = CASE WHEN outbox_id IS NULL THEN 3 ELSE 0 END",
        ),
        check("target_is_outbox_message_or_log", "(kind = 'replay_message') = (outbox_id IS NOT NULL)"),
        check("signed_action_complete", "num_nonnulls(nonce, typed_data, signature, expires_at) IN (0, 4)"),
        index("log", "block_hash", "log_index", where="block_hash IS NOT NULL"),
        index("outbox", "outbox_id", where="outbox_id IS NOT NULL"),
        unique_index("requested_of_log", "block_hash", "log_index", where="status = 'REQUESTED'"),
        unique_index("nonce", "nonce"),
    )


def _create_pending_logs() -> None:
    create_table(
        "ops.pending_logs",
        hash32("block_hash"),
        integer("log_index"),
        bigint("block_number"),
        instant("block_timestamp"),
        hash32("tx_hash"),
        address("address"),
        in_values("contract", "Vault", "RedemptionManager", "AssetController", "OTCManager", "ERC20"),
        text("event", null=True),
        jsonb("args", null=True),
        instant("seen_at", default=NOW),
        primary_key("block_hash", "log_index"),
        check("args_with_event", "(event IS NULL) = (args IS NULL)"),
        index("position", "block_number", "log_index"),
    )


def _create_endpoint_faults() -> None:
    create_table(
        "ops.endpoint_faults",
        text("endpoint"),
        in_values("kind", "wrong_header", "wrong_receipts", "omitted_log", "forged_log", "changed_log"),
        bigint("occurrences"),
        bigint("last_block"),
        text("last_description"),
        instant("last_seen_at", default=NOW),
        primary_key("endpoint", "kind"),
        check("occurrences_positive", "occurrences > 0"),
    )


def _create_event_processing_logs() -> None:
    create_table(
        "ops.event_processing_logs",
        instant("time"),
        bigint("last_block"),
        bigint("first_block"),
        instant("last_block_at"),
        integer("logs"),
        integer("quarantined"),
        bigint("lag_blocks"),
        bigint("fetch_us"),
        bigint("record_us"),
        primary_key("time", "last_block"),
        check("blocks_in_order", "first_block <= last_block"),
        check("lag_blocks_not_negative", "lag_blocks >= 0"),
        check("quarantined_within_logs", "quarantined BETWEEN 0 AND logs"),
        check("durations_not_negative", "fetch_us >= 0 AND record_us >= 0"),
    )


def _create_event_processing_hourly() -> None:
    create_table(
        "ops.event_processing_hourly",
        instant("hour"),
        bigint("batches"),
        bigint("blocks"),
        bigint("logs"),
        bigint("quarantined"),
        bigint("lag_blocks_max"),
        bigint("fetch_us"),
        bigint("record_us"),
        bigint("record_us_max"),
        primary_key("hour"),
        check("hour_is_truncated", "hour = date_trunc('hour', hour, 'UTC')"),
        check("batches_positive", "batches > 0 AND blocks >= batches"),
    )


def _create_retention_runs() -> None:
    create_table(
        "ops.retention_runs",
        text("series"),
        instant("ran_at"),
        instant("retention_start"),
        bigint("rows_removed"),
        boolean("complete"),
        primary_key("series"),
        check("rows_removed_not_negative", "rows_removed >= 0"),
    )


def _create_signer_checks() -> None:
    create_table(
        "ops.signer_checks",
        text("caller"),
        instant("checked_at"),
        text("failure", null=True),
        jsonb("keys"),
        primary_key("caller"),
    )
