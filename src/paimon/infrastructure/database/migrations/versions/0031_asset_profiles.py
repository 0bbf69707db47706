"""Asset profiles: the counterparty of each asset, and how it becomes cash, in versions."""

import sqlalchemy as sa
from alembic import op

revision = "0031_asset_profiles"
down_revision = "0030_emergencies"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.create_table(
        "asset_profiles",
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("counterparty", sa.Text(), nullable=False),
        sa.Column("days_to_cash", sa.Integer(), nullable=False),
        sa.Column("cost_bps", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.LargeBinary(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("octet_length(token) = 20", name=op.f("ck_asset_profiles_token_length")),
        sa.CheckConstraint("octet_length(changed_by) = 20", name=op.f("ck_asset_profiles_changed_by_length")),
        sa.CheckConstraint("octet_length(nonce) = 32", name=op.f("ck_asset_profiles_nonce_length")),
        sa.CheckConstraint("version > 0", name=op.f("ck_asset_profiles_version_positive")),
        sa.CheckConstraint("counterparty <> ''", name=op.f("ck_asset_profiles_counterparty_named")),
        sa.CheckConstraint("days_to_cash >= 0", name=op.f("ck_asset_profiles_days_to_cash_not_negative")),
        sa.CheckConstraint("cost_bps BETWEEN 0 AND 10000", name=op.f("ck_asset_profiles_cost_bps_range")),
        sa.ForeignKeyConstraint(["nonce"], ["ops.signed_actions.nonce"], name=op.f("fk_asset_profiles_nonce_signed_actions")),
        sa.PrimaryKeyConstraint("token", "version", name=op.f("pk_asset_profiles")),
        schema="ops",
    )
    op.create_index(op.f("uq_asset_profiles_nonce"), "asset_profiles", ["nonce"], unique=True, schema="ops")


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.drop_table("asset_profiles", schema="ops")
