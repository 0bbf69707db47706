"""The demo is started, used, interrupted, started again, killed and started once more, and keeps its state."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.ignored_signals import ignoring
from typer.testing import CliRunner

from paimon.gateway.cli.reconcile import app as reconcile_app
from paimon_devkit.stack.app_processes import APP_PROCESSES
from paimon_devkit.stack.demo_command import app as demo_app

pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc"),
]

SERVERS = 3  # the chain, Redis, PostgreSQL
_READY_SECONDS_MAX = 150.0  # a few on a quiet machine


class Demo:
    """`paimon demo` as a process over one data folder, and the commands that act on it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._output = data.with_name(f"{data.name}.out")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, ignored: Sequence[signal.Signals] = ()) -> str:
        """Start the demo with some signals ignored, wait until it is ready, and return what it printed."""
        command = [sys.executable, "-m", "paimon", "demo", "--data", str(self.data)]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                ignoring(ignored, *command) if ignored else command,
                env={name: value for name, value in os.environ.items() if not name.startswith("PAIMON_")},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = self.process
        is_started = eventually(lambda: "Ctrl-C stops" in self.printed or process.poll() is not None, _READY_SECONDS_MAX)
        assert is_started, self.printed
        assert process.poll() is None, self.printed
        return self.printed

    @property
    def printed(self) -> str:
        return self._output.read_text()

    def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)

    def run(self, *arguments: str, fails: bool = False) -> str:
        """Run `paimon demo …` in this process and return its output on both streams."""
        result = CliRunner().invoke(demo_app, ["--data", str(self.data), *arguments], catch_exceptions=False)
        assert (result.exit_code != 0) is fails, result.output
        return result.output

    def wait_for_status(self, status: str, request_id: str) -> str:
        """Wait until the request has this status, and return the output of `show`."""
        output = ""

        def is_reached() -> bool:
            nonlocal output
            output = self.run("show", request_id)
            return status in output.splitlines()[0]

        assert eventually(is_reached, 30, pause=0.5), output
        return output

    def reconcile(self) -> str:
        result = CliRunner().invoke(reconcile_app, obj=self.data / "demo.env", catch_exceptions=False)
        return result.output

    def processes(self) -> set[int]:
        """Return the processes that name the folder, or work in it as PostgreSQL's backends do (no zombies)."""
        found = set()
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if not entry.name.isdigit() or int(entry.name) == os.getpid():
                    continue
                places = ((entry / "cmdline").read_text(), str((entry / "cwd").readlink()))
                is_of_demo = any(str(self.data) in place for place in places)
                if is_of_demo and (entry / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                    found.add(int(entry.name))
        return found


def eventually(holds: Callable[[], bool], seconds_max: float, *, pause: float = 0.1) -> bool:
    deadline = time.monotonic() + seconds_max
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Demo]:
    """Give a demo in a folder that PostgreSQL's user can reach; what is left of it is killed at the end."""
    for name in [name for name in os.environ if name.startswith("PAIMON_")]:
        monkeypatch.delenv(name)
    folder = Path(tempfile.mkdtemp(prefix="paimon-test-", dir="/var/tmp"))
    folder.chmod(0o755)
    demo = Demo(folder / "demo")
    yield demo
    if demo.process is not None and demo.process.poll() is None:
        demo.process.kill()
        demo.process.wait()
    eventually(lambda: not demo.processes(), 15)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.timeout(600)
@pytest.mark.long(80)
def test_demo_resumes_after_ctrl_c_and_after_a_kill(demo: Demo) -> None:
    # As a background job of a shell: it must stop on SIGINT all the same.
    assert re.search(r"Ready after \d+ s", demo.start(ignored=(signal.SIGINT,)))
    assert len(demo.processes()) >= SERVERS + len(APP_PROCESSES)  # not counting their own children

    recorded = demo.run("request", "ines", "120000")
    request_id = recorded.split()[1]
    assert "recorded: STANDARD, PENDING_APPROVAL, ticket TKT-" in recorded
    assert "needs the role admin" in demo.run("approve", request_id, "--as", "willa", fails=True)
    demo.run("approve", request_id, "--as", "vera")
    demo.wait_for_status("APPROVED", request_id)
    assert "takes no more decisions" in demo.run("approve", request_id, "--as", "viktor", fails=True)
    demo.run("warp", "2d")

    assert demo.end(signal.SIGINT) == 0
    assert demo.printed.endswith("Stopped. The next start resumes from here.\n")
    assert "Traceback" not in demo.printed
    assert not demo.processes()
    assert "is not running" in demo.run("show", request_id, fails=True)

    assert "(resumed)" in demo.start()
    demo.wait_for_status("APPROVED", request_id)
    demo.run("warp", "6d")  # 2 + 6 days: due only if chain time was kept
    assert "Settled: shares burned, money paid" in demo.wait_for_status("SETTLED", request_id)
    assert "discrepancies: 0" in demo.reconcile()

    assert demo.end(signal.SIGKILL) == -signal.SIGKILL
    assert eventually(lambda: not demo.processes(), 20), f"left behind: {demo.processes()}"

    demo.start()
    demo.wait_for_status("SETTLED", request_id)
    assert "discrepancies: 0" in demo.reconcile()
    assert demo.end(signal.SIGTERM) == 128 + signal.SIGTERM
    _, _, stopping = demo.printed.partition("Stopping …\n")
    assert re.findall(r"(\w+): stopping", stopping)[-3:] == ["chain", "redis", "postgres"]
    assert len(re.findall(r"\w+: stopped after [\d.]+ s", stopping)) == SERVERS + len(APP_PROCESSES)
    assert not demo.processes()
    # Copies of PostgreSQL's programs, made where its user cannot reach the installed ones, hold no secret.
    programs = tuple(demo.data.glob("postgres/programs-*"))
    # The folder of PostgreSQL may be passed through by the group of its user, and not listed.
    passable = {demo.data / "postgres": 0o067}
    found = [path for path in demo.data.rglob("*") if path.stat().st_mode & passable.get(path, 0o077)]
    others = [path for path in found if not any(path.is_relative_to(copy) for copy in programs)]
    assert not others, f"the group or other users may open {others}"
    for log in (demo.data / "logs").glob("*.log*"):
        assert "Traceback" not in log.read_text(errors="replace"), f"{log.name}:\n{log.read_text(errors='replace')[-4_000:]}"
