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
    _index_logs("ix_raw_logs_quarantined", "ix_raw_logs_set_aside", "status IN ('quarantined', 'skipped')")
    op.create_table(
        "remedies",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("outbox_id", sa.BigInteger(), nullable=True),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", postgresql.BYTEA(), nullable=True),
        sa.Column("log_index", sa.Integer(), nullable=True),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.LargeBinary(length=20), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("nonce", postgresql.BYTEA(), nullable=True),
        sa.Column("typed_data", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("signature", postgresql.BYTEA(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(), server_default="asked", nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(kind = 'replay_reaction') = (outbox_id IS NOT NULL)", name=op.f("ck_remedies_of_a_reaction_or_a_log")
        ),
        sa.CheckConstraint(
            "num_nonnulls(block_number, block_hash, log_index) = CASE WHEN outbox_id IS NULL THEN 3 ELSE 0 END",
            name=op.f("ck_remedies_names_its_log"),
        ),
        sa.CheckConstraint(
            "num_nonnulls(nonce, typed_data, signature, expires_at) IN (0, 4)", name=op.f("ck_remedies_signed_whole")
        ),
        sa.CheckConstraint("(state = 'asked') = (ended_at IS NULL)", name=op.f("ck_remedies_dated_when_ended")),
        sa.CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name=op.f("ck_remedies_ends_with_an_outcome")),
        sa.CheckConstraint("kind IN ('replay_reaction', 'release_log', 'skip_log')", name=op.f("ck_remedies_kind_known")),
        sa.CheckConstraint("state IN ('asked', 'done')", name=op.f("ck_remedies_state_known")),
        sa.CheckConstraint("octet_length(asked_by) = 20", name=op.f("ck_remedies_asked_by_length")),
        sa.CheckConstraint("octet_length(nonce) = 32", name=op.f("ck_remedies_nonce_length")),
        sa.CheckConstraint("octet_length(block_hash) = 32", name=op.f("ck_remedies_block_hash_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_remedies")),
        schema="owned",
    )
    for name, columns, where in (
        ("uq_remedies_nonce", ["nonce"], None),
        ("uq_remedies_asked_of_log", ["block_hash", "log_index"], "state = 'asked'"),
        ("ix_remedies_log", ["block_hash", "log_index"], "block_hash IS NOT NULL"),
        ("ix_remedies_outbox", ["outbox_id"], "outbox_id IS NOT NULL"),
    ):
        op.create_index(name, "remedies", columns, unique=name.startswith("uq"), schema="owned", postgresql_where=where)


def downgrade() -> None:
    op.drop_table("remedies", schema="owned")
    _index_logs("ix_raw_logs_set_aside", "ix_raw_logs_quarantined", "status = 'quarantined'")
    _restrict_logs(_STATUSES)


def _restrict_logs(statuses: tuple[str, ...]) -> None:
    name, known = op.f("ck_raw_logs_status_known"), ", ".join(f"'{each}'" for each in statuses)
    op.drop_constraint(name, "raw_logs", schema="derived")
    op.create_check_constraint(name, "raw_logs", f"status IN ({known})", schema="derived")


def _index_logs(old: str, new: str, where: str) -> None:
    op.drop_index(old, "raw_logs", schema="derived")
    op.create_index(new, "raw_logs", ["block_number"], schema="derived", postgresql_where=where)
