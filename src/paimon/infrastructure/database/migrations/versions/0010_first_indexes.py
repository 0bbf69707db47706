"""Give a database of an early 0001_initial what that migration got afterwards: indexes of lists, and the signer's checks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010_first_indexes"
down_revision = "0009_acknowledgement_links"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"
_INDEXES = {
    "ix_approval_tickets_opened_at": ("approval_tickets", ["opened_at", "id"]),
    "ix_risk_events_first_seen_at": ("risk_events", ["first_seen_at", "id"]),
    "ix_plans_created_at": ("plans", ["created_at", "id"]),
    "ix_transaction_intents_created_at": ("transaction_intents", ["created_at", "id"]),
}
_LARGEST_HOLDERS = "ix_share_balances_total_shares"


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    for name, (table, columns) in _INDEXES.items():
        op.create_index(name, table, columns, schema="ops", if_not_exists=True)
    # The early one ends with `holder` in the other direction, under the same name.
    op.drop_index(_LARGEST_HOLDERS, "share_balances", schema="derived", if_exists=True)
    order = [sa.text("(shares + locked_shares) DESC"), sa.text("holder DESC")]
    op.create_index(_LARGEST_HOLDERS, "share_balances", order, schema="derived")
    op.create_table(
        "signer_checks",
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("keys", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("caller", name=op.f("pk_signer_checks")),
        schema="ops",
        if_not_exists=True,
    )


def downgrade() -> None:
    """Take the indexes away, as an early database has none of them; a later upgrade makes them again."""
    op.execute(_LOCK_TIMEOUT)
    for name, (table, _) in _INDEXES.items():
        op.drop_index(name, table, schema="ops")
