"""An attempt may be a self-send that only uses up its nonce."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "transaction_attempts",
        sa.Column("cancels", sa.Boolean(), server_default="false", nullable=False),
        schema="owned",
    )


def downgrade() -> None:
    op.drop_column("transaction_attempts", "cancels", schema="owned")
