"""The reference of the rights, as Markdown: `docs/reference/database-rights.md` is made from it (`make reference`)."""

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from paimon.infrastructure.database.rights.roles import MEANINGS, DatabaseRole
from paimon.infrastructure.database.rights.table import FUNCTIONS, SEQUENCES, TABLES, TEMPORARY_TABLES

_INTRODUCTION: Final = """\
# Rights in the database

Each process connects as a role of its own and may do what this page says, and nothing else. `paimon db upgrade` and
`paimon db grant-roles` grant exactly these rights; `paimon db check` lists every difference. `make reference` makes this page
from [the rights table](../../src/paimon/infrastructure/database/rights/table.py).
[Deploy](../operations/deploy.md#database-roles) says how to make the roles.
"""


def rights_reference() -> str:
    """Return the page: the roles, then for each table who may do what."""
    return "\n".join((_INTRODUCTION, *_roles(), *_tables(), *_others())).rstrip() + "\n"


def _roles() -> Iterator[str]:
    yield "## Roles\n"
    yield "Their names on the server begin with `PAIMON_DATABASE__ROLE_PREFIX`, by default `paimon_`.\n"
    yield "| Role | Connects |"
    yield "|---|---|"
    for role in DatabaseRole:
        yield f"| `{role}` | {MEANINGS[role]} |"
    yield ""


def _tables() -> Iterator[str]:
    for schema, tables in groupby(TABLES, key=lambda table: table.partition(".")[0]):
        yield f"## Schema {schema}\n"
        yield "| Table | Only reads | Also writes |"
        yield "|---|---|---|"
        for table in tables:
            row = {role: str(privileges) for role, privileges in TABLES[table].items()}
            readers = ", ".join(role for role, privileges in row.items() if privileges == "SELECT")
            writers = "<br>".join(
                f"{role}: {privileges.removeprefix('SELECT, ')}" for role, privileges in row.items() if privileges != "SELECT"
            )
            yield f"| `{table.partition('.')[2]}` | {readers} | {writers} |"
        yield ""


def _others() -> Iterator[str]:
    yield "## Sequences, functions, temporary tables\n"
    yield "| Object | Right | Roles |"
    yield "|---|---|---|"
    for sequence, roles in SEQUENCES.items():
        yield f"| `{sequence}` | USAGE | {', '.join(roles)} |"
    for function, roles in FUNCTIONS.items():
        yield f"| `{function}` | EXECUTE | {', '.join(roles)} |"
    yield f"| the database | TEMPORARY | {', '.join(TEMPORARY_TABLES)} |"
