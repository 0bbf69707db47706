"""Leases of the signers' keys, in a table of their own that only the signers' role may write."""

import sqlalchemy as sa
from alembic import op

revision = "0020_signer_leases"
down_revision = "0019_plan_tickets"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.create_table(
        "signer_leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("epoch >= 0", name=op.f("ck_signer_leases_epoch_not_negative")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_signer_leases")),
        schema="ops",
    )


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.drop_table("signer_leases", schema="ops")
