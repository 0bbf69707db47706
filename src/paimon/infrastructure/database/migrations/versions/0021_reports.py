"""Reports: every version that was made, with the hash of each of its files."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021_reports"
down_revision = "0020_signer_leases"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.create_table(
        "reports",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("draft_reasons", postgresql.JSONB(), nullable=False),
        sa.Column("opening_block", sa.BigInteger(), nullable=True),
        sa.Column("closing_block", sa.BigInteger(), nullable=True),
        sa.Column("data_hash", sa.LargeBinary(), nullable=False),
        sa.Column("files", postgresql.JSONB(), nullable=False),
        sa.Column("replaces", sa.BigInteger(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('daily', 'weekly', 'monthly')", name=op.f("ck_reports_kind_known")),
        sa.CheckConstraint("status IN ('DRAFT', 'FINAL')", name=op.f("ck_reports_status_known")),
        sa.CheckConstraint("octet_length(data_hash) = 32", name=op.f("ck_reports_data_hash_length")),
        sa.CheckConstraint("first_day <= last_day", name=op.f("ck_reports_days_in_order")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_reports_version_positive")),
        sa.CheckConstraint("(version = 1) = (replaces IS NULL)", name=op.f("ck_reports_later_version_replaces")),
        sa.CheckConstraint("jsonb_array_length(files) > 0", name=op.f("ck_reports_has_files")),
        sa.CheckConstraint(
            "opening_block <= closing_block OR opening_block IS NULL OR closing_block IS NULL",
            name=op.f("ck_reports_blocks_in_order"),
        ),
        sa.ForeignKeyConstraint(["replaces"], ["ops.reports.id"], name=op.f("fk_reports_replaces_reports")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reports")),
        sa.UniqueConstraint("kind", "first_day", "version", name=op.f("uq_reports_kind_first_day_version")),
        sa.UniqueConstraint("replaces", name=op.f("uq_reports_replaces")),
        schema="ops",
    )


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.drop_table("reports", schema="ops")
