"""Risk events of what is waited for: a chain that is shorter than the books, and what a node does not tell of an intent. What keeps
this house from a Safe is shown on it."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_KINDS_BEFORE = "'RECONCILIATION_BREAK', 'NAV_UNEXPLAINED', 'LOW_GAS', 'FINALITY_LAG', 'FINAL_BLOCK_CHANGED', 'ORPHANED_EFFECT'"
_KINDS = "'CHAIN_BEHIND', 'EFFECT_UNKNOWN'"


def upgrade() -> None:
    _known_kinds(f"{_KINDS_BEFORE}, {_KINDS}")
    op.add_column("transaction_intents", sa.Column("unknown_since", sa.DateTime(timezone=True), nullable=True), schema="owned")
    op.add_column("safes", sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True), schema="owned")
    op.add_column("safes", sa.Column("last_error", sa.Text(), nullable=True), schema="owned")
    condition = "(failing_since IS NULL) = (last_error IS NULL)"
    op.create_check_constraint(op.f("ck_safes_last_error_dated"), "safes", condition, schema="owned")


def downgrade() -> None:
    op.drop_column("safes", "last_error", schema="owned")
    op.drop_column("safes", "failing_since", schema="owned")
    op.drop_column("transaction_intents", "unknown_since", schema="owned")
    op.execute(f"DELETE FROM owned.risk_events WHERE kind IN ({_KINDS})")  # noqa: S608 — constants of this module
    _known_kinds(_KINDS_BEFORE)


def _known_kinds(kinds: str) -> None:
    op.drop_constraint(op.f("ck_risk_events_kind_known"), "risk_events", schema="owned")
    op.create_check_constraint(op.f("ck_risk_events_kind_known"), "risk_events", f"kind IN ({kinds})", schema="owned")
