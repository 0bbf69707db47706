"""How each recorded range is proven complete, and what endpoints were caught at."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "range_proofs",
        sa.Column("first_block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_block", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.CheckConstraint("first_block <= last_block", name=op.f("ck_range_proofs_blocks_in_order")),
        sa.CheckConstraint("level IN ('none', 'chained', 'agreed', 'receipts')", name=op.f("ck_range_proofs_level_known")),
        postgresql.ExcludeConstraint(
            (sa.text("int8range(first_block, last_block, '[]')"), "&&"), name="ex_range_proofs_blocks", using="gist"
        ),
        sa.PrimaryKeyConstraint("first_block", name=op.f("pk_range_proofs")),
        schema="derived",
    )
    op.create_table(
        "endpoint_faults",
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("lie", sa.String(), nullable=False),
        sa.Column("occurrences", sa.BigInteger(), nullable=False),
        sa.Column("last_block", sa.BigInteger(), nullable=False),
        sa.Column("last_description", sa.Text(), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("times > 0", name=op.f("ck_endpoint_faults_occurrences_positive")),
        sa.CheckConstraint(
            "lie IN ('wrong_header', 'wrong_receipts', 'omitted_log', 'forged_log', 'changed_log')",
            name=op.f("ck_endpoint_faults_kind_known"),
        ),
        sa.PrimaryKeyConstraint("endpoint", "lie", name=op.f("pk_endpoint_faults")),
        schema="owned",
    )


def downgrade() -> None:
    op.drop_table("endpoint_faults", schema="owned")
    op.drop_table("range_proofs", schema="derived")
