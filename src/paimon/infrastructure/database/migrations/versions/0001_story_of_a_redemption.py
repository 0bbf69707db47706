"""The story of a redemption: chain, tickets, transactions, outbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE SCHEMA derived")
    op.execute("CREATE SCHEMA owned")
    op.create_table(
        "blocks",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("parent_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("ck_blocks_hash_length")),
        sa.CheckConstraint("octet_length(parent_hash) = 32", name=op.f("ck_blocks_parent_hash_length")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_blocks")),
        sa.UniqueConstraint("hash", name=op.f("uq_blocks_hash")),
        schema="derived",
    )
    op.create_table(
        "contract_flags",
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("flag", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("since_block", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "contract IN ('Vault', 'RedemptionManager', 'AssetController')", name=op.f("ck_contract_flags_contract_known")
        ),
        sa.PrimaryKeyConstraint("contract", "flag", name=op.f("pk_contract_flags")),
        schema="derived",
    )
    op.create_table(
        "cursor",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_cursor_single_row")),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("ck_cursor_hash_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cursor")),
        schema="derived",
    )
    op.create_table(
        "holdings",
        sa.Column("holder", sa.LargeBinary(length=20), nullable=False),
        sa.Column("shares", sa.Numeric(78, 0), nullable=False),
        sa.Column("locked_shares", sa.Numeric(78, 0), nullable=False),
        sa.CheckConstraint(
            "locked_shares >= 0 AND locked_shares <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_holdings_locked_shares_uint256"),
        ),
        sa.CheckConstraint("octet_length(holder) = 20", name=op.f("ck_holdings_holder_length")),
        sa.CheckConstraint(
            "shares >= 0 AND shares <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_holdings_shares_uint256"),
        ),
        sa.PrimaryKeyConstraint("holder", name=op.f("pk_holdings")),
        schema="derived",
    )
    op.create_table(
        "observations",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("block_timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("octet_length(block_hash) = 32", name=op.f("ck_observations_block_hash_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observations")),
        sa.UniqueConstraint("kind", "subject", "block_hash", name=op.f("uq_observations_kind_subject_block_hash")),
        schema="derived",
    )
    op.create_index(
        "ix_observations_latest", "observations", ["kind", "subject", "block_number"], unique=False, schema="derived"
    )
    op.create_table(
        "redemption_requests",
        sa.Column("request_id", sa.Numeric(78, 0), autoincrement=False, nullable=False),
        sa.Column("owner", sa.LargeBinary(length=20), nullable=False),
        sa.Column("receiver", sa.LargeBinary(length=20), nullable=False),
        sa.Column("shares", sa.Numeric(78, 0), nullable=False),
        sa.Column("gross_amount", sa.Numeric(78, 0), nullable=False),
        sa.Column("estimated_fee", sa.Numeric(78, 0), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("requires_approval", sa.Boolean(), nullable=False),
        sa.Column("window_id", sa.Numeric(78, 0), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settlement_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_fee", sa.Numeric(78, 0), nullable=True),
        sa.Column("settled_net_amount", sa.Numeric(78, 0), nullable=True),
        sa.Column("rejection_reason", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_block", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(status = 'REJECTED') = (rejection_reason IS NOT NULL)", name=op.f("ck_redemption_requests_reason_when_rejected")
        ),
        sa.CheckConstraint(
            "(status = 'SETTLED') = (settled_net_amount IS NOT NULL) AND (settled_net_amount IS NULL) = (settled_fee IS NULL)",
            name=op.f("ck_redemption_requests_amounts_when_settled"),
        ),
        sa.CheckConstraint(
            "(status IN ('SETTLED','CANCELLED','REJECTED')) = (closed_at IS NOT NULL)",
            name=op.f("ck_redemption_requests_closed_when_terminal"),
        ),
        sa.CheckConstraint(
            "channel IN ('STANDARD', 'EMERGENCY', 'SCHEDULED')", name=op.f("ck_redemption_requests_channel_known")
        ),
        sa.CheckConstraint(
            "status <> 'PENDING' OR NOT requires_approval", name=op.f("ck_redemption_requests_pending_without_approval")
        ),
        sa.CheckConstraint(
            "status IN ('PENDING', 'PENDING_APPROVAL', 'APPROVED', 'SETTLED', 'CANCELLED', 'REJECTED')",
            name=op.f("ck_redemption_requests_status_known"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('PENDING_APPROVAL','APPROVED','REJECTED') OR requires_approval",
            name=op.f("ck_redemption_requests_approval_statuses_require_approval"),
        ),
        sa.CheckConstraint(
            "estimated_fee >= 0 AND estimated_fee <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_redemption_requests_estimated_fee_uint256"),
        ),
        sa.CheckConstraint(
            "gross_amount >= 0 AND gross_amount <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_redemption_requests_gross_amount_uint256"),
        ),
        sa.CheckConstraint("octet_length(owner) = 20", name=op.f("ck_redemption_requests_owner_length")),
        sa.CheckConstraint("octet_length(receiver) = 20", name=op.f("ck_redemption_requests_receiver_length")),
        sa.CheckConstraint(
            "request_id >= 0 AND request_id <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_redemption_requests_request_id_uint256"),
        ),
        sa.CheckConstraint(
            "settled_fee >= 0 AND settled_fee <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_redemption_requests_settled_fee_uint256"),
        ),
        sa.CheckConstraint(
            "settled_net_amount >= 0 AND settled_net_amount <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_redemption_requests_settled_net_amount_uint256"),
        ),
        sa.CheckConstraint(
            "shares >= 0 AND shares <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_redemption_requests_shares_uint256"),
        ),
        sa.CheckConstraint(
            "window_id >= 0 AND window_id <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_redemption_requests_window_id_uint256"),
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_redemption_requests")),
        schema="derived",
    )
    op.create_index(
        "ix_redemption_requests_owner", "redemption_requests", ["owner", "requested_at"], unique=False, schema="derived"
    )
    op.create_index(
        "ix_redemption_requests_requested_at", "redemption_requests", ["requested_at"], unique=False, schema="derived"
    )
    op.create_index(
        "ix_redemption_requests_status_settlement",
        "redemption_requests",
        ["status", "settlement_at"],
        unique=False,
        schema="derived",
    )
    op.create_table(
        "role_holders",
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("role", sa.LargeBinary(length=32), nullable=False),
        sa.Column("account", sa.LargeBinary(length=20), nullable=False),
        sa.CheckConstraint(
            "contract IN ('Vault', 'RedemptionManager', 'AssetController')", name=op.f("ck_role_holders_contract_known")
        ),
        sa.CheckConstraint("octet_length(account) = 20", name=op.f("ck_role_holders_account_length")),
        sa.CheckConstraint("octet_length(role) = 32", name=op.f("ck_role_holders_role_length")),
        sa.PrimaryKeyConstraint("contract", "role", "account", name=op.f("pk_role_holders")),
        schema="derived",
    )
    op.create_table(
        "approval_tickets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("request_id", sa.Numeric(78, 0), nullable=False),
        sa.Column("owner", sa.LargeBinary(length=20), nullable=False),
        sa.Column("receiver", sa.LargeBinary(length=20), nullable=False),
        sa.Column("gross_amount", sa.Numeric(78, 0), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("required_approvals", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("sla_stage", sa.String(), server_default="ON_TIME", nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("warn_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("escalate_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_externally", sa.Boolean(), server_default="false", nullable=False),
        sa.CheckConstraint(
            "(status IN ('PENDING','PARTIALLY_APPROVED')) = (decided_at IS NULL)",
            name=op.f("ck_approval_tickets_decided_when_not_open"),
        ),
        sa.CheckConstraint(
            "sla_stage IN ('ON_TIME', 'WARN', 'ESCALATE', 'OVERDUE')", name=op.f("ck_approval_tickets_sla_stage_known")
        ),
        sa.CheckConstraint(
            "status IN ('PENDING', 'PARTIALLY_APPROVED', 'APPROVED', 'REJECTED', 'CANCELLED')",
            name=op.f("ck_approval_tickets_status_known"),
        ),
        sa.CheckConstraint(
            "type IN ('EMERGENCY_REDEMPTION', 'STANDARD_REDEMPTION')", name=op.f("ck_approval_tickets_type_known")
        ),
        sa.CheckConstraint(
            "closed_at IS NULL OR decided_at IS NOT NULL", name=op.f("ck_approval_tickets_decided_before_closed")
        ),
        sa.CheckConstraint(
            "gross_amount >= 0 AND gross_amount <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_approval_tickets_gross_amount_uint256"),
        ),
        sa.CheckConstraint("octet_length(owner) = 20", name=op.f("ck_approval_tickets_owner_length")),
        sa.CheckConstraint("octet_length(receiver) = 20", name=op.f("ck_approval_tickets_receiver_length")),
        sa.CheckConstraint(
            "request_id >= 0 AND request_id <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_approval_tickets_request_id_uint256"),
        ),
        sa.CheckConstraint("required_approvals >= 1", name=op.f("ck_approval_tickets_required_approvals_positive")),
        sa.CheckConstraint(
            "warn_at <= escalate_at AND escalate_at <= deadline_at", name=op.f("ck_approval_tickets_sla_in_order")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_tickets")),
        sa.UniqueConstraint("request_id", name=op.f("uq_approval_tickets_request_id")),
        schema="owned",
    )
    op.create_index(
        "ix_approval_tickets_open",
        "approval_tickets",
        ["deadline_at"],
        unique=False,
        schema="owned",
        postgresql_where="closed_at IS NULL",
    )
    op.create_table(
        "reconciliations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("figures_compared", sa.Integer(), nullable=False),
        sa.Column("discrepancies", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("octet_length(block_hash) = 32", name=op.f("ck_reconciliations_block_hash_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliations")),
        schema="owned",
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("epoch >= 0", name=op.f("ck_leases_epoch_not_negative")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
        schema="owned",
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("aggregate_id", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("priority", sa.String(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("available_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("enqueued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dead_lettered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "priority IN ('critical', 'high', 'normal', 'chain', 'reports')", name=op.f("ck_outbox_priority_known")
        ),
        sa.CheckConstraint("done_at IS NULL OR dead_lettered_at IS NULL", name=op.f("ck_outbox_done_or_dead_lettered")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        schema="owned",
    )
    op.create_index(
        "ix_outbox_dead_lettered",
        "outbox",
        ["dead_lettered_at"],
        unique=False,
        schema="owned",
        postgresql_where="dead_lettered_at IS NOT NULL",
    )
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["available_at"],
        unique=False,
        schema="owned",
        postgresql_where="done_at IS NULL AND dead_lettered_at IS NULL",
    )
    op.create_table(
        "sign_in_challenges",
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("address", sa.LargeBinary(length=20), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("octet_length(address) = 20", name=op.f("ck_sign_in_challenges_address_length")),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_sign_in_challenges")),
        schema="owned",
    )
    op.create_table(
        "users",
        sa.Column("address", sa.LargeBinary(length=20), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("role IN ('viewer', 'operator', 'admin', 'super_admin')", name=op.f("ck_users_role_known")),
        sa.CheckConstraint("octet_length(address) = 20", name=op.f("ck_users_address_length")),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_users")),
        schema="owned",
    )
    op.create_table(
        "wallets",
        sa.Column("address", sa.LargeBinary(length=20), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("next_nonce", sa.BigInteger(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.CheckConstraint("name IN ('keeper', 'approver')", name=op.f("ck_wallets_name_known")),
        sa.CheckConstraint("next_nonce >= 0", name=op.f("ck_wallets_nonce_not_negative")),
        sa.CheckConstraint("octet_length(address) = 20", name=op.f("ck_wallets_address_length")),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_wallets")),
        schema="owned",
    )
    op.create_table(
        "raw_logs",
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("tx_index", sa.Integer(), nullable=False),
        sa.Column("address", sa.LargeBinary(length=20), nullable=False),
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("topics", postgresql.ARRAY(postgresql.BYTEA()), nullable=False),
        sa.Column("data", postgresql.BYTEA(), nullable=False),
        sa.Column("event", sa.Text(), nullable=True),
        sa.Column("args", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("request_id", sa.Numeric(78, 0), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("(status = 'quarantined') = (reason IS NOT NULL)", name=op.f("ck_raw_logs_reason_when_quarantined")),
        sa.CheckConstraint(
            "contract IN ('Vault', 'RedemptionManager', 'AssetController')", name=op.f("ck_raw_logs_contract_known")
        ),
        sa.CheckConstraint("status IN ('applied', 'unknown', 'quarantined')", name=op.f("ck_raw_logs_status_known")),
        sa.CheckConstraint("octet_length(address) = 20", name=op.f("ck_raw_logs_address_length")),
        sa.CheckConstraint("octet_length(block_hash) = 32", name=op.f("ck_raw_logs_block_hash_length")),
        sa.CheckConstraint("octet_length(tx_hash) = 32", name=op.f("ck_raw_logs_tx_hash_length")),
        sa.ForeignKeyConstraint(
            ["block_number"], ["derived.blocks.number"], name=op.f("fk_raw_logs_block_number_blocks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_raw_logs")),
        sa.UniqueConstraint("block_hash", "log_index", name=op.f("uq_raw_logs_block_hash_log_index")),
        schema="derived",
    )
    op.create_index(
        "ix_raw_logs_quarantined",
        "raw_logs",
        ["block_number"],
        unique=False,
        schema="derived",
        postgresql_where="status = 'quarantined'",
    )
    op.create_index(
        "ix_raw_logs_request",
        "raw_logs",
        ["request_id", "block_number", "log_index"],
        unique=False,
        schema="derived",
        postgresql_where="request_id IS NOT NULL",
    )
    op.create_index(op.f("ix_raw_logs_tx_hash"), "raw_logs", ["tx_hash"], unique=False, schema="derived")
    op.create_table(
        "approval_records",
        sa.Column("nonce", sa.LargeBinary(length=32), nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("voter", sa.LargeBinary(length=20), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("typed_data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("signature", postgresql.BYTEA(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("verdict IN ('APPROVE', 'REJECT')", name=op.f("ck_approval_records_verdict_known")),
        sa.CheckConstraint("octet_length(nonce) = 32", name=op.f("ck_approval_records_nonce_length")),
        sa.CheckConstraint("octet_length(voter) = 20", name=op.f("ck_approval_records_voter_length")),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["owned.approval_tickets.id"], name=op.f("fk_approval_records_ticket_id_approval_tickets")
        ),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_approval_records")),
        sa.UniqueConstraint("ticket_id", "voter", name=op.f("uq_approval_records_ticket_id_voter")),
        schema="owned",
    )
    op.create_table(
        "transaction_intents",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("payload_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("wallet", sa.LargeBinary(length=20), nullable=False),
        sa.Column("to_address", sa.LargeBinary(length=20), nullable=False),
        sa.Column("data", postgresql.BYTEA(), nullable=False),
        sa.Column("value_wei", sa.Numeric(78, 0), nullable=False),
        sa.Column("request_id", sa.Numeric(78, 0), nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=True),
        sa.Column("status", sa.String(), server_default="queued", nullable=False),
        sa.Column("unfunded", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("next_check_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status IN ('queued','simulated','sending')) = (closed_at IS NULL)",
            name=op.f("ck_transaction_intents_closed_when_terminal"),
        ),
        sa.CheckConstraint(
            "kind IN ('approve_redemption', 'reject_redemption', 'settle_redemption')",
            name=op.f("ck_transaction_intents_kind_known"),
        ),
        sa.CheckConstraint(
            "status IN ('queued', 'simulated', 'sending', 'final', 'reverted', 'failed', 'expired', 'cancelled', 'SATISFIED_EXTERNALLY')",
            name=op.f("ck_transaction_intents_status_known"),
        ),
        sa.CheckConstraint("octet_length(payload_hash) = 32", name=op.f("ck_transaction_intents_payload_hash_length")),
        sa.CheckConstraint("octet_length(to_address) = 20", name=op.f("ck_transaction_intents_to_address_length")),
        sa.CheckConstraint("octet_length(wallet) = 20", name=op.f("ck_transaction_intents_wallet_length")),
        sa.CheckConstraint(
            "request_id >= 0 AND request_id <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_transaction_intents_request_id_uint256"),
        ),
        sa.CheckConstraint(
            "value_wei >= 0 AND value_wei <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_transaction_intents_value_wei_uint256"),
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["owned.approval_tickets.id"], name=op.f("fk_transaction_intents_ticket_id_approval_tickets")
        ),
        sa.ForeignKeyConstraint(["wallet"], ["owned.wallets.address"], name=op.f("fk_transaction_intents_wallet_wallets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transaction_intents")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_transaction_intents_idempotency_key")),
        schema="owned",
    )
    op.create_index(
        "ix_transaction_intents_open",
        "transaction_intents",
        ["wallet", "created_at"],
        unique=False,
        schema="owned",
        postgresql_where="closed_at IS NULL",
    )
    op.create_index("ix_transaction_intents_request", "transaction_intents", ["request_id"], unique=False, schema="owned")
    op.create_table(
        "transaction_attempts",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("intent_id", sa.Uuid(), nullable=False),
        sa.Column("wallet", sa.LargeBinary(length=20), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("gas_limit", sa.BigInteger(), nullable=False),
        sa.Column("max_fee_wei", sa.Numeric(78, 0), nullable=False),
        sa.Column("priority_fee_wei", sa.Numeric(78, 0), nullable=False),
        sa.Column("raw", postgresql.BYTEA(), nullable=False),
        sa.Column("status", sa.String(), server_default="signed", nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("broadcast_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", postgresql.BYTEA(), nullable=True),
        sa.Column("succeeded", sa.Boolean(), nullable=True),
        sa.Column("gas_used", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(status IN ('mined','final')) <= (block_hash IS NOT NULL)",
            name=op.f("ck_transaction_attempts_block_hash_when_mined"),
        ),
        sa.CheckConstraint(
            "status IN ('signed', 'broadcast', 'mined', 'final', 'replaced', 'dropped')",
            name=op.f("ck_transaction_attempts_status_known"),
        ),
        sa.CheckConstraint(
            "max_fee_wei >= 0 AND max_fee_wei <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_transaction_attempts_max_fee_wei_uint256"),
        ),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("ck_transaction_attempts_hash_length")),
        sa.CheckConstraint("octet_length(wallet) = 20", name=op.f("ck_transaction_attempts_wallet_length")),
        sa.CheckConstraint(
            "priority_fee_wei >= 0 AND priority_fee_wei <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_transaction_attempts_priority_fee_wei_uint256"),
        ),
        sa.ForeignKeyConstraint(
            ["intent_id"], ["owned.transaction_intents.id"], name=op.f("fk_transaction_attempts_intent_id_transaction_intents")
        ),
        sa.ForeignKeyConstraint(["wallet"], ["owned.wallets.address"], name=op.f("fk_transaction_attempts_wallet_wallets")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_transaction_attempts")),
        schema="owned",
    )
    op.create_index("ix_transaction_attempts_intent", "transaction_attempts", ["intent_id"], unique=False, schema="owned")
    op.create_index(
        "ix_transaction_attempts_open",
        "transaction_attempts",
        ["wallet"],
        unique=False,
        schema="owned",
        postgresql_where="status IN ('signed','broadcast','mined')",
    )
    op.create_index(
        "uq_transaction_attempts_mined_nonce",
        "transaction_attempts",
        ["wallet", "nonce"],
        unique=True,
        schema="owned",
        postgresql_where="status IN ('mined','final')",
    )
    op.create_index(
        "uq_transaction_attempts_unacknowledged",
        "transaction_attempts",
        ["wallet"],
        unique=True,
        schema="owned",
        postgresql_where="status = 'signed'",
    )


def downgrade() -> None:
    op.execute("DROP SCHEMA derived CASCADE")
    op.execute("DROP SCHEMA owned CASCADE")
