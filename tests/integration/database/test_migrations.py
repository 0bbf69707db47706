"""Tests of migrations: they match the models, run in both directions, and no process runs on another version's database."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError, ProgrammingError

from paimon.infrastructure.database import migrate, version
from paimon.infrastructure.database.models import metadata
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.database.sessions import create_engine as create_app_engine
from paimon.infrastructure.database.version import DatabaseBehind, DatabaseTooOld
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration

# Columns, constraints and indexes as PostgreSQL has them. Alembic's comparison skips checks and partial indexes.
# A check that was added with NOT VALID refuses what the model's refuses; a later release validates it.
CATALOGUE = """
    SELECT 'column', format('%s.%s', attrelid::regclass, attname),
           concat_ws(' ', format_type(atttypid, atttypmod), attnotnull, attidentity, pg_get_expr(adbin, adrelid))
      FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
      JOIN pg_class ON pg_class.oid = attrelid
     WHERE relkind = 'r' AND attnum > 0 AND NOT attisdropped
       AND relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('derived', 'ops'))
     UNION
    SELECT 'constraint', format('%s.%s', conrelid::regclass, conname), replace(pg_get_constraintdef(oid), ' NOT VALID', '')
      FROM pg_constraint
     WHERE contype <> 't' AND connamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('derived', 'ops'))
     UNION
    SELECT 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid)
      FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
     WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('derived', 'ops'))
"""


def catalogue(engine: Engine) -> set[tuple[Any, ...]]:
    with engine.connect() as connection:
        return {tuple(row) for row in connection.execute(text(CATALOGUE))}


@pytest.fixture
def empty_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """Create an empty database that the owner of the tables owns."""
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE paimon_empty OWNER paimon_owner")
    yield postgres.url("paimon_owner", "paimon_empty")
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        connection.execute("DROP DATABASE paimon_empty WITH (FORCE)")


@pytest.fixture
def owner(owner_url: str) -> Iterator[Engine]:
    """Open the migrated database as the owner of its tables."""
    engine = create_engine(owner_url)
    yield engine
    engine.dispose()


def test_models_and_migrations_agree(owner_url: str) -> None:
    assert migrate.drift(owner_url) == []


def test_column_on_one_side_only_is_drift(owner_url: str, owner: Engine) -> None:
    with owner.begin() as connection:
        connection.execute(text("ALTER TABLE ops.leases DROP COLUMN owner"))
    assert any("leases" in line and "owner" in line for line in migrate.drift(owner_url))


def test_migrations_make_the_tables_of_the_models(owner: Engine, empty_url: str) -> None:
    from_models = create_engine(empty_url)
    try:
        with from_models.begin() as connection:
            for schema in ("derived", "ops"):
                connection.execute(text(f"CREATE SCHEMA {schema}"))
            metadata.create_all(connection)
        assert catalogue(from_models) == catalogue(owner)
    finally:
        from_models.dispose()


def test_downgrade_and_upgrade_restore_the_same_tables(owner_url: str, owner: Engine) -> None:
    before = catalogue(owner)
    with owner.begin() as connection:
        command.downgrade(migrate._config(connection), "base")
    with owner.connect() as connection:
        left = connection.execute(text("SELECT nspname FROM pg_namespace WHERE nspname IN ('derived', 'ops')")).all()
    assert left == []
    assert migrate.upgrade(owner_url) == version.head_revision()
    assert catalogue(owner) == before


def test_each_migration_can_be_reverted_alone(owner_url: str, owner: Engine) -> None:
    before = catalogue(owner)
    with owner.begin() as connection:
        command.downgrade(migrate._config(connection), "-1")
    assert catalogue(owner) != before
    migrate.upgrade(owner_url)
    assert catalogue(owner) == before


def test_database_of_the_first_migration_keeps_its_rows(owner_url: str, owner: Engine) -> None:
    with owner.begin() as connection:
        command.downgrade(migrate._config(connection), "0001_initial")
        event = """
            INSERT INTO ops.risk_events (kind, subject, observed, expected, severity, status, owner_role, first_seen_at,
                   first_seen_block, last_seen_at, last_seen_block)
            VALUES ('LOW_GAS', 'keeper', '1', '2', 'WARNING', 'OPEN', 'operator', now(), 1, now(), 1)
        """
        connection.execute(text(event))
    assert migrate.upgrade(owner_url) == version.head_revision()
    with owner.connect() as connection:
        assert connection.execute(text("SELECT subject FROM ops.risk_events")).scalars().all() == ["keeper"]
        assert connection.execute(text("SELECT count(*) FROM ops.user_grants")).scalar_one() == 0


EVENT_OF_THIS_KIND = """
    INSERT INTO ops.risk_events (kind, subject, observed, expected, severity, status, owner_role, first_seen_at,
           first_seen_block, last_seen_at, last_seen_block)
    VALUES (:kind, 'x', '1', '2', 'WARNING', 'OPEN', 'operator', now(), 1, now(), 1)
