"""The role of the tests that are all processes at once, and their fixtures: `paimon_app`.

It is a member of every process's role, and may also write every table, since fixtures write rows as the listener and the
workers would. What a single process may do is tested as that process's role.
"""

from sqlalchemy import create_engine, text

from paimon.infrastructure.database.rights.table import SCHEMAS

APP = "paimon_app"


def let_app_role_write_everything(owner_url: str) -> None:
    """Give `paimon_app` the four rights on every table of a migrated database, as the owner of the tables."""
    engine = create_engine(owner_url)
    try:
        with engine.begin() as connection:
            for schema in SCHEMAS:
                connection.execute(text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {APP}"))
    finally:
        engine.dispose()
