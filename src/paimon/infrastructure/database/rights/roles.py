"""The database's roles: one for each process. A role is an object of the server, so a database administrator may make it.

The signer's role writes the leases of its keys and reads nothing else: what the signer believes stands in its policy and on
the chain. Where one signer runs without a lease in the database, no one connects as it.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

OWNER: Final = "owner"
"""The owner of the tables runs the migrations, `paimon replay` and `paimon recover`; no process that serves connects as it."""


class DatabaseRole(StrEnum):
    """A role by the process that connects as it. On the server its name has the prefix of `PAIMON_DATABASE__ROLE_PREFIX`."""

    API = "api"
    LISTENER = "listener"
    WORKER = "worker"
    SCHEDULER = "scheduler"
    PLANNER = "planner"
    AUDITOR = "auditor"
    SIGNER = "signer"
    RETENTION = "retention"
    CLI = "cli"

    def server_name(self, prefix: str) -> str:
        """Return the role's name on the server."""
        return f"{prefix}{self.value}"

    @classmethod
    def of_process(cls, process: str) -> "DatabaseRole":
        """Return the role of a process by its name; a command of a person at a terminal has the role `cli`."""
        processes = (cls.API, cls.LISTENER, cls.WORKER, cls.SCHEDULER, cls.PLANNER, cls.AUDITOR)
        return cls(process) if process in processes else cls.CLI


MEANINGS: Final[dict[DatabaseRole, str]] = {
    DatabaseRole.API: "the API: sign-in, votes, plans, grants of users, operator actions and decisions",
    DatabaseRole.LISTENER: "the listener: records the chain and projects it",
    DatabaseRole.WORKER: "the workers: handle messages, run jobs, send transactions",
    DatabaseRole.SCHEDULER: "the scheduler: its lease and the metrics",
    DatabaseRole.PLANNER: "the planner: its lease, and the plans that it signs",
    DatabaseRole.AUDITOR: "the auditor: seals the audit trail",
    DatabaseRole.SIGNER: "the signers: the leases of their keys, and nothing else",
    DatabaseRole.RETENTION: "the retention job: removes what is expired, by one function",
    DatabaseRole.CLI: "the commands of a person at a terminal",
}


def create_statements(prefix: str, roles: Iterable[DatabaseRole] = DatabaseRole) -> list[str]:
    """Return the statements with which an administrator makes the roles; each password is to be filled in."""
    return [f"CREATE ROLE \"{role.server_name(prefix)}\" LOGIN PASSWORD '…';" for role in roles]