"""


@pytest.mark.parametrize(
    ("kind", "before"), [("EMERGENCY", "0029_rebalance_deviation"), ("REBALANCE_DEVIATION", "0028_rebalance")]
)
def test_kept_events_are_not_deleted_by_a_downgrade(owner: Engine, kind: str, before: str) -> None:
    """They are evidence, and notifications refer to them."""
    with owner.begin() as connection:
        connection.execute(text(EVENT_OF_THIS_KIND), {"kind": kind})
    with pytest.raises(RuntimeError, match="no earlier version keeps"), owner.begin() as connection:
        command.downgrade(migrate._config(connection), before)
    with owner.connect() as connection:
        assert connection.execute(text("SELECT kind FROM ops.risk_events")).scalars().all() == [kind]


@pytest.mark.parametrize("revision", ["0028_rebalance", "0029_rebalance_deviation", "0030_emergencies"])
def test_check_of_kinds_is_replaced_without_a_read_of_the_events(owner: Engine, revision: str) -> None:
    """In both directions, and it refuses what is none."""
    with owner.begin() as connection:
        command.downgrade(migrate._config(connection), revision)
        is_validated = "SELECT convalidated FROM pg_constraint WHERE conname = 'ck_risk_events_kind_known'"
        assert connection.execute(text(is_validated)).scalar_one() is False
    with pytest.raises(IntegrityError, match="ck_risk_events_kind_known"), owner.begin() as connection:
        connection.execute(text(EVENT_OF_THIS_KIND), {"kind": "NONE_SUCH"})


EARLY_INITIAL = """
    DROP INDEX IF EXISTS ops.ix_approval_tickets_opened_at, ops.ix_risk_events_first_seen_at, ops.ix_plans_created_at,
                         ops.ix_transaction_intents_created_at, derived.ix_share_balances_total_shares;
    CREATE INDEX ix_share_balances_total_shares ON derived.share_balances ((shares + locked_shares) DESC, holder);
    DROP TABLE ops.signer_checks
"""
"""Makes the tables of 0001_initial those of its first commit."""


def test_database_of_an_early_first_migration_gets_what_it_lacks(owner_url: str, owner: Engine) -> None:
    before = catalogue(owner)
    with owner.begin() as connection:
        command.downgrade(migrate._config(connection), "0001_initial")
        connection.execute(text(EARLY_INITIAL))
    assert migrate.upgrade(owner_url) == version.head_revision()
    assert catalogue(owner) == before


def test_migrations_are_linear_and_named_like_their_files() -> None:
    line = [script.revision for script in ScriptDirectory.from_config(migrate._config()).walk_revisions()]
    assert line[::-1] == version.shipped_revisions()
    assert all(len(revision) <= 32 for revision in line), "Alembic's own table has no room for a longer name"


def test_repeated_upgrade_changes_nothing(owner_url: str, owner: Engine) -> None:
    with owner.begin() as connection:
        connection.execute(text("INSERT INTO ops.leases VALUES ('listener', 'tests', 7, now())"))
    before = catalogue(owner)
    assert migrate.upgrade(owner_url) == version.head_revision()
    assert catalogue(owner) == before
    with owner.connect() as connection:
        assert connection.execute(text("SELECT epoch FROM ops.leases")).scalar_one() == 7


def test_failed_migration_leaves_database_unchanged(empty_url: str) -> None:
    """The second schema is there already, so the first migration fails half-way; the whole migration is one transaction."""
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA ops"))
    with pytest.raises(ProgrammingError, match='schema "ops" already exists'):
        migrate.upgrade(empty_url)
    try:
        with engine.connect() as connection:
            assert connection.execute(text("SELECT to_regnamespace('derived') IS NULL")).scalar_one()
    finally:
        engine.dispose()


async def opened(url: str) -> Database:
    return Database(create_app_engine(url, pool_size=1, connect_timeout_seconds=5, application_name="tests"))


async def test_current_database_is_accepted(database: Database) -> None:
    await version.require_current(database.engine)


async def test_empty_database_is_refused_with_the_command_to_run(empty_url: str) -> None:
    empty = await opened(empty_url)
    try:
        with pytest.raises(DatabaseBehind, match=r"at migration none, .* needs \w+: run `paimon db upgrade`"):
            await version.require_current(empty.engine)
    finally:
        await empty.close()


@pytest.mark.parametrize("outlived", ["0001", "0002", "0023"])
async def test_database_of_replaced_migrations_is_refused_with_what_to_do(
    owner_url: str, owner: Engine, database: Database, outlived: str
) -> None:
    """test_add_a_migration.py has the tests of one migration behind or ahead."""
    with owner.begin() as connection:
        connection.execute(text("UPDATE public.alembic_version SET version_num = :outlived"), {"outlived": outlived})
    before = catalogue(owner)
    message = rf"at migration {outlived} of a chain from before 0001_initial.*: take an empty database, run `paimon db upgrade`"
    with pytest.raises(DatabaseTooOld, match=message):
        await version.require_current(database.engine)
    with pytest.raises(DatabaseTooOld, match=message):
        migrate.upgrade(owner_url)
    assert catalogue(owner) == before
