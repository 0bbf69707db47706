"""Not every block is kept: each names the one kept before it. Observations are found by their block."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("blocks", sa.Column("kept_before", sa.BigInteger()), schema="derived")
    op.execute("UPDATE derived.blocks SET kept_before = number - 1")
    op.alter_column("blocks", "kept_before", nullable=False, schema="derived")
    op.create_check_constraint(op.f("ck_blocks_kept_before_is_earlier"), "blocks", "kept_before < number", schema="derived")
    op.create_index(op.f("ix_observations_block_number"), "observations", ["block_number"], schema="derived")


def downgrade() -> None:
    op.drop_index(op.f("ix_observations_block_number"), table_name="observations", schema="derived")
    op.drop_column("blocks", "kept_before", schema="derived")
