"""Apply TimescaleDB to the time series where it is available: hypertables in both editions, compression in the full one.

    PLAIN   no extension: the tables as the migrations made them
    APACHE  the same tables in chunks, so that retention drops files instead of deleting rows
    FULL    the same, with old chunks compressed by a policy of the extension

Only storage differs. Names, columns, constraints, queries, the hourly sums and retention are the same in all three, so no
code above this folder depends on the edition. `paimon db upgrade` applies it after the migrations, in their transaction. It
can be repeated at any time and changes nothing when nothing has changed. The next run applies an extension that was
installed later.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from paimon.infrastructure.database.models.base import Base, table_of
from paimon.infrastructure.database.models.derived.snapshot import AssetHoldingSnapshotRow, DailySnapshotRow
from paimon.infrastructure.database.models.ops.event_listener import EventProcessingLogRow
from paimon.infrastructure.database.models.ops.fund_risk import RiskMetricRow
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

log = structlog.get_logger(__name__)


class Edition(StrEnum):
    PLAIN = "plain tables"
    APACHE = "TimescaleDB, Apache edition"
    FULL = "TimescaleDB, full edition"


@dataclass(frozen=True, slots=True)
class Series:
    """A table over `time`, the span of one chunk, and the order in which old chunks are compressed, if they are."""

    model: type[Base]
    chunk: timedelta
    compress_order: str | None = None

    @property
    def name(self) -> str:
        return table_of(self.model).name

    @property
    def table(self) -> str:
        return table_of(self.model).fullname


SERIES: Final = (
    Series(DailySnapshotRow, timedelta(days=30), compress_order="time, block_number"),
    Series(AssetHoldingSnapshotRow, timedelta(days=30)),
    Series(EventProcessingLogRow, timedelta(days=1)),
    Series(RiskMetricRow, timedelta(days=7)),
)

_EDITION: Final = text("""
    SELECT CASE WHEN NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN 'PLAIN'
                WHEN current_setting('timescaledb.license', true) = 'timescale' THEN 'FULL'
                ELSE 'APACHE' END
""")
"""The result is the same for every role. The full edition under an Apache licence setting refuses its own features, so it
counts as Apache."""


def apply_timeseries(connection: Connection, *, compress_after: timedelta) -> Edition:
    """Apply the features of this database's TimescaleDB to the series; create the extension where possible."""
    _create_extension(connection)
    edition = Edition[connection.execute(_EDITION).scalar_one()]
    if edition is not Edition.PLAIN:
        schema = connection.execute(_EXTENSION_SCHEMA).scalar_one()
        for series in SERIES:
            _make_hypertable(connection, schema, series)
            if edition is Edition.FULL and series.compress_order is not None:
                _compress(connection, schema, series, series.compress_order, compress_after)
    log.info("timeseries.applied", edition=edition.value)
    return edition


async def find_edition(session: ReadSession | WriteSession) -> Edition:
    """Find which edition stores the series of this database."""
    return Edition[(await session.execute(_EDITION)).scalar_one()]


# The setting `timescaledb.max_background_workers` exists only where the server loaded the library at its start. Without that,
# CREATE EXTENSION would end the session.
_CREATABLE: Final = text("""
    SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb' AND installed_version IS NULL)
       AND current_setting('timescaledb.max_background_workers', true) IS NOT NULL
""")


def _create_extension(connection: Connection) -> None:
    if not connection.execute(_CREATABLE).scalar_one():
        return
    try:
        with connection.begin_nested():
            connection.execute(text("CREATE EXTENSION timescaledb"))
    except DBAPIError as error:  # plain tables work too, but the extension was installed for a reason
        log.warning(
            "timeseries.extension_missing",
            reason=str(error).splitlines()[0],
            hint="CREATE EXTENSION timescaledb as a superuser, then `paimon db upgrade` again",
        )


_EXTENSION_SCHEMA: Final = text("""
    SELECT quote_ident(namespace.nspname)
      FROM pg_extension AS extension JOIN pg_namespace AS namespace ON namespace.oid = extension.extnamespace
     WHERE extension.extname = 'timescaledb'
""")
"""Every call names the schema, since a role's search path may not contain it."""

_IS_HYPERTABLE: Final = text("""
    SELECT EXISTS (SELECT FROM timescaledb_information.hypertables
                    WHERE format('%I.%I', hypertable_schema, hypertable_name)::regclass = CAST(:table AS regclass))
""")


def _make_hypertable(connection: Connection, schema: str, series: Series) -> None:
    """Convert a table. No index is added, since the primary key starts with the time: the table stays as in the models."""
    if connection.execute(_IS_HYPERTABLE, {"table": series.table}).scalar_one():
        return
    statement = f"""
        SELECT {schema}.create_hypertable(
            CAST(:table AS regclass), {schema}.by_range('time', CAST(:chunk AS interval)),
            create_default_indexes => false, migrate_data => true)
    """
    connection.execute(text(statement), {"table": series.table, "chunk": series.chunk})


_COMPRESSED_AFTER: Final = text("""
    SELECT CAST(config ->> 'compress_after' AS interval)
      FROM timescaledb_information.jobs
     WHERE proc_name = 'policy_compression'
       AND format('%I.%I', hypertable_schema, hypertable_name)::regclass = CAST(:table AS regclass)
""")


def _compress(connection: Connection, schema: str, series: Series, order: str, after: timedelta) -> None:
    found = connection.execute(_COMPRESSED_AFTER, {"table": series.table}).scalar_one_or_none()
    if found == after:
        return
    if found is None:
        options = f"timescaledb.compress, timescaledb.compress_orderby = '{order}'"
        connection.execute(text(f"ALTER TABLE {series.table} SET ({options})"))
    else:
        connection.execute(
            text(f"SELECT {schema}.remove_compression_policy(CAST(:table AS regclass))"), {"table": series.table}
        )
    policy = f"SELECT {schema}.add_compression_policy(CAST(:table AS regclass), compress_after => CAST(:after AS interval))"
    connection.execute(text(policy), {"table": series.table, "after": after})
