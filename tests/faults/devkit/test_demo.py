"""The demo as a stranger treats it: started, used, interrupted, started again, killed, started again."""

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
from paimon_devkit.stack.demo_command import app as demo_app

pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc"),
]

_READY_SECONDS_MAX = 150.0  # a few on a quiet machine


class Demo:
    """One data folder; `paimon demo` over it as a process, and what people type beside it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._output = data.with_name(f"{data.name}.out")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, ignored: Sequence[signal.Signals] = ()) -> str:
        """Start it, some signals ignored, and wait until it says that it is ready; everything it printed."""
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
        settled = eventually(lambda: "Ctrl-C stops" in self.printed or process.poll() is not None, _READY_SECONDS_MAX)
        assert settled, self.printed
        assert process.poll() is None, self.printed
        return self.printed

    @property
    def printed(self) -> str:
        return self._output.read_text()

    def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)

    def people(self, *typed: str, fails: bool = False) -> str:
        """`paimon demo …` in this process: what it says on either stream."""
        result = CliRunner().invoke(demo_app, ["--data", str(self.data), *typed], catch_exceptions=False)
        assert (result.exit_code != 0) is fails, result.output
        return result.output

    def until(self, state: str, request_id: str) -> str:
        """What `show` says once the request is in this state."""
        shown = ""

        def reached() -> bool:
            nonlocal shown
            shown = self.people("show", request_id)
            return state in shown.splitlines()[0]

        assert eventually(reached, 30, pause=0.5), shown
        return shown

    def differences(self) -> str:
        result = CliRunner().invoke(reconcile_app, obj=self.data / "demo.env", catch_exceptions=False)
        return result.output

    def processes(self) -> set[int]:
        """Everybody who names the folder, or works in it as PostgreSQL's backends do; zombies are dead."""
        found = set()
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if not entry.name.isdigit() or int(entry.name) == os.getpid():
                    continue
                named = str(self.data) in (entry / "cmdline").read_text() or str(self.data) in str((entry / "cwd").readlink())
                if named and (entry / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
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
    """In a folder that PostgreSQL's user can reach; whatever is left of the demo is killed at the end."""
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
def test_a_demo_resumes_after_ctrl_c_and_after_a_kill(demo: Demo) -> None:
    # As a background job of a shell: it stops at SIGINT all the same.
    assert re.search(r"Ready after \d+ s", demo.start(ignored=(signal.SIGINT,)))
    everybody = demo.processes()
    assert len(everybody) >= 3 + 5  # servers and house, without counting their own children

    recorded = demo.people("request", "ines", "120000")
    request_id = recorded.split()[1]
    assert "recorded: STANDARD, PENDING_APPROVAL, ticket TKT-" in recorded
    assert "needs the role admin" in demo.people("approve", request_id, "--as", "willa", fails=True)
    demo.people("approve", request_id, "--as", "vera")
    demo.until("APPROVED", request_id)
    assert "takes no more decisions" in demo.people("approve", request_id, "--as", "viktor", fails=True)
    demo.people("warp", "2d")

    assert demo.end(signal.SIGINT) == 0
    assert demo.printed.endswith("Stopped. The next start goes on from here.\n")
    assert "Traceback" not in demo.printed
    assert not demo.processes()
    assert "is not running" in demo.people("show", request_id, fails=True)

    assert "(resumed)" in demo.start()
    demo.until("APPROVED", request_id)
    demo.people("warp", "6d")  # 2 + 6 days: due only if chain time was kept
    assert "Settled: shares burned, money paid" in demo.until("SETTLED", request_id)
    assert "differences: 0" in demo.differences()

    assert demo.end(signal.SIGKILL) == -signal.SIGKILL
    assert eventually(lambda: not demo.processes(), 20), f"left behind: {demo.processes()}"

    demo.start()
    demo.until("SETTLED", request_id)
    assert "differences: 0" in demo.differences()
    assert demo.end(signal.SIGTERM) == 128 + signal.SIGTERM
    assert demo.printed.endswith("Stopping …\n")
    assert not demo.processes()
    for log in (demo.data / "logs").glob("*.log*"):
        assert "Traceback" not in log.read_text(errors="replace"), f"{log.name}:\n{log.read_text(errors='replace')[-4_000:]}"
