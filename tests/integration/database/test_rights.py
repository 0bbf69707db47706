"""The rights table and the rights in a migrated database agree, on every edition; and each process checks its own."""

from collections.abc import Iterator
from typing import Final

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import ProgrammingError
from tests.support.database_roles import APP, acting_as
from tests.support.editions import EditionDatabase

from paimon.infrastructure.database import migrate
from paimon.infrastructure.database.rights.apply import apply_rights
from paimon.infrastructure.database.rights.check import RightsMissing, differences, require_rights
from paimon.infrastructure.database.rights.evidence import EVIDENCE
from paimon.infrastructure.database.rights.privileges import TABLE_PRIVILEGES, Privileges
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.rights.table import FUNCTIONS, SCHEMAS, SEQUENCES, TABLES
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.database.sessions import create_engine as create_process_engine
from paimon.infrastructure.timeseries.apply import Edition
from paimon_devkit.stack.embedded_postgres import ROLE_PREFIX, EmbeddedPostgres

pytestmark = pytest.mark.integration

INTENTS: Final = "ops.transaction_intents"
WORKER: Final = DatabaseRole.WORKER.server_name(ROLE_PREFIX)


@pytest.fixture
def owner(owner_url: str) -> Iterator[Engine]:
    """Open a database with exactly the rights of the table; the tests' own role has nothing there but its memberships."""
    migrate.grant_roles(owner_url, revoke_from=[APP])
    engine = create_engine(owner_url)
    yield engine
    engine.dispose()


def rights_differences(owner: Engine) -> list[str]:
    with owner.connect() as connection:
        return differences(connection, prefix=ROLE_PREFIX)


def execute(owner: Engine, statement: str) -> None:
    with owner.begin() as connection:
        connection.execute(text(statement))


def test_migrated_database_has_exactly_the_rights_of_the_table(owner: Engine) -> None:
    assert rights_differences(owner) == []


def test_information_schema_shows_the_rights_of_the_table(owner: Engine) -> None:
    """The standard's own views are a second reading, beside the catalog that `differences` reads."""
    query = """
        SELECT table_schema || '.' || table_name, grantee, privilege_type FROM information_schema.role_table_grants
         WHERE grantee LIKE 'paimon\\_%' AND grantee <> 'paimon_owner' AND table_schema IN ('derived', 'ops')
    """
    with owner.connect() as connection:
        found = {tuple(row) for row in connection.execute(text(query))}
    assert found == {
        (table, role.server_name(ROLE_PREFIX), privilege)
        for table, row in TABLES.items()
        for role, privileges in row.items()
        for privilege in privileges.on_table
        if not table.startswith("public.")
    }


def test_every_table_sequence_and_function_is_in_the_table(owner: Engine) -> None:
    with owner.connect() as connection:
        relations = connection.execute(
            text("""
                SELECT nspname || '.' || relname, relkind FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                 WHERE nspname = ANY(:schemas) AND relkind IN ('r', 'p', 'v', 'm', 'f')
            """),
            {"schemas": [*SCHEMAS]},
        )
        tables = {name for name, _ in relations}
        owned = connection.execute(text("SELECT pg_get_serial_sequence('derived.observations', 'id')")).scalar_one()
    assert tables == {table for table in TABLES if table.split(".")[0] in SCHEMAS}
    assert set(SEQUENCES) == {owned}


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ("CREATE TABLE ops.forgotten (id int); GRANT SELECT ON ops.forgotten TO PUBLIC", "PUBLIC: SELECT on ops.forgotten"),
        (f"GRANT TRUNCATE ON ops.plans TO {WORKER}", f"{WORKER}: TRUNCATE on ops.plans"),
        (f"GRANT UPDATE (raw) ON ops.transaction_attempts TO {WORKER}", f"{WORKER}: UPDATE on ops.transaction_attempts (raw)"),
        (f"GRANT DELETE ON ops.leases TO {APP}", f"{APP}: DELETE on ops.leases"),
        ("CREATE FUNCTION ops.anything() RETURNS int LANGUAGE sql AS 'SELECT 1'", "PUBLIC: EXECUTE on ops.anything()"),
        ("GRANT CREATE ON SCHEMA ops TO PUBLIC", "PUBLIC: CREATE on schema ops"),
        (f"GRANT USAGE ON SEQUENCE ops.outbox_id_seq TO {WORKER}", f"{WORKER}: USAGE on ops.outbox_id_seq"),
        (f"GRANT CREATE ON DATABASE {{database}} TO {WORKER}", f"{WORKER}: CREATE on database"),
    ],
)
def test_right_beyond_the_table_is_a_difference(owner: Engine, database_name: str, change: str, difference: str) -> None:
    execute(owner, change.format(database=database_name))
    assert rights_differences(owner) == [f"not in the rights table: {difference}"]
    with owner.begin() as connection:
        apply_rights(connection, prefix=ROLE_PREFIX, revoke_from=[APP])
    assert rights_differences(owner) == []


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (f"REVOKE UPDATE ON ops.approval_tickets FROM {WORKER}", f"{WORKER}: UPDATE on ops.approval_tickets"),
        (f"REVOKE USAGE ON SCHEMA derived FROM {WORKER}", f"{WORKER}: USAGE on schema derived"),
        (
            "REVOKE EXECUTE ON FUNCTION ops.remove_expired(text, timestamptz, integer) FROM paimon_retention",
            "paimon_retention: EXECUTE on ops.remove_expired(series text, before timestamp with time zone, rows_max integer)",
        ),
    ],
)
def test_missing_right_is_a_difference(owner: Engine, change: str, difference: str) -> None:
    execute(owner, change)
    assert rights_differences(owner) == [f"missing: {difference}"]


