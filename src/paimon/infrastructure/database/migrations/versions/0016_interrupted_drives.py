"""Since when a wallet's drives do not get to their end, and why."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0014"
branch_labels = None
depends_on = None

_CHECK = "ck_wallets_last_error_dated"


def upgrade() -> None:
    op.add_column("wallets", sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True), schema="owned")
    op.add_column("wallets", sa.Column("last_error", sa.Text(), nullable=True), schema="owned")
    condition = "(failing_since IS NULL) = (last_error IS NULL)"
    op.create_check_constraint(op.f(_CHECK), "wallets", condition, schema="owned")


def downgrade() -> None:
    op.drop_constraint(op.f(_CHECK), "wallets", schema="owned")
    op.drop_column("wallets", "last_error", schema="owned")
    op.drop_column("wallets", "failing_since", schema="owned")
