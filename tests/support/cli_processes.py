"""Run `paimon …` as real processes without seconds of imports for each.

One process imports every command once and forks for each call. The child has its own environment, standard streams, signals
and exit code, as if it had been started in a shell.

    with CliRunner() as cli:
        listener = cli.start("listener", env=…)
        listener.terminate(); listener.wait()
"""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import make_url
from tests.support.warm_up import warm_up

from paimon.domain.kernel.chain import checksum
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.keys.keystore import create_keystore
from paimon.settings import Settings
from paimon_devkit.stack.accounts import DemoAccounts


@dataclass(frozen=True)
class CliProcess:
    """One run of `paimon`."""

    pid: int
    output: Path
    """The file with stdout and stderr."""
    exit_code_file: Path

    @property
    def output_text(self) -> str:
        """What the process has printed so far, on both streams."""
        return self.output.read_text()

    def wait_for_output(self, text: str, seconds_max: float = 120) -> None:
        """Wait until the process has printed this text."""
        deadline = time.monotonic() + seconds_max
        while text not in self.output_text:
            assert not self.exit_code_file.exists(), self.output_text
            assert time.monotonic() < deadline, self.output_text
            time.sleep(0.05)

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    def wait(self, seconds_max: float = 120) -> int:
        """Wait for the end and return the exit code; for a signal, its negative number."""
        deadline = time.monotonic() + seconds_max
        while not self.exit_code_file.exists():
            assert time.monotonic() < deadline, f"still runs after {seconds_max:g} s:\n{self.output_text}"
            time.sleep(0.02)
        return int(self.exit_code_file.read_text())


