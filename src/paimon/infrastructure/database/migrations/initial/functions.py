"""The function that removes expired rows of the time series."""

from typing import Final

from alembic import op

# It runs with the rights of the tables' owner: only an owner may drop chunks, and the application's role must not be one.
# The tables and the least number of days kept are fixed here, and no text of the caller is executed.
_REMOVE_EXPIRED: Final = """
CREATE FUNCTION ops.remove_expired(series text, before timestamptz, rows_max integer) RETURNS bigint
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
                   ('event_processing_logs', 'ops.event_processing_logs'::regclass, 1)) AS known(name, target, days)
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
    IF chunked THEN  -- whole chunks first: their rows are not read again or vacuumed
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


def create_functions() -> None:
    """Create the function. Only the owner may call it until `paimon db upgrade` grants it to the application's role."""
    op.execute(_REMOVE_EXPIRED)
    op.execute("REVOKE ALL ON FUNCTION ops.remove_expired(text, timestamptz, integer) FROM PUBLIC")
