"""Triggers that the owner of the tables keeps as this version has them: made, compared and removed by their definition."""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection, text

Triggers = Mapping[tuple[str, str], str]
"""The statement that makes a trigger, by table and name."""

_FOUND: Final = text("""
    SELECT format('%s.%s', nspname, relname) AS table_name, tgname AS name,
           CASE tgenabled WHEN 'O' THEN obj_description(pg_trigger.oid, 'pg_trigger') END AS digest
      FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
     WHERE nspname IN ('derived', 'ops') AND NOT tgisinternal AND tgname ~ :names
""")


def apply_triggers(connection: Connection, functions: Iterable[str], wanted: Triggers, *, names: str) -> None:
    """Create functions and triggers, as the owner of the tables; a trigger that is there already is left alone.

    `names` is a regular expression: other triggers whose names match it are removed. A trigger waits for the sessions that
    write its table, so the transaction fails after 5 s.
    """
    connection.execute(text("SET LOCAL lock_timeout = '5s'"))
    for function in functions:
        connection.execute(text(function))
    found = _find(connection, names)
    for table, name in found.keys() - wanted.keys():
        connection.execute(text(f"DROP TRIGGER {name} ON {table}"))
    for (table, name), definition in wanted.items():
        digest = _digest(definition)
        if found.get((table, name)) != digest:
            connection.execute(text(f"DROP TRIGGER IF EXISTS {name} ON {table}"))
            connection.execute(text(definition))
            connection.execute(text(f"COMMENT ON TRIGGER {name} ON {table} IS '{digest}'"))


def trigger_differences(connection: Connection, wanted: Triggers, *, names: str) -> list[str]:
    """List each trigger that is missing, switched off, or another than this version's, one line each."""
    found = _find(connection, names)
    differing = (key for key in wanted.keys() | found.keys() if found.get(key) != _digest(wanted.get(key, "")))
    return [f"trigger {name} on {table} is not this version's" for table, name in sorted(differing)]


def _find(connection: Connection, names: str) -> dict[tuple[str, str], str]:
    return {(row.table_name, row.name): row.digest for row in connection.execute(_FOUND, {"names": names})}


def _digest(definition: str) -> str:
    return sha256(definition.encode()).hexdigest()[:16]
