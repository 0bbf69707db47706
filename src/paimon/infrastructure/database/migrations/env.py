"""Alembic's entry point: run migrations as the owner of the tables, over the connection that `paimon db` passes."""

from alembic import context

from paimon.infrastructure.database.models import metadata

SCHEMAS = ("derived", "ops")


def _is_application_object(_object: object, name: str | None, kind: str, *_rest: object) -> bool:
    return kind != "table" or name != "alembic_version"


def run() -> None:
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_schemas=True,
        include_name=lambda name, kind, _parents: kind != "schema" or name in SCHEMAS,
        include_object=_is_application_object,
        compare_type=True,
        compare_server_default=True,
        version_table_schema="public",
    )
    with context.begin_transaction():
        context.run_migrations()


run()
