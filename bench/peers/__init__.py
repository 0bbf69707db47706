"""Other indexers that read the same chain into the same PostgreSQL, to compare the listener with.

Each is a small project of its own, at a pinned version from npm, with the least code that its users would write: store every
Transfer and every holder's balance. They are installed when they are first measured.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy import make_url

from paimon_devkit.stack.ports import free_port

_HERE: Final = Path(__file__).parent
_TIMEOUT_SECONDS: Final = 1_800


@dataclass(frozen=True, slots=True)
class BlockSpan:
    """The vault's Transfers in a range of blocks, and their number."""

    rpc_url: str
    vault: str
    first: int
    last: int
    transfers: int

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that describe the range to an indexer."""
        return {"RPC_URL": self.rpc_url, "VAULT": self.vault, "FROM": str(self.first), "TO": str(self.last)}


class PeerFailed(Exception):
    """The indexer ended before it had stored everything; the message has its last output."""


def sqd_seconds(database_url: str, span: BlockSpan) -> float:
    """Return the seconds from the start of SQD's processor until all events and balances are committed."""
    folder = _installed("sqd")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE transfer (id text PRIMARY KEY, block int NOT NULL, timestamp timestamptz NOT NULL,"
            " transaction text NOT NULL, sender text NOT NULL, recipient text NOT NULL, value numeric NOT NULL)"
        )
        connection.execute("CREATE TABLE holder (id text PRIMARY KEY, balance numeric NOT NULL)")
    url = make_url(database_url)
    environment = {
        "DB_HOST": str(url.host),
        "DB_PORT": str(url.port),
        "DB_NAME": str(url.database),
        "DB_USER": str(url.username),
        "DB_PASS": str(url.password),
        **span.environment,
    }
    with _running([_program("node"), "main.js"], folder, environment) as last_output:
        return _until(database_url, "SELECT count(*) FROM transfer", span.transfers, last_output)


def ponder_seconds(database_url: str, span: BlockSpan) -> float:
    """Return the seconds from the start of `ponder start` until all events and balances are committed."""
    folder = _installed("ponder")
    environment = {
        "DATABASE_URL": database_url,
        "DATABASE_SCHEMA": "peer",
        "PONDER_TELEMETRY_DISABLED": "true",
        **span.environment,
    }
    command = ["node_modules/.bin/ponder", "start", "--port", str(free_port()), "--log-level", "warn"]
    with _running(command, folder, environment) as last_output:
        return _until(database_url, "SELECT count(*) FROM peer.transfer", span.transfers, last_output)


def _installed(name: str) -> Path:
    folder = _HERE / name
    if not (folder / "node_modules" / ".package-lock.json").exists():
        print(f"  installing {name} from npm", flush=True)
        # Not `ci`: that refuses a lock without the optional packages of every other platform, which some registries lack.
        subprocess.run([_program("npm"), "install", "--no-save", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True)
    return folder


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found is not None, f"{name} is needed: Node 20 or newer"
    return found


@contextmanager
def _running(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[Callable[[], str | None]]:
    """Run the indexer's process. The function given returns its last output once it has failed, else None."""
    log_path = folder / "node_modules" / ".output.log"
    with log_path.open("w+") as log:
        process = subprocess.Popen(command, cwd=folder, env=os.environ | environment, stdout=log, stderr=log)
        try:
            yield lambda: log_path.read_text()[-2_000:] if process.poll() not in (None, 0) else None
        finally:
            process.terminate()
            process.wait(30)


def _until(database_url: str, count: str, events: int, last_output: Callable[[], str | None]) -> float:
    """Return the seconds until the table has this count. A table that does not exist yet has none."""
    began = time.perf_counter()
    with psycopg.connect(database_url, autocommit=True) as connection:
        while time.perf_counter() - began < _TIMEOUT_SECONDS:
            try:
                row = connection.execute(count.encode()).fetchone()
                if row is not None and row[0] >= events:
                    return time.perf_counter() - began
            except psycopg.errors.UndefinedTable:
                pass  # the indexer has not created it yet
            if output := last_output():
                raise PeerFailed(output)
            time.sleep(0.05)
    raise PeerFailed(f"not done after {_TIMEOUT_SECONDS} s")
