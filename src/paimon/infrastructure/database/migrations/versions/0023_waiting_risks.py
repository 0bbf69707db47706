"""Risk events of what is waited for: a chain that is shorter than the books."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_KINDS_BEFORE = "'BOOK_DIFFERENCE', 'NAV_UNEXPLAINED', 'LOW_GAS', 'FINALITY_LAG', 'FINAL_BLOCK_CHANGED', 'ORPHANED_EFFECT'"
_KINDS = "'CHAIN_BEHIND'"


def upgrade() -> None:
    _known_kinds(f"{_KINDS_BEFORE}, {_KINDS}")


def downgrade() -> None:
    op.execute(f"DELETE FROM owned.risk_events WHERE kind IN ({_KINDS})")  # noqa: S608 — constants of this module
    _known_kinds(_KINDS_BEFORE)


def _known_kinds(kinds: str) -> None:
    op.drop_constraint(op.f("ck_risk_events_kind_known"), "risk_events", schema="owned")
    op.create_check_constraint(op.f("ck_risk_events_kind_known"), "risk_events", f"kind IN ({kinds})", schema="owned")
