"""The application's processes as a supervisor starts them, with a readiness probe for each.

They need the services and not each other, so they start together. A process that misses another for a moment retries.
"""

import socket
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, LiteralString

import psycopg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from paimon.settings import Settings
from paimon_devkit.stack.child import ChildSpec
from paimon_devkit.stack.errors import DemoError

APP_PROCESSES: Final = ("signer", "listener", "worker", "scheduler", "api")
_READY_SECONDS_MAX: Final = 120
"""They take a few seconds on a quiet machine, but they all import at once, and the machine may be busy."""


@dataclass(frozen=True, slots=True)
class AppProcesses:
    """The five processes over one settings file and the signer's policy file."""

    settings: Settings
    env_file: Path
    policy: Path

    def specs(self) -> list[ChildSpec]:
        """Return the processes for `Supervisor.start_together`."""
        probes: dict[str, Callable[[], bool]] = {
            "signer": self._signer_answers,
            "listener": self._listener_leads,
            "worker": self._worker_relays,
            "scheduler": self._scheduler_leads,
            "api": self._api_answers,
        }
        return [
            ChildSpec(
                name=name,
                argv=[sys.executable, "-m", "paimon", "--env-file", str(self.env_file), name, *self._arguments(name)],
                ready=probes[name],
                ready_seconds_max=_READY_SECONDS_MAX,
            )
            for name in APP_PROCESSES
        ]

    def _arguments(self, name: str) -> list[str]:
        return ["--policy", str(self.policy)] if name == "signer" else []

    def _signer_answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            probe.connect(str(self.settings.signer.socket))
        return True

    def _listener_leads(self) -> bool:
        return self._finds("SELECT 1 FROM ops.leases, derived.cursor WHERE name = 'listener' AND expires_at > now()")

    def _worker_relays(self) -> bool:
        return self._finds("SELECT 1 FROM pg_stat_activity WHERE query = 'LISTEN paimon_outbox'")

    def _scheduler_leads(self) -> bool:
        return self._finds("SELECT 1 FROM ops.leases WHERE name = 'scheduler' AND expires_at > now()")

    def _finds(self, query: LiteralString) -> bool:
        try:
            with psycopg.connect(libpq_url(self.settings.database.url.get_secret_value()), connect_timeout=2) as connection:
                return connection.execute(query).fetchone() is not None
        except psycopg.OperationalError:
            return False  # PostgreSQL itself is being restarted

    def _api_answers(self) -> bool:
        # The API connects once it has its port; without a connection, another program answers there.
        if not self._finds("SELECT 1 FROM pg_stat_activity WHERE application_name = 'paimon-api'"):
            return False
        url = f"http://127.0.0.1:{self.settings.api.port}/health/ready"
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)


def libpq_url(sqlalchemy_url: str) -> str:
    """Return the database's URL in libpq's form. Raises DemoError when the argument is not a URL."""
    try:
        url = make_url(sqlalchemy_url)
    except ArgumentError as error:
        raise DemoError("PAIMON_DATABASE__URL and OWNER_URL are URLs that start with postgresql+psycopg://") from error
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
