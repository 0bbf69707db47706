"""The fund over time, and the NAV this house stands behind."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "asset_holdings_snapshots",
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("token", sa.LargeBinary(length=20), nullable=False),
        sa.Column("tier", sa.SmallInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("balance", sa.Numeric(78, 0), nullable=False),
        sa.Column("price", sa.Numeric(78, 0), nullable=True),
        sa.Column("priced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("value", sa.Numeric(78, 0), nullable=False),
        sa.CheckConstraint("active OR value = 0", name=op.f("ck_asset_holdings_snapshots_inactive_value_zero")),
        sa.CheckConstraint(
            "balance >= 0 AND balance <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_asset_holdings_snapshots_balance_uint256"),
        ),
        sa.CheckConstraint("octet_length(token) = 20", name=op.f("ck_asset_holdings_snapshots_token_length")),
        sa.CheckConstraint(
            "price >= 0 AND price <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_asset_holdings_snapshots_price_uint256"),
        ),
        sa.CheckConstraint("tier BETWEEN 0 AND 2", name=op.f("ck_asset_holdings_snapshots_tier_known")),
        sa.CheckConstraint(
            "value >= 0 AND value <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_asset_holdings_snapshots_value_uint256"),
        ),
        sa.PrimaryKeyConstraint("time", "block_number", "token", name=op.f("pk_asset_holdings_snapshots")),
        schema="derived",
    )
    op.create_table(
        "daily_snapshots",
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("cash", sa.Numeric(78, 0), nullable=False),
        sa.Column("layer1_value", sa.Numeric(78, 0), nullable=False),
        sa.Column("layer2_value", sa.Numeric(78, 0), nullable=False),
        sa.Column("layer3_value", sa.Numeric(78, 0), nullable=False),
        sa.Column("gross_assets", sa.Numeric(78, 0), nullable=False),
        sa.Column("net_assets", sa.Numeric(78, 0), nullable=False),
        sa.Column("nav_per_share", sa.Numeric(78, 0), nullable=False),
        sa.Column("total_supply", sa.Numeric(78, 0), nullable=False),
        sa.Column("locked_shares", sa.Numeric(78, 0), nullable=False),
        sa.Column("redemption_liability", sa.Numeric(78, 0), nullable=False),
        sa.Column("withdrawable_redemption_fees", sa.Numeric(78, 0), nullable=False),
        sa.Column("pending_fees", sa.Numeric(78, 0), nullable=False),
        sa.Column("high_water_mark", sa.Numeric(78, 0), nullable=False),
        sa.Column("in_transit", sa.Numeric(78, 0), nullable=False),
        sa.Column("contract_total_assets", sa.Numeric(78, 0), nullable=False),
        sa.Column("contract_share_price", sa.Numeric(78, 0), nullable=False),
        sa.Column("tiers_agree", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "cash >= 0 AND cash <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_daily_snapshots_cash_uint256"),
        ),
        sa.CheckConstraint(
            "contract_share_price >= 0 AND contract_share_price <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_daily_snapshots_contract_share_price_uint256"),
        ),
        sa.CheckConstraint(
            "contract_total_assets >= 0 AND contract_total_assets <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_daily_snapshots_contract_total_assets_uint256"),
        ),
        sa.CheckConstraint(
            "gross_assets = layer1_value + layer2_value + layer3_value", name=op.f("ck_daily_snapshots_gross_assets_sum_tiers")
        ),
        sa.CheckConstraint(
            "gross_assets >= 0 AND gross_assets <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_daily_snapshots_gross_assets_uint256"),
        ),
        sa.CheckConstraint(
            "high_water_mark >= 0 AND high_water_mark <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_daily_snapshots_high_water_mark_uint256"),
        ),
        sa.CheckConstraint(
            "in_transit >= 0 AND in_transit <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_daily_snapshots_in_transit_uint256"),
        ),
        sa.CheckConstraint(
            "layer1_value >= 0 AND layer1_value <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_daily_snapshots_layer1_value_uint256"),
        ),
        sa.CheckConstraint(
            "layer2_value >= 0 AND layer2_value <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_daily_snapshots_layer2_value_uint256"),
        ),
        sa.CheckConstraint(
            "layer3_value >= 0 AND layer3_value <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_daily_snapshots_layer3_value_uint256"),
        ),
        sa.CheckConstraint("locked_shares <= total_supply", name=op.f("ck_daily_snapshots_locked_within_supply")),
        sa.CheckConstraint(
            "locked_shares >= 0 AND locked_shares <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_daily_snapshots_locked_shares_uint256"),
        ),
        sa.CheckConstraint(
            "nav_per_share >= 0 AND nav_per_share <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_daily_snapshots_nav_per_share_uint256"),
        ),
        sa.CheckConstraint(
            "net_assets >= 0 AND net_assets <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_daily_snapshots_net_assets_uint256"),
        ),
        sa.CheckConstraint("octet_length(block_hash) = 32", name=op.f("ck_daily_snapshots_block_hash_length")),
        sa.CheckConstraint(
            "pending_fees >= 0 AND pending_fees <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_daily_snapshots_pending_fees_uint256"),
        ),
        sa.CheckConstraint(
            "redemption_liability >= 0 AND redemption_liability <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_daily_snapshots_redemption_liability_uint256"),
        ),
        sa.CheckConstraint(
            "total_supply >= 0 AND total_supply <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_daily_snapshots_total_supply_uint256"),
        ),
        sa.CheckConstraint(
            "withdrawable_redemption_fees >= 0 AND withdrawable_redemption_fees <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_daily_snapshots_withdrawable_redemption_fees_uint256"),
        ),
        sa.PrimaryKeyConstraint("time", "block_number", name=op.f("pk_daily_snapshots")),
        schema="derived",
    )
    op.create_index("ix_daily_snapshots_block_number", "daily_snapshots", ["block_number"], unique=False, schema="derived")
    op.create_table(
        "nav_points",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("net_assets", sa.Numeric(78, 0), nullable=False),
        sa.Column("effective_supply", sa.Numeric(78, 0), nullable=False),
        sa.Column("nav_per_share", sa.Numeric(78, 0), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("withheld_reason", sa.Text(), nullable=True),
        sa.Column("reconciliation_id", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'PUBLISHED') = (published_at IS NOT NULL)", name=op.f("ck_nav_points_published_at_unless_withheld")
        ),
        sa.CheckConstraint(
            "status <> 'WITHHELD' OR withheld_reason IS NOT NULL", name=op.f("ck_nav_points_reason_when_withheld")
        ),
        sa.CheckConstraint("status IN ('PUBLISHED', 'WITHHELD')", name=op.f("ck_nav_points_status_known")),
        sa.CheckConstraint(
            "effective_supply >= 0 AND effective_supply <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_nav_points_effective_supply_uint256"),
        ),
        sa.CheckConstraint(
            "nav_per_share >= 0 AND nav_per_share <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_nav_points_nav_per_share_uint256"),
        ),
        sa.CheckConstraint(
            "net_assets >= 0 AND net_assets <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_nav_points_net_assets_uint256"),
        ),
        sa.CheckConstraint("octet_length(block_hash) = 32", name=op.f("ck_nav_points_block_hash_length")),
        sa.ForeignKeyConstraint(
            ["reconciliation_id"], ["owned.reconciliations.id"], name=op.f("fk_nav_points_reconciliation_id_reconciliations")
        ),
        sa.PrimaryKeyConstraint("block_number", name=op.f("pk_nav_points")),
        schema="owned",
    )
    op.create_index("ix_nav_points_time", "nav_points", ["time"], unique=False, schema="owned")
    op.create_index(
        "ix_nav_points_withheld",
        "nav_points",
        ["block_number"],
        unique=False,
        schema="owned",
        postgresql_where="status = 'WITHHELD'",
    )


def downgrade() -> None:
    op.drop_index("ix_nav_points_withheld", table_name="nav_points", schema="owned", postgresql_where="status = 'WITHHELD'")
    op.drop_index("ix_nav_points_time", table_name="nav_points", schema="owned")
    op.drop_table("nav_points", schema="owned")
    op.drop_index("ix_daily_snapshots_block_number", table_name="daily_snapshots", schema="derived")
    op.drop_table("daily_snapshots", schema="derived")
    op.drop_table("asset_holdings_snapshots", schema="derived")
