"""Signed grants of users, the first super_admin, and the risk events about what has no signature."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003_signed_users"
down_revision = "0002_signed_plans"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"
_KINDS_BEFORE = (
    "'RECONCILIATION_BREAK','NAV_UNEXPLAINED','LOW_GAS','FINALITY_LAG','FINAL_BLOCK_CHANGED','ORPHANED_EFFECT','CHAIN_BEHIND',"
    "'EFFECT_UNKNOWN','UNSIGNED_MOVEMENT'"
)


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.create_table(
        "user_grants",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("role", sa.String(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("granted_by", sa.LargeBinary(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("typed_data", postgresql.JSONB(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("role IN ('viewer','operator','admin','super_admin')", name=op.f("ck_user_grants_role_known")),
        sa.CheckConstraint("octet_length(address) = 20", name=op.f("ck_user_grants_address_length")),
        sa.CheckConstraint("octet_length(granted_by) = 20", name=op.f("ck_user_grants_granted_by_length")),
        sa.CheckConstraint("octet_length(previous) = 32", name=op.f("ck_user_grants_previous_length")),
        sa.CheckConstraint("octet_length(nonce) = 32", name=op.f("ck_user_grants_nonce_length")),
        sa.CheckConstraint("sequence >= 1", name=op.f("ck_user_grants_sequence_positive")),
        sa.CheckConstraint("granted_at <= expires_at", name=op.f("ck_user_grants_granted_in_time")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_grants")),
        schema="ops",
    )
    op.create_index(op.f("ix_user_grants_address"), "user_grants", ["address"], schema="ops")
    op.create_index(op.f("uq_user_grants_nonce"), "user_grants", ["nonce"], unique=True, schema="ops")
    op.create_table(
        "first_super_admins",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("named_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("octet_length(address) = 20", name=op.f("ck_first_super_admins_address_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_first_super_admins")),
        schema="ops",
    )
    _replace_kinds(f"{_KINDS_BEFORE},'UNSIGNED_USER','UNSIGNED_GRANT'")


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    _replace_kinds(_KINDS_BEFORE)
    op.drop_table("first_super_admins", schema="ops")
    op.drop_table("user_grants", schema="ops")


def _replace_kinds(kinds: str) -> None:
    op.drop_constraint(op.f("ck_risk_events_kind_known"), "risk_events", schema="ops")
    op.create_check_constraint(op.f("ck_risk_events_kind_known"), "risk_events", f"kind IN ({kinds})", schema="ops")
