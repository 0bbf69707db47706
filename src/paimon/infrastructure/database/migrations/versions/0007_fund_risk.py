"""The fund's risk: its policies, the last assessment, and the indicators over time with their hours."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007_fund_risk"
down_revision = "0006_signed_actions"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"
_KINDS_BEFORE = (
    "'RECONCILIATION_BREAK','NAV_UNEXPLAINED','LOW_GAS','FINALITY_LAG','FINAL_BLOCK_CHANGED','ORPHANED_EFFECT','CHAIN_BEHIND',"
    "'EFFECT_UNKNOWN','UNSIGNED_MOVEMENT','UNSIGNED_USER','UNSIGNED_GRANT','SPLIT_REDEMPTIONS','DUST_REDEMPTIONS'"
)
_KINDS = "'INDICATOR_BREACH','RISK_LEVEL'"
_LEVELS = "('NORMAL', 'ELEVATED', 'HIGH', 'CRITICAL')"
_STATUSES = "('NOT_MEASURED', 'NORMAL', 'WARNING', 'CRITICAL')"
_SERIES_BEFORE = "('event_processing_logs', 'ops.event_processing_logs'::regclass, 1)"
_SERIES = f"{_SERIES_BEFORE},\n                   ('risk_metrics_series', 'ops.risk_metrics_series'::regclass, 30)"


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    _create_tables()
    op.create_index("ix_transaction_intents_closed_at", "transaction_intents", ["closed_at"], schema="ops")
    _replace_kinds(f"{_KINDS_BEFORE},{_KINDS}")
    _replace_series(_SERIES_BEFORE, _SERIES)


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    _replace_series(_SERIES, _SERIES_BEFORE)
    op.execute(f"DELETE FROM ops.risk_events WHERE kind IN ({_KINDS})")  # noqa: S608
    _replace_kinds(_KINDS_BEFORE)
    op.drop_index("ix_transaction_intents_closed_at", "transaction_intents", schema="ops")
    for table in ("risk_metrics_hourly", "risk_metrics_series", "risk_assessment", "risk_policies"):
        op.drop_table(table, schema="ops")


def _create_tables() -> None:
    op.create_table(
        "risk_policies",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("version ~ '^[0-9a-f]{12}$'", name=op.f("ck_risk_policies_version_form")),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_risk_policies")),
        schema="ops",
    )
    op.create_table(
        "risk_assessment",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("assessed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("level_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("indicated", sa.String(), nullable=False),
        sa.Column("lower_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lower_highest", sa.String(), nullable=False),
        sa.Column("score", sa.Numeric(), nullable=False),
        sa.Column("policy_version", sa.Text(), nullable=False),
        sa.Column("measurements", postgresql.JSONB(), nullable=False),
        sa.Column("contributions", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_risk_assessment_one_row")),
        sa.CheckConstraint(f"level IN {_LEVELS}", name=op.f("ck_risk_assessment_level_known")),
        sa.CheckConstraint(f"indicated IN {_LEVELS}", name=op.f("ck_risk_assessment_indicated_known")),
        sa.CheckConstraint(f"lower_highest IN {_LEVELS}", name=op.f("ck_risk_assessment_lower_highest_known")),
        sa.CheckConstraint("score BETWEEN 0 AND 100", name=op.f("ck_risk_assessment_score_in_range")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_risk_assessment")),
        schema="ops",
    )
    op.create_table(
        "risk_metrics_series",
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("indicator", sa.Text(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Numeric(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("threshold_version", sa.Text(), nullable=False),
        sa.CheckConstraint(f"level IN {_STATUSES}", name=op.f("ck_risk_metrics_series_level_known")),
        sa.PrimaryKeyConstraint("time", "indicator", name=op.f("pk_risk_metrics_series")),
        schema="ops",
    )
    op.create_table(
        "risk_metrics_hourly",
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("indicator", sa.Text(), nullable=False),
        sa.Column("samples", sa.BigInteger(), nullable=False),
        sa.Column("minimum", sa.Numeric(), nullable=False),
        sa.Column("maximum", sa.Numeric(), nullable=False),
        sa.Column("total", sa.Numeric(), nullable=False),
        sa.Column("last_value", sa.Numeric(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("hour = date_trunc('hour', hour, 'UTC')", name=op.f("ck_risk_metrics_hourly_hour_is_truncated")),
        sa.CheckConstraint("samples > 0", name=op.f("ck_risk_metrics_hourly_samples_positive")),
        sa.CheckConstraint(
            "minimum <= last_value AND last_value <= maximum", name=op.f("ck_risk_metrics_hourly_last_within_bounds")
        ),
        sa.PrimaryKeyConstraint("hour", "indicator", name=op.f("pk_risk_metrics_hourly")),
        schema="ops",
    )


def _replace_kinds(kinds: str) -> None:
    op.drop_constraint(op.f("ck_risk_events_kind_known"), "risk_events", schema="ops")
    op.create_check_constraint(op.f("ck_risk_events_kind_known"), "risk_events", f"kind IN ({kinds})", schema="ops")


def _replace_series(before: str, after: str) -> None:
    """Replace the list of series in `ops.remove_expired`, and nothing else of it."""
    definition: str = (
        op.get_bind()
        .execute(sa.text("SELECT pg_get_functiondef('ops.remove_expired(text, timestamptz, integer)'::regprocedure)"))
        .scalar_one()
    )
    if before not in definition:
        raise RuntimeError("ops.remove_expired is not the function that the migrations made: compare it with 0001_initial")
    op.execute(definition.replace(before, after))
