"""Give every role exactly the rights of the table: what it has is taken back first, then granted anew, in one transaction.

A role that does not exist is left out; `paimon db upgrade` names it. Roles are objects of the server and may need an
administrator, so they are not created here. A role that the table does not know keeps what it was given by hand.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from paimon.infrastructure.database.rights.audited import apply_audit
from paimon.infrastructure.database.rights.evidence import apply_evidence
from paimon.infrastructure.database.rights.policies import apply_policies
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.rights.table import FUNCTIONS, SCHEMAS, SEQUENCES, TEMPORARY_TABLES, privileges_of

log = structlog.get_logger(__name__)

_EXISTING: Final = text("SELECT rolname FROM pg_roles WHERE rolname = ANY(:names)")
_DATABASE: Final = text("SELECT quote_ident(current_database())")
_OF_SCHEMAS: Final = "TABLES", "SEQUENCES", "FUNCTIONS"


def apply_rights(connection: Connection, *, prefix: str, revoke_from: Iterable[str] = ()) -> list[DatabaseRole]:
    """Grant each existing role its rights, as the owner of the tables, and return the roles that do not exist.

    `revoke_from` names other roles that lose all rights in this database, such as one of an earlier version.
    """
    apply_evidence(connection)
    apply_audit(connection)
    missing = find_missing(connection, prefix=prefix)
    existing = {role: role.server_name(prefix) for role in DatabaseRole if role not in missing}
    quote = connection.dialect.identifier_preparer.quote
    statements = [
        *_take_back_defaults(),
        *(statement for name in (*existing.values(), *revoke_from) for statement in _take_back(quote(name))),
        *(statement for role, name in existing.items() for statement in _grant(role, quote(name))),
    ]
    for statement in statements:
        connection.execute(text(statement))
    apply_policies(connection, existing)
    _change_database_rights(connection, existing, revoke_from)
    log.info("database.rights_applied", roles=len(existing), missing=missing)
    return missing


def find_missing(connection: Connection, *, prefix: str) -> list[DatabaseRole]:
    """Return the roles that the server does not have."""
    names = [role.server_name(prefix) for role in DatabaseRole]
    existing = set(connection.execute(_EXISTING, {"names": names}).scalars())
    return [role for role in DatabaseRole if role.server_name(prefix) not in existing]


_DATABASE_RIGHTS: Final = text("""
    SELECT CASE WHEN item.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(item.grantee) END, item.privilege_type
      FROM pg_database CROSS JOIN LATERAL aclexplode(coalesce(datacl, acldefault('d', datdba))) AS item
     WHERE datname = current_database() AND item.grantee <> datdba
""")


def _change_database_rights(connection: Connection, existing: Mapping[DatabaseRole, str], revoke_from: Iterable[str]) -> None:
    """Change the rights on the database itself where they differ: to connect, and to make temporary tables.

    The owner of the tables may not own the database. Then its owner changes them, and `paimon db check` shows what is left.
    """
    try:
        with connection.begin_nested():
            for statement in _database_rights(connection, existing, revoke_from):
                connection.execute(text(statement))
    except DBAPIError as error:
        log.warning("database.rights_not_changed", reason=str(error).splitlines()[0], hint="`paimon db check` lists them")


def _database_rights(connection: Connection, existing: Mapping[DatabaseRole, str], revoke_from: Iterable[str]) -> Iterator[str]:
    database, quote = connection.execute(_DATABASE).scalar_one(), connection.dialect.identifier_preparer.quote
    found = {tuple(row) for row in connection.execute(_DATABASE_RIGHTS)}
    wanted = {(name, "CONNECT") for name in existing.values()}
    wanted |= {(name, "TEMPORARY") for role, name in existing.items() if role in TEMPORARY_TABLES}
    ours = {"PUBLIC", *existing.values(), *revoke_from}
    for grantee, privilege in sorted(found - wanted):
        if grantee in ours:
            yield f"REVOKE {privilege} ON DATABASE {database} FROM {grantee if grantee == 'PUBLIC' else quote(grantee)}"
    for grantee, privilege in sorted(wanted - found):
        yield f"GRANT {privilege} ON DATABASE {database} TO {quote(grantee)}"


def _take_back_defaults() -> Iterator[str]:
    """Take back what PostgreSQL gives to every role: functions, and new objects in `public` on older servers."""
    yield "REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    for schema in SCHEMAS:
        yield f"REVOKE ALL ON SCHEMA {schema} FROM PUBLIC"
        for kind in _OF_SCHEMAS:
            yield f"REVOKE ALL ON ALL {kind} IN SCHEMA {schema} FROM PUBLIC"


def _take_back(role: str) -> Iterator[str]:
    """Take back every right of a role in the schemas. The rights on single columns go with those on their table."""
    yield f"REVOKE ALL ON public.alembic_version FROM {role}"
    for schema in SCHEMAS:
        yield f"REVOKE ALL ON SCHEMA {schema} FROM {role}"
        for kind in _OF_SCHEMAS:
            yield f"REVOKE ALL ON ALL {kind} IN SCHEMA {schema} FROM {role}"


def _grant(role: DatabaseRole, name: str) -> Iterator[str]:
    for schema in SCHEMAS:
        yield f"GRANT USAGE ON SCHEMA {schema} TO {name}"
    for table, privileges in privileges_of(role).items():
        yield f"GRANT {privileges} ON {table} TO {name}"
    for sequence, roles in SEQUENCES.items():
        if role in roles:
            yield f"GRANT USAGE ON SEQUENCE {sequence} TO {name}"
    for function, roles in FUNCTIONS.items():
        if role in roles:
            yield f"GRANT EXECUTE ON FUNCTION {function} TO {name}"
