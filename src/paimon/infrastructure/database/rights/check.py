"""Compare the rights in a database with the rights table, read from PostgreSQL's catalog.

A process checks its own role at its start: a missing right would otherwise show as an error in the middle of its work. What a
role has beyond the table is logged, since a process that connects as the owner can do anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from paimon.errors import StartupError
from paimon.infrastructure.database.rights.apply import find_missing
from paimon.infrastructure.database.rights.audited import audit_differences
from paimon.infrastructure.database.rights.evidence import evidence_differences
from paimon.infrastructure.database.rights.policies import policy_differences
from paimon.infrastructure.database.rights.roles import OWNER, DatabaseRole
from paimon.infrastructure.database.rights.table import (
    FUNCTIONS,
    SCHEMAS,
    SEQUENCES,
    TEMPORARY_TABLES,
    privileges_of,
)

log = structlog.get_logger(__name__)


class RightsMissing(StartupError):
    """The database role of this process lacks rights that the process needs."""


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One privilege of one grantee on one object. `grantee` is a role's name, or PUBLIC."""

    grantee: str
    privilege: str
    object: str

    def __str__(self) -> str:
        return f"{self.grantee}: {self.privilege} on {self.object}"


# What an owner has of its own objects is left out: it is what makes it the owner.
_FOUND: Final = text("""
    WITH found AS (
        SELECT format('%s.%s', nspname, relname) AS object, relowner AS owner,
               coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)) AS acl
          FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
         WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
           AND (nspname = ANY(:schemas) OR (nspname = 'public' AND relname = 'alembic_version'))
        UNION ALL
        SELECT format('%s.%s (%s)', nspname, relname, attname), relowner, attacl
          FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
         WHERE nspname = ANY(:schemas) AND attacl IS NOT NULL AND NOT attisdropped
        UNION ALL
        SELECT format('%s.%s(%s)', nspname, proname, pg_get_function_identity_arguments(pg_proc.oid)), proowner,
               coalesce(proacl, acldefault('f', proowner))
          FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
         WHERE nspname = ANY(:schemas)
        UNION ALL
        SELECT format('schema %s', nspname), nspowner, coalesce(nspacl, acldefault('n', nspowner))
          FROM pg_namespace WHERE nspname = ANY(:schemas)
        UNION ALL
        SELECT 'database', datdba, coalesce(datacl, acldefault('d', datdba)) FROM pg_database WHERE datname = current_database()
    )
    SELECT CASE WHEN item.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(item.grantee) END AS grantee,
           item.privilege_type AS privilege, found.object
      FROM found CROSS JOIN LATERAL aclexplode(found.acl) AS item
     WHERE item.grantee <> found.owner
""")
_FUNCTION_NAMES: Final = text("""
    SELECT format('%s.%s(%s)', nspname, proname, pg_get_function_identity_arguments(pg_proc.oid))
      FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace WHERE pg_proc.oid = CAST(:function AS regprocedure)
""")


def differences(connection: Connection, *, prefix: str) -> list[str]:
    """List each right that is missing or too much, and each trigger and policy that differs, one line each.

    A role that does not exist misses nothing.
    """
    existing = {role.server_name(prefix) for role in DatabaseRole} - {
        role.server_name(prefix) for role in find_missing(connection, prefix=prefix)
    }
    found = {Right(*row) for row in connection.execute(_FOUND, {"schemas": [*SCHEMAS]})}
    wanted = {right for right in _wanted(connection, prefix) if right.grantee in existing}
    return [
        *(f"missing: {right}" for right in sorted(wanted - found)),
        *(f"not in the rights table: {right}" for right in sorted(found - wanted)),
        *evidence_differences(connection),
        *audit_differences(connection),
        *policy_differences(connection, prefix=prefix),
    ]


def _wanted(connection: Connection, prefix: str) -> Iterator[Right]:
    functions = {
        connection.execute(_FUNCTION_NAMES, {"function": function}).scalar_one(): roles for function, roles in FUNCTIONS.items()
    }
    for role in DatabaseRole:
        name = role.server_name(prefix)
        yield Right(name, "CONNECT", "database")
        if role in TEMPORARY_TABLES:
            yield Right(name, "TEMPORARY", "database")
        for schema in SCHEMAS:
            yield Right(name, "USAGE", f"schema {schema}")
        for table, privileges in privileges_of(role).items():
            for privilege in privileges.on_table:
                yield Right(name, privilege, table)
            for privilege, columns in privileges.on_columns.items():
                for column in columns:
                    yield Right(name, privilege, f"{table} ({column})")
        for sequence, roles in SEQUENCES.items():
            if role in roles:
                yield Right(name, "USAGE", sequence)
        for function, roles in functions.items():
            if role in roles:
                yield Right(name, "EXECUTE", function)


_LACKING: Final = text("""
    SELECT wanted.privilege, wanted.table_name, wanted.column_name
      FROM unnest(CAST(:privileges AS text[]), CAST(:tables AS text[]), CAST(:columns AS text[]))
           AS wanted(privilege, table_name, column_name)
     WHERE NOT CASE WHEN wanted.column_name IS NULL THEN has_table_privilege(wanted.table_name, wanted.privilege)
                    ELSE has_column_privilege(wanted.table_name, wanted.column_name, wanted.privilege) END
""")
_OWNS: Final = text("""
    SELECT EXISTS (SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                    WHERE nspname = 'ops' AND pg_has_role(relowner, 'USAGE'))
""")


async def require_rights(engine: AsyncEngine, role: DatabaseRole, *, url_setting: str = "PAIMON_DATABASE__URL") -> None:
    """Check that the engine's role has the rights of this role, and log when it can do more than any process may.

    `url_setting` is where the role's URL belongs.

    Raises:
        RightsMissing: the message names the first missing rights, the setting, and the command that grants rights.
    """
    async with engine.connect() as connection:
        await connection.run_sync(_require_rights, role, url_setting)


def _require_rights(connection: Connection, role: DatabaseRole, url_setting: str) -> None:
    rows = [
        (privilege, table, column)
        for table, privileges in privileges_of(role).items()
        for privilege, column in (
            *((privilege, None) for privilege in sorted(privileges.on_table)),
            *((privilege, column) for privilege, columns in privileges.on_columns.items() for column in columns),
        )
    ]
    privileges, tables, columns = (list(values) for values in zip(*rows, strict=True))
    name = connection.engine.url.username
    values = {"privileges": privileges, "tables": tables, "columns": columns}
    if lacking := connection.execute(_LACKING, values).all():
        shown = ", ".join(
            f"{row.privilege} on {row.table_name}{f' ({row.column_name})' if row.column_name else ''}" for row in lacking[:3]
        )
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        raise RightsMissing(
            f"the database role {name} is not fit for the role {role}: it lacks {shown}{more}. Connect as that role"
            f" ({url_setting}), and grant its rights by `paimon db grant-roles`"
        )
    if connection.execute(_OWNS).scalar_one():
        log.warning("database.role_too_strong", role=name, wanted=role.value, reason=f"it has the rights of the {OWNER}")
