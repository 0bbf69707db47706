"""The listener's batches and their hours, and what removes the rows of time series whose time is over."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Runs with the rights of the tables' owner, because only an owner may drop chunks, and the application must not be one.
# What it may take is fixed here: these tables, nothing younger than these days. Nothing of the caller's is executed.
_REMOVE_EXPIRED = """
CREATE FUNCTION owned.remove_expired(series text, before timestamptz, rows_max integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    target regclass;
    days_min integer;
    extension_schema text;
    chunked boolean := false;
    due bigint := 0;
    still_due bigint := 0;
    cut timestamptz;
    deleted bigint;
BEGIN
    SELECT known.target, known.days INTO target, days_min
      FROM (VALUES ('daily_snapshots', 'derived.daily_snapshots'::regclass, 90),
                   ('asset_holdings_snapshots', 'derived.asset_holdings_snapshots'::regclass, 30),
                   ('event_processing_logs', 'owned.event_processing_logs'::regclass, 1)) AS known(name, target, days)
     WHERE known.name = series;
    IF target IS NULL THEN
        RAISE EXCEPTION 'no time series is called %', series USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF before IS NULL OR before > now() - make_interval(days => days_min) THEN
        RAISE EXCEPTION '% is kept for % days at least, not only from % on', series, days_min, before
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF rows_max IS NULL OR rows_max < 1 THEN
        RAISE EXCEPTION 'rows_max must be at least 1' USING ERRCODE = 'invalid_parameter_value';
    END IF;

    SELECT namespace.nspname INTO extension_schema
      FROM pg_extension AS extension JOIN pg_namespace AS namespace ON namespace.oid = extension.extnamespace
     WHERE extension.extname = 'timescaledb';
    IF extension_schema IS NOT NULL THEN
        EXECUTE 'SELECT EXISTS (SELECT FROM timescaledb_information.hypertables
                                 WHERE format(''%I.%I'', hypertable_schema, hypertable_name)::regclass = $1)'
           INTO chunked USING target;
    END IF;
    IF chunked THEN  -- whole chunks first: no row of theirs is read again, or vacuumed
        EXECUTE format('SELECT count(*) FROM %s WHERE time < $1', target) INTO due USING before;
        EXECUTE format('SELECT count(*) FROM %I.drop_chunks($1, older_than => $2)', extension_schema) USING target, before;
        EXECUTE format('SELECT count(*) FROM %s WHERE time < $1', target) INTO still_due USING before;
    END IF;

    EXECUTE format('SELECT max(time) FROM (SELECT time FROM %s WHERE time < $1 ORDER BY time LIMIT $2) AS oldest', target)
       INTO cut USING before, rows_max;
    EXECUTE format('DELETE FROM %s WHERE time <= $1', target) USING cut;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN due - still_due + deleted;
END
$body$
"""


def upgrade() -> None:
    op.create_table(
        "event_processing_logs",
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_block", sa.BigInteger(), nullable=False),
        sa.Column("last_block_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("logs", sa.Integer(), nullable=False),
        sa.Column("quarantined", sa.Integer(), nullable=False),
        sa.Column("lag_blocks", sa.BigInteger(), nullable=False),
        sa.Column("fetch_us", sa.BigInteger(), nullable=False),
        sa.Column("record_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("first_block <= last_block", name=op.f("ck_event_processing_logs_blocks_in_order")),
        sa.CheckConstraint("quarantined BETWEEN 0 AND logs", name=op.f("ck_event_processing_logs_quarantined_within_logs")),
        sa.CheckConstraint("lag_blocks >= 0", name=op.f("ck_event_processing_logs_lag_blocks_not_negative")),
        sa.CheckConstraint("fetch_us >= 0 AND record_us >= 0", name=op.f("ck_event_processing_logs_durations_not_negative")),
        sa.PrimaryKeyConstraint("time", "last_block", name=op.f("pk_event_processing_logs")),
        schema="owned",
    )
    op.create_table(
        "event_processing_hourly",
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("batches", sa.BigInteger(), nullable=False),
        sa.Column("blocks", sa.BigInteger(), nullable=False),
        sa.Column("logs", sa.BigInteger(), nullable=False),
        sa.Column("quarantined", sa.BigInteger(), nullable=False),
        sa.Column("lag_blocks_max", sa.BigInteger(), nullable=False),
        sa.Column("fetch_us", sa.BigInteger(), nullable=False),
        sa.Column("record_us", sa.BigInteger(), nullable=False),
        sa.Column("record_us_max", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("hour = date_trunc('hour', hour, 'UTC')", name=op.f("ck_event_processing_hourly_hour_is_truncated")),
        sa.CheckConstraint("batches > 0 AND blocks >= batches", name=op.f("ck_event_processing_hourly_batches_positive")),
        sa.PrimaryKeyConstraint("hour", name=op.f("pk_event_processing_hourly")),
        schema="owned",
    )
    op.create_table(
        "retention_runs",
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("ran_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kept_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rows_removed", sa.BigInteger(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.CheckConstraint("rows_removed >= 0", name=op.f("ck_retention_runs_rows_removed_not_negative")),
        sa.PrimaryKeyConstraint("series", name=op.f("pk_retention_runs")),
        schema="owned",
    )
    op.execute(_REMOVE_EXPIRED)
    op.execute("REVOKE ALL ON FUNCTION owned.remove_expired(text, timestamptz, integer) FROM PUBLIC")


def downgrade() -> None:
    op.execute("DROP FUNCTION owned.remove_expired(text, timestamptz, integer)")
    op.drop_table("retention_runs", schema="owned")
    op.drop_table("event_processing_hourly", schema="owned")
    op.drop_table("event_processing_logs", schema="owned")
