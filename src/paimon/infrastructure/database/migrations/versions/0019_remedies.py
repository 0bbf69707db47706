"""What people decided about given-up reactions and quarantined logs, and logs that are left out for good."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_STATUSES = ("applied", "unknown", "quarantined")


def upgrade() -> None:
    _restrict_logs((*_STATUSES, "skipped"))
    _index_logs("ix_raw_logs_quarantined", "ix_raw_logs_unapplied", "status IN ('quarantined', 'skipped')")
    op.create_table(
        "remedies",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("outbox_id", sa.BigInteger(), nullable=True),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", postgresql.BYTEA(), nullable=True),
        sa.Column("log_index", sa.Integer(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.LargeBinary(length=20), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("nonce", postgresql.BYTEA(), nullable=True),
        sa.Column("typed_data", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("signature", postgresql.BYTEA(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(), server_default="asked", nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(kind = 'replay_message') = (outbox_id IS NOT NULL)",
            name=op.f("ck_operator_decisions_target_is_outbox_message_or_log"),
        ),
        sa.CheckConstraint(
            "num_nonnulls(block_number, block_hash, log_index) = CASE WHEN outbox_id IS NULL THEN 3 ELSE 0 END",
            name=op.f("ck_operator_decisions_log_key_complete"),
        ),
        sa.CheckConstraint(
            "num_nonnulls(nonce, typed_data, signature, expires_at) IN (0, 4)",
            name=op.f("ck_operator_decisions_signed_action_complete"),
        ),
        sa.CheckConstraint(
            "(state = 'asked') = (ended_at IS NULL)", name=op.f("ck_operator_decisions_ended_at_unless_requested")
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name=op.f("ck_operator_decisions_outcome_when_ended")),
        sa.CheckConstraint(
            "kind IN ('replay_message', 'release_log', 'skip_log')", name=op.f("ck_operator_decisions_kind_known")
        ),
        sa.CheckConstraint("state IN ('asked', 'done')", name=op.f("ck_operator_decisions_status_known")),
        sa.CheckConstraint("octet_length(requested_by) = 20", name=op.f("ck_operator_decisions_requested_by_length")),
        sa.CheckConstraint("octet_length(nonce) = 32", name=op.f("ck_operator_decisions_nonce_length")),
        sa.CheckConstraint("octet_length(block_hash) = 32", name=op.f("ck_operator_decisions_block_hash_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_decisions")),
        schema="owned",
    )
    for name, columns, where in (
        ("uq_operator_decisions_nonce", ["nonce"], None),
        ("uq_operator_decisions_requested_of_log", ["block_hash", "log_index"], "state = 'asked'"),
        ("ix_operator_decisions_log", ["block_hash", "log_index"], "block_hash IS NOT NULL"),
        ("ix_operator_decisions_outbox", ["outbox_id"], "outbox_id IS NOT NULL"),
    ):
        op.create_index(name, "remedies", columns, unique=name.startswith("uq"), schema="owned", postgresql_where=where)


def downgrade() -> None:
    op.drop_table("remedies", schema="owned")
    _index_logs("ix_raw_logs_unapplied", "ix_raw_logs_quarantined", "status = 'quarantined'")
    _restrict_logs(_STATUSES)


def _restrict_logs(statuses: tuple[str, ...]) -> None:
    name, series_limits = op.f("ck_raw_logs_status_known"), ", ".join(f"'{each}'" for each in statuses)
    op.drop_constraint(name, "raw_logs", schema="derived")
    op.create_check_constraint(name, "raw_logs", f"status IN ({series_limits})", schema="derived")


def _index_logs(old: str, new: str, where: str) -> None:
    op.drop_index(old, "raw_logs", schema="derived")
    op.create_index(new, "raw_logs", ["block_number"], schema="derived", postgresql_where=where)
