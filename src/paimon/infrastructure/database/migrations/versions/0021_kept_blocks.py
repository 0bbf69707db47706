"""Not every block is kept: each names the one kept before it. Observations are found by their block."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("blocks", sa.Column("previous_kept_number", sa.BigInteger()), schema="derived")
    op.execute("UPDATE derived.blocks SET previous_kept_number = number - 1")
    op.alter_column("blocks", "previous_kept_number", nullable=False, schema="derived")
    op.create_check_constraint(
        op.f("ck_blocks_previous_recorded_block_is_earlier"), "blocks", "previous_kept_number < number", schema="derived"
    )
    op.create_index(op.f("ix_observations_block_number"), "observations", ["block_number"], schema="derived")


def downgrade() -> None:
    op.drop_index(op.f("ix_observations_block_number"), table_name="observations", schema="derived")
    op.drop_column("blocks", "previous_kept_number", schema="derived")
