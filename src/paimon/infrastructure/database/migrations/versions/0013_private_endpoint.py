"""How a transaction reaches the builders: the public pool, or a private endpoint first."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_CHANNEL = {
    "ck_transaction_attempts_broadcast_channel_known": "channel IN ('public', 'private')",
    "ck_transaction_attempts_signed_at_block_when_private": "channel = 'public' OR signed_at_block IS NOT NULL",
}


def upgrade() -> None:
    channel = sa.Column("channel", sa.String(), server_default="public", nullable=False)
    op.add_column("transaction_attempts", channel, schema="owned")
    op.add_column("transaction_attempts", sa.Column("signed_at_block", sa.BigInteger(), nullable=True), schema="owned")
    for check, words in _CHANNEL.items():
        op.create_check_constraint(op.f(check), "transaction_attempts", words, schema="owned")


def downgrade() -> None:
    for check in _CHANNEL:
        op.drop_constraint(op.f(check), "transaction_attempts", schema="owned")
    op.drop_column("transaction_attempts", "signed_at_block", schema="owned")
    op.drop_column("transaction_attempts", "channel", schema="owned")