def test_rights_hold_on_every_edition(edition_database: EditionDatabase) -> None:
    """The chunks of a hypertable take the rights of their table, which the worker and the listener need there."""
    edition_database.upgrade()
    migrate.grant_roles(edition_database.owner_url, revoke_from=[APP])
    with edition_database.owner() as connection:
        found = differences(connection, prefix=ROLE_PREFIX)
    if edition_database.edition is Edition.FULL:  # this build of PostgreSQL loses changes of its `pg_database`
        found = [line for line in found if not line.endswith(" on database")]
    assert found == []


async def test_process_with_the_wrong_role_is_refused_with_what_it_lacks(
    postgres: EmbeddedPostgres, database_name: str, owner: Engine
) -> None:
    url = postgres.url(DatabaseRole.SCHEDULER.server_name(ROLE_PREFIX), database_name)
    engine = create_process_engine(url, pool_size=1, connect_timeout_seconds=5, application_name="tests")
    try:
        await require_rights(engine, DatabaseRole.SCHEDULER)
        message = r"role paimon_scheduler is not fit for the role worker: it lacks .* and \d+ more.*`paimon db grant-roles`"
        with pytest.raises(RightsMissing, match=message):
            await require_rights(engine, DatabaseRole.WORKER)
    finally:
        await engine.dispose()


def test_missing_role_is_named_and_gets_its_rights_once_it_exists(
    postgres: EmbeddedPostgres, owner_url: str, owner: Engine
) -> None:
    prefix = "another_fund_"
    assert migrate.missing_roles(owner_url, role_prefix=prefix) == list(DatabaseRole)
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {prefix}scheduler LOGIN")
        try:
            missing = migrate.grant_roles(owner_url, role_prefix=prefix)
            assert missing == [role for role in DatabaseRole if role is not DatabaseRole.SCHEDULER]
            with owner.connect() as session:
                found = differences(session, prefix=prefix)
            assert [line for line in found if "another_fund" in line] == []
        finally:
            migrate.grant_roles(owner_url, revoke_from=[f"{prefix}scheduler"])
            connection.execute(f"DROP ROLE {prefix}scheduler")


@pytest.mark.parametrize("text", ["TRUNCATE", "SELECT,INSERT", "SELECT, SELECT", "UPDATE ()", "select"])
def test_cell_with_another_privilege_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a list of privileges"):
        Privileges.parse(text)


def test_cell_is_written_as_it_is_read() -> None:
    for row in TABLES.values():
        for privileges in row.values():
            assert Privileges.parse(str(privileges)) == privileges
            assert privileges.on_table <= set(TABLE_PRIVILEGES)


def test_functions_are_called_by_retention_and_for_refusals_only() -> None:
    called = {function.partition("(")[0]: roles for function, roles in FUNCTIONS.items()}
    assert called == {
        "ops.remove_expired": (DatabaseRole.RETENTION,),
        "ops.remove_audit_payloads": (DatabaseRole.RETENTION,),
        "ops.record_audit": (DatabaseRole.API,),
    }


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ("DROP TRIGGER keep_rows ON ops.plans", "trigger keep_rows on ops.plans is not this version's"),
        ("ALTER TABLE ops.plans DISABLE TRIGGER keep_columns", "trigger keep_columns on ops.plans is not this version's"),
        (f"ALTER TABLE {INTENTS} DISABLE ROW LEVEL SECURITY", f"{INTENTS} has no row-level security"),
        (
            f"CREATE POLICY open ON {INTENTS} FOR INSERT WITH CHECK (true)",
            f"policy open on {INTENTS} is not in this version",
        ),
        (f"DROP POLICY add_as_paimon_api ON {INTENTS}", f"policy add_as_paimon_api on {INTENTS} is missing"),
    ],
)
def test_changed_trigger_or_policy_is_a_difference(owner: Engine, change: str, difference: str) -> None:
    execute(owner, change)
    assert rights_differences(owner) == [difference]


def test_every_table_of_ops_is_evidence_or_is_said_to_change() -> None:
    changing = {
        *(
            "ops.sign_in_challenges",
            "ops.approval_policy_drafts",
            "ops.sessions",
            "ops.refresh_tokens",
            "ops.wallets",
            "ops.safes",
            "ops.leases",
            "ops.rebalance_triggers",
            "ops.signer_leases",
            "ops.outbox",
            "ops.pending_logs",
        ),
        *(
            "ops.endpoint_faults",
            "ops.event_processing_logs",
            "ops.event_processing_hourly",
            "ops.retention_runs",
            "ops.signer_checks",
            "ops.risk_assessment",
            "ops.liquidity_forecasts",
            "ops.routed_events",
            "ops.notifications",
            "ops.notification_events",
            "ops.notification_preferences",
            "ops.risk_metrics_series",
            "ops.risk_metrics_hourly",
        ),
    }
    assert changing | EVIDENCE.keys() == {table for table in TABLES if table.startswith("ops.")}
    assert changing & EVIDENCE.keys() == set()


@pytest.mark.parametrize("role", [DatabaseRole.LISTENER, DatabaseRole.WORKER])
async def test_process_of_a_test_has_the_rights_of_its_own_role_only(database: Database, role: DatabaseRole) -> None:
    """The harnesses of recording and sending act like this, so the ordinary suite finds a right that is missing."""
    async with acting_as(role, database) as own:
        async with own.read() as session:
            assert (await session.execute(text("SELECT current_user::text"))).scalar_one() == f"paimon_{role}"
        with pytest.raises(ProgrammingError, match="permission denied for table user_grants"):
            async with own.write() as session:
                await session.execute(text("DELETE FROM ops.user_grants"))
