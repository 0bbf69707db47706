"""The reference of permissions, as Markdown: `docs/reference/permissions.md` is made from it (`make reference`)."""

from collections.abc import Iterator
from typing import Final

from paimon.domain.user.roles import PERMISSIONS, PermissionRule, UserRole

_INTRODUCTION: Final = """\
# Permissions

Who may do what. `make reference` makes this page from [the table](../../src/paimon/domain/user/roles.py) that decides it.

A role includes the roles to its right. A right that names a role on chain needs **both**: the role here, and the role on chain
at the last recorded block, which is final. A grant may give one person a right besides the role, or take one away; what
is taken away stays so in any role. `manage_users` comes with the role super_admin only. `GET /api/v1/me` shows a person's own
rights, and why one is missing.

"Signed" means that each use takes a signature of the person's wallet over exactly what will happen. No program has such a
right.
"""


def permissions_reference() -> str:
    """Return the page: one row for each permission."""
    roles = tuple(reversed(UserRole))
    head = ["Permission", "May", *roles, "And on chain", "Signed"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(_cells(name, rule, roles))} |" for name, rule in PERMISSIONS.items()]
    return "\n".join((_INTRODUCTION, *lines)) + "\n"


def _cells(name: str, rule: PermissionRule, roles: tuple[UserRole, ...]) -> Iterator[str]:
    yield f"`{name}`"
    yield rule.meaning
    yield from ("✓" if role.includes(rule.role) else "" for role in roles)
    yield "" if rule.on_chain is None else str(rule.on_chain)
    yield "✓" if rule.is_signed else ""
