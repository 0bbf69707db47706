"""Row-level security where a right on the table is too wide: which kinds of intents a role may add.

Several processes add intents, each of its own kinds. To read and to change rows, the rights of the table and the triggers of
evidence are enough, so these policies let everyone.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, text

from paimon.domain.transaction.lifecycle import IntentKind
from paimon.infrastructure.database.rights.roles import DatabaseRole

_ALL_KINDS: Final = frozenset(IntentKind)
INTENT_KINDS: Final[Mapping[DatabaseRole, frozenset[IntentKind]]] = {
    DatabaseRole.API: _ALL_KINDS - {IntentKind.EXECUTE_SAFE},
    DatabaseRole.WORKER: _ALL_KINDS - {IntentKind.PLAN_STEP},
    DatabaseRole.PLANNER: frozenset({IntentKind.PLAN_STEP}),
    DatabaseRole.CLI: frozenset({IntentKind.PLAN_STEP}),
}
"""The kinds of intents that a role may add. Votes and settlements of people come over the API; the worker executes Safes."""

_TABLE: Final = "ops.transaction_intents"
_FOUND: Final = text("""
    SELECT policyname AS name, cmd FROM pg_policies WHERE format('%s.%s', schemaname, tablename) = :table
""")
_SECURED: Final = text("SELECT relrowsecurity FROM pg_class WHERE oid = CAST(:table AS regclass)")


def apply_policies(connection: Connection, names: Mapping[DatabaseRole, str]) -> None:
    """Create the policies for these roles, as the owner of the tables. Policies of roles of another prefix stay."""
    quote = connection.dialect.identifier_preparer.quote
    if not connection.execute(_SECURED, {"table": _TABLE}).scalar_one():
        connection.execute(text(f"ALTER TABLE {_TABLE} ENABLE ROW LEVEL SECURITY"))
    found = {row.name for row in connection.execute(_FOUND, {"table": _TABLE})}
    for name, command in (("read", "SELECT"), ("change", "UPDATE")):
        if name not in found:
            connection.execute(text(f"CREATE POLICY {name} ON {_TABLE} FOR {command} USING (true)"))
    for role, kinds in INTENT_KINDS.items():
        if role not in names:
            continue
        policy, listed = quote(_policy_name(names[role])), ", ".join(f"'{kind}'" for kind in sorted(kinds))
        connection.execute(text(f"DROP POLICY IF EXISTS {policy} ON {_TABLE}"))
        statement = f"CREATE POLICY {policy} ON {_TABLE} FOR INSERT TO {quote(names[role])} WITH CHECK (kind IN ({listed}))"
        connection.execute(text(statement))


def policy_differences(connection: Connection, *, prefix: str) -> list[str]:
    """Say whether row-level security is off, and list each policy that is missing or that someone added by hand."""
    secured = connection.execute(_SECURED, {"table": _TABLE}).scalar_one()
    existing = set(connection.execute(text("SELECT rolname FROM pg_roles")).scalars())
    adding = {row.name for row in connection.execute(_FOUND, {"table": _TABLE}) if row.cmd in ("INSERT", "ALL")}
    names = (role.server_name(prefix) for role in INTENT_KINDS)
    wanted = {_policy_name(name) for name in names if name in existing}
    return [
        *([] if secured else [f"{_TABLE} has no row-level security"]),
        *(f"policy {name} on {_TABLE} is missing" for name in sorted(wanted - adding)),
        *(f"policy {name} on {_TABLE} is not in this version" for name in sorted(adding) if not _is_ours(name)),
    ]


def _is_ours(policy: str) -> bool:
    return policy.startswith(_policy_name(""))


def _policy_name(role_name: str) -> str:
    return f"add_as_{role_name}"
