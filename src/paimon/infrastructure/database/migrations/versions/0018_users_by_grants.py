"""Users are what the signed grants make them: the table of users goes, and the risk events about its unsigned rows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018_users_by_grants"
down_revision = "0017_unsigned_policy"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"
_KINDS = (
    *("RECONCILIATION_BREAK", "NAV_UNEXPLAINED", "LOW_GAS", "FINALITY_LAG", "FINAL_BLOCK_CHANGED", "ORPHANED_EFFECT"),
    *("CHAIN_BEHIND", "EFFECT_UNKNOWN", "UNSIGNED_MOVEMENT", "UNSIGNED_GRANT", "SPLIT_REDEMPTIONS", "DUST_REDEMPTIONS"),
    *("INDICATOR_BREACH", "RISK_LEVEL", "PRICE_UNTRUSTED", "USDT_OFF_PARITY", "INVALID_VOTE", "UNSIGNED_POLICY"),
)


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.drop_table("users", schema="ops")
    # The events are evidence: their triggers refuse any change, and come back with the rights.
    op.execute("ALTER TABLE ops.risk_events DISABLE TRIGGER USER")
    op.execute(
        "UPDATE ops.risk_events SET kind = 'UNSIGNED_GRANT', status = 'RESOLVED', resolved_at = coalesce(resolved_at, now()),"
        " resolved_block = CASE WHEN resolved_by IS NULL THEN coalesce(resolved_block, last_seen_block) END"
        " WHERE kind = 'UNSIGNED_USER'"
    )
    op.execute("ALTER TABLE ops.risk_events ENABLE TRIGGER USER")
    _replace_kinds(_KINDS)


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    _replace_kinds((*_KINDS, "UNSIGNED_USER"))
    op.create_table(
        "users",
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("granted", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("denied", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("role IN ('viewer','operator','admin','super_admin')", name=op.f("ck_users_role_known")),
        sa.CheckConstraint("octet_length(address) = 20", name=op.f("ck_users_address_length")),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_users")),
        schema="ops",
    )


def _replace_kinds(kinds: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_risk_events_kind_known"), "risk_events", type_="check", schema="ops")
    values = ", ".join(f"'{kind}'" for kind in kinds)
    op.create_check_constraint(op.f("ck_risk_events_kind_known"), "risk_events", f"kind IN ({values})", schema="ops")
