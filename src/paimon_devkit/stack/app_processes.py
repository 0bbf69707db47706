"""The application's processes as a supervisor starts them, with a readiness probe for each.

They need the services and not each other, so they start together. A process that misses another for a moment retries. Each
has a settings file of its own, with the database role of that process; the signer has its policy instead.
"""

import socket
import sys
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, LiteralString

import psycopg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from paimon.settings import Settings
from paimon_devkit.stack.child import ChildSpec
from paimon_devkit.stack.errors import DemoError

APP_PROCESSES: Final = ("signer", "listener", "worker", "scheduler", "auditor", "planner", "api")


class _NotReadyYet(OSError):
    """A process does not do its work yet; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class AppProcesses:
    """The processes: each with a settings file, and the signer with its policy file."""

    settings: Mapping[str, Settings]
    env_files: Mapping[str, Path]
    policy: Path

    def specs(self) -> list[ChildSpec]:
        """Return the processes for `Supervisor.start_together`."""
        probes: dict[str, Callable[[], bool]] = {
            "signer": self._signer_answers,
            "listener": self._listener_leads,
            "worker": self._worker_relays,
            "scheduler": lambda: self._leads("scheduler"),
            "auditor": lambda: self._leads("auditor"),
            "planner": lambda: self._leads("planner"),
            "api": self._api_answers,
        }
        return [
            ChildSpec(
                name=name,
                argv=[sys.executable, "-m", "paimon", *self._arguments(name)],
                ready=probes[name],
            )
            for name in APP_PROCESSES
        ]

    def _arguments(self, name: str) -> list[str]:
        if name == "signer":
            return [name, "--policy", str(self.policy)]
        return ["--env-file", str(self.env_files[name]), name]

    def _signer_answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            try:
                probe.connect(str(self.settings["worker"].signer.socket))
            except OSError as error:
                raise _NotReadyYet(f"its socket does not answer: {error.strerror or error}") from error
        return True

    def _listener_leads(self) -> bool:
        return self._leads("listener") and self._finds(
            "listener", "SELECT 1 FROM derived.cursor", "it has not recorded a block yet"
        )

    def _worker_relays(self) -> bool:
        return self._finds(
            "worker",
            "SELECT 1 FROM pg_stat_activity WHERE query = 'LISTEN paimon_outbox'",
            "it does not listen to the outbox yet",
        )

    def _leads(self, name: str) -> bool:
        return self._finds(
            name, "SELECT 1 FROM ops.leases WHERE name = %s AND expires_at > now()", "it does not hold its lease yet", name
        )

    def _finds(self, name: str, query: LiteralString, missing: str, *values: str) -> bool:
        """Return True if the query has a row, asked as the role of a process: of others' sessions a role sees little.

        Raises _NotReadyYet with `missing`, or because PostgreSQL does not answer.
        """
        url = libpq_url(self.settings[name].database.url.get_secret_value())
        try:
            with psycopg.connect(url, connect_timeout=2) as connection:
                if connection.execute(query, values).fetchone() is not None:
                    return True
        except psycopg.OperationalError as error:
            raise _NotReadyYet(f"PostgreSQL does not answer: {str(error).splitlines()[0]}") from error
        raise _NotReadyYet(missing)

    def _api_answers(self) -> bool:
        # The API connects once it has its port; without a connection, another program answers there.
        self._finds(
            "api", "SELECT 1 FROM pg_stat_activity WHERE application_name = 'paimon-api'", "it has not connected to PostgreSQL"
        )
        url = f"http://127.0.0.1:{self.settings['api'].api.port}/health/ready"
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)


def libpq_url(sqlalchemy_url: str) -> str:
    """Return the database's URL in libpq's form. Raises DemoError when the argument is not a URL."""
    try:
        url = make_url(sqlalchemy_url)
    except ArgumentError as error:
        raise DemoError("PAIMON_DATABASE__URL and OWNER_URL are URLs that start with postgresql+psycopg://") from error
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