class CliRunner:
    """The process that imports and forks. Every child that still runs at the end of the block is killed."""

    def __init__(self) -> None:
        self._started: list[CliProcess] = []

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="paimon-test-")
        self._forker = subprocess.Popen(
            [sys.executable, "-m", "tests.support.cli_processes"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill_all()
        assert self._forker.stdin is not None
        assert self._forker.stdout is not None
        self._forker.stdin.close()
        self._forker.wait(30)
        self._forker.stdout.close()
        self._folder.cleanup()

    def kill_all(self) -> None:
        """Kill every child that still runs, with all that it started."""
        for process in self._started:
            if not process.exit_code_file.exists():
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def start(self, *arguments: str, env: Mapping[str, str]) -> CliProcess:
        """Start `paimon` with these arguments. It gets PAIMON_… variables from `env` only, and the rest from this process."""
        assert self._forker.stdin is not None
        assert self._forker.stdout is not None
        output = Path(self._folder.name) / f"{len(self._started)}.out"
        output.touch()
        call = {"arguments": arguments, "env": dict(env), "output": str(output)}
        print(json.dumps(call), file=self._forker.stdin, flush=True)
        process = CliProcess(int(self._forker.stdout.readline()), output, output.with_suffix(".code"))
        self._started.append(process)
        return process


def keystore_options(accounts: DemoAccounts, name: str, folder: Path) -> tuple[str, ...]:
    """Write the account's keystore and return the options to sign with it."""
    keystore, password = folder / f"{name}-own.json", folder / f"{name}-own.password"
    password.write_text(f"only {name} knows")
    password.chmod(0o600)
    create_keystore(keystore, password, bytes(accounts.account(name).key), scrypt_cost=2)
    return "--keystore", str(keystore), "--password-file", str(password)


def environment_of(settings: Settings) -> dict[str, str]:
    """Return a test's settings as the environment variables an operator would set."""
    fund, sending = settings.fund, settings.sending
    return {
        "PAIMON_DATABASE__URL": settings.database.url.get_secret_value(),
        "PAIMON_DATABASE__RETENTION_URL": (settings.database.retention_url or settings.database.url).get_secret_value(),
        "PAIMON_REDIS__URL": settings.redis.url.get_secret_value(),
        "PAIMON_REDIS__INTEGRITY_KEY": settings.redis.integrity_key.get_secret_value(),
        "PAIMON_CHAIN__CHAIN_ID": str(settings.chain.chain_id),
        "PAIMON_CHAIN__RPC_URL": settings.chain.rpc_url.get_secret_value(),
        "PAIMON_FUND__VAULT": checksum(fund.vault),
        "PAIMON_FUND__REDEMPTION_MANAGER": checksum(fund.redemption_manager),
        "PAIMON_FUND__ASSET_CONTROLLER": checksum(fund.asset_controller),
        "PAIMON_FUND__START_BLOCK": str(fund.start_block),
        "PAIMON_SENDING__KEEPER": checksum(sending.keeper),
        "PAIMON_SENDING__APPROVER": checksum(sending.approver),
        **{
            f"PAIMON_SENDING__{name.upper()}": checksum(address)
            for name in ("hot", "warm", "cold", "multi_send")
            if (address := getattr(sending, name)) is not None
        },
        "PAIMON_SIGNER__SOCKET": str(settings.signer.socket),
        "PAIMON_STORAGE__URL": settings.storage.url,
        "PAIMON_REPORTS__STORAGE_URL": settings.reports.storage_url,
        "PAIMON_AUTH__TOKEN_SECRET": settings.auth.token_secret.get_secret_value(),
        "PAIMON_AUTH__PERSONAL_DATA_SECRET": settings.auth.personal_data_secret.get_secret_value(),
        "PAIMON_AUTH__DOMAIN": settings.auth.domain,
        "PAIMON_AUTH__URI": settings.auth.uri,
    }


def environment_at_a_terminal(settings: Settings) -> dict[str, str]:
    """Return the same for a person at a terminal: sessions of the database have the rights of that role, and no others."""
    url = make_url(settings.database.url.get_secret_value())
    url = url.update_query_dict({"options": f"-c role={DatabaseRole.CLI.server_name('paimon_')}"})
    return environment_of(settings) | {"PAIMON_DATABASE__URL": url.render_as_string(hide_password=False)}


def _serve_forks() -> None:
    """Fork for every line of stdin, and write each child's exit code to a file as soon as it ends.

    Children are waited for here, not in the signal's handler: the next child's end can call a handler that has not returned
    yet, and each of the two calls may then wait for a child that the other has already waited for.
    """
    from paimon.gateway.cli.command_table import all_commands
    from paimon.gateway.cli.main import run

    for command in all_commands():
        command.load()
    warm_up()
    child_ended, wake_up = os.pipe()
    os.set_blocking(child_ended, False)
    os.set_blocking(wake_up, False)
    signal.set_wakeup_fd(wake_up, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    outputs: dict[int, Path] = {}
    while True:
        # Each call is answered before the next one is sent, so that no second line waits in the reader's buffer.
        ready, _, _ = select.select([sys.stdin, child_ended], [], [])
        if child_ended in ready:
            with suppress(BlockingIOError):
                os.read(child_ended, 4096)
            _record_exit_codes(outputs)
        if sys.stdin in ready:
            if not (line := sys.stdin.readline()):
                return
            call: dict[str, Any] = json.loads(line)
            if (pid := os.fork()) == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.close(child_ended)
                os.close(wake_up)
                _set_up_child(call)
                run()
            outputs[pid] = Path(call["output"])
            print(pid, flush=True)


def _record_exit_codes(outputs: dict[int, Path]) -> None:
    """Write the exit code of each child that has ended, and forget the child."""
    for pid in list(outputs):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = outputs.pop(pid).with_suffix(".code")
            draft = code.with_suffix(".new")
            draft.write_text(str(os.waitstatus_to_exitcode(status)))
            draft.replace(code)


def _set_up_child(call: Mapping[str, Any]) -> None:
    os.setsid()
    output = os.open(call["output"], os.O_WRONLY | os.O_APPEND)
    empty_input = os.open(os.devnull, os.O_RDONLY)
    for stream, target in ((empty_input, 0), (output, 1), (output, 2)):
        os.dup2(stream, target)
    for name in [name for name in os.environ if name.startswith("PAIMON_")]:
        del os.environ[name]
    os.environ.update(call["env"])
    sys.argv = ["paimon", *call["arguments"]]


if __name__ == "__main__":
    _serve_forks()
