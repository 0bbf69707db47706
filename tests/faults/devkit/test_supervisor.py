"""The supervisor leaves no process behind and notices every crash, whichever process ends."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.support.ignored_signals import ignoring
from tests.support.paths import ROOT

from paimon_devkit.stack.chain_rpc import ChainRpc
from paimon_devkit.stack.child import ChildSpec
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres
from paimon_devkit.stack.errors import ChildFailed, DataFolderLocked
from paimon_devkit.stack.supervisor import ChildEvent, ChildEventKind, RestartPolicy, Supervisor

pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc"),
]

STACK = "tests.faults.devkit.supervised_stack"
QUICK = RestartPolicy(first_delay_seconds=0.01, delay_seconds_max=0.02)
SLEEPER = ("sleep", "600")


@pytest.fixture
def data() -> Iterator[Path]:
    """Give a data folder that PostgreSQL's user can reach, unlike pytest's temporary folders."""
    folder = Path(tempfile.mkdtemp(prefix="paimon-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def processes(matches: Callable[[Path, list[str]], bool]) -> set[int]:
    """Return the pids of running processes that match (no zombies).

    `matches` gets /proc/PID and the fields of its stat, from the state on.
    """
    found = set()
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split() if entry.name.isdigit() else ["Z"]
            if fields[0] not in "ZX" and matches(entry, fields):
                found.add(int(entry.name))
    return found


def group(leader: int) -> set[int]:
    return processes(lambda _entry, fields: fields[2] == str(leader))


def alive(pids: set[int]) -> set[int]:
    return processes(lambda entry, _fields: int(entry.name) in pids)


def working_in(data: Path) -> set[int]:
    """Return the processes that work in the folder, which finds PostgreSQL's backends: they leave the postmaster's group."""
    return processes(lambda entry, _fields: (entry / "cwd").readlink().is_relative_to(data))


def eventually(holds: Callable[[], bool], seconds_max: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds_max
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Stack:
    """supervised_stack.py as a process, started with some signals ignored."""

    def __init__(self, data: Path, size: str, *, ignored: Sequence[signal.Signals] = ()) -> None:
        command = [sys.executable, "-m", STACK, str(data), size]
        self.process = subprocess.Popen(ignoring(ignored, *command) if ignored else command, stdout=subprocess.PIPE, cwd=ROOT)
        assert self.process.stdout is not None
        self.report: dict[str, Any] = json.loads(self.process.stdout.readline())
        self.all_pids = {self.report["guard"]}.union(*(group(pid) for pid in self.report["pids"].values()))
        self.all_pids |= working_in(data)

    def end(self, *signals: signal.Signals) -> int:
        for number in signals or (signal.SIGTERM,):
            self.process.send_signal(number)
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()


def test_killed_supervisor_leaves_no_process_and_the_next_one_resumes(data: Path) -> None:
    stack = Stack(data, "full")
    assert len(stack.all_pids) >= 4 + 1 + 1 + 4  # leaders, a grandchild, the guard, PostgreSQL's own processes
    libpq = stack.report["database"].replace("+psycopg", "")
    with psycopg.connect(libpq, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    block = ChainRpc(stack.report["http"]).warp(9 * 86_400)

    assert stack.end(signal.SIGKILL) == -signal.SIGKILL
    assert eventually(lambda: not alive(stack.all_pids)), f"left behind: {alive(stack.all_pids)}"

    stack = Stack(data, "full")
    libpq = stack.report["database"].replace("+psycopg", "")
    with psycopg.connect(libpq) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert ChainRpc(stack.report["http"]).head().number > block.number
    assert stack.end(signal.SIGTERM) == 128 + signal.SIGTERM
    assert not alive(stack.all_pids)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGHUP, 128 + signal.SIGHUP), (signal.SIGINT, -signal.SIGINT)],
)
def test_signal_stops_all_children_before_the_supervisor_ends(data: Path, number: signal.Signals, code: int) -> None:
    stack = Stack(data, "light")
    assert stack.end(number) == code
    assert not alive(stack.all_pids)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGINT, -signal.SIGINT)], ids=["SIGTERM", "SIGINT"]
)
def test_supervisor_stops_on_a_signal_that_its_parent_ignored(data: Path, number: signal.Signals, code: int) -> None:
    """A shell starts its background jobs with SIGINT ignored."""
    stack = Stack(data, "light", ignored=(number,))
    assert stack.end(number) == code
    assert not alive(stack.all_pids)


def test_supervisor_under_nohup_ignores_a_hang_up(data: Path) -> None:
    stack = Stack(data, "light", ignored=(signal.SIGHUP,))
    assert stack.end(signal.SIGHUP, signal.SIGTERM) == 128 + signal.SIGTERM


def test_child_does_not_inherit_ignored_signals(data: Path) -> None:
    stop_signals = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
    stack = Stack(data, "light", ignored=stop_signals)
    status = Path(f"/proc/{stack.report['pids']['sleeper']}/status").read_text()
    mask = int(status.partition("SigIgn:")[2].split()[0], 16)
    stack.end(signal.SIGTERM)
    assert [number for number in stop_signals if mask & 1 << (number - 1)] == []


def test_kernel_ends_direct_children_when_the_guard_is_killed_too(data: Path) -> None:
    """PostgreSQL is among them: its change of user would clear a parent-death signal that was set before."""
    stack = Stack(data, "database")
    stack.process.send_signal(signal.SIGSTOP)  # so that it cannot replace the guard
    os.kill(stack.report["guard"], signal.SIGKILL)
    stack.end(signal.SIGKILL)
    leader = stack.report["pids"]["family"]
    try:
        assert eventually(lambda: not alive({leader}) and not working_in(data))
    finally:
        for pid in working_in(data):
            os.kill(pid, signal.SIGINT)
        with suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGKILL)  # the grandchild, which only the guard would reach


def test_second_supervisor_of_a_data_folder_is_refused(data: Path) -> None:
    with Supervisor(data), pytest.raises(DataFolderLocked, match=f"in use by process {os.getpid()}"):
        Supervisor(data).__enter__()
    with Supervisor(data):
        pass


def test_crashed_child_is_restarted(data: Path) -> None:
    events: list[ChildEvent] = []
    with Supervisor(data, on_event=events.append, policy=QUICK) as supervisor:
        supervisor.start(ChildSpec("sleeper", SLEEPER))
        killed = supervisor.kill("sleeper")
        assert eventually(lambda: supervisor.is_ready("sleeper") and supervisor.pid("sleeper") != killed)
        assert supervisor.restarts == {"sleeper": 1}
    kinds = [event.kind for event in events]
    once = [ChildEventKind.STARTED, ChildEventKind.READY]
    assert kinds == [*once, ChildEventKind.CRASHED, *once, ChildEventKind.STOPPING, ChildEventKind.STOPPED]
    assert "SIGKILL" in events[2].detail
    assert [events[1].detail, events[4].detail] == ["", "it runs again"]


def test_children_of_a_killed_child_are_killed_too(data: Path) -> None:
    with Supervisor(data, policy=QUICK) as supervisor:
        supervisor.start(ChildSpec("family", ("sh", "-c", "sleep 600 & wait"), ready=None))
        leader = supervisor.pid("family")
        assert leader is not None
        assert eventually(lambda: len(group(leader)) == 2)
        os.kill(leader, signal.SIGKILL)  # the leader alone, as an out-of-memory kill does
        assert eventually(lambda: not group(leader))


def test_too_many_crashes_stop_everything_with_the_reason(data: Path) -> None:
    with Supervisor(data, policy=QUICK) as supervisor:
        supervisor.start(ChildSpec("steady", SLEEPER))
        steady = supervisor.pid("steady")
        supervisor.start(ChildSpec("doomed", ("sh", "-c", "echo the disk is full; sleep 0.1; exit 3")))
        with pytest.raises(ChildFailed, match=r"(?s)doomed crashed 6 times in 60 s.* code 3.*the disk is full"):
            supervisor.wait(20)
        assert steady is not None
        assert not alive({steady})
        with pytest.raises(ChildFailed):
            supervisor.start(ChildSpec("late", SLEEPER))


def test_failed_first_start_shows_the_log_and_leaves_the_others(data: Path) -> None:
    with Supervisor(data) as supervisor:
        supervisor.start(ChildSpec("steady", SLEEPER))
        with pytest.raises(ChildFailed, match=r"(?s)broken ended with code 5 while starting.*no such setting"):
            supervisor.start(ChildSpec("broken", ("sh", "-c", "echo no such setting; exit 5"), ready=lambda: False))
        with pytest.raises(ChildFailed, match="cannot start /no/such/program"):
            supervisor.start(ChildSpec("missing", ("/no/such/program",), ready=lambda: False))
        with pytest.raises(ChildFailed, match=r"slow was not ready after 0\.2 s"):
            supervisor.start(ChildSpec("slow", SLEEPER, ready=lambda: False, ready_seconds_max=0.2))
        assert supervisor.pid("slow") is None
        assert supervisor.is_ready("steady")


def test_last_started_child_stops_first_and_a_deaf_one_is_killed(data: Path) -> None:
    events: list[ChildEvent] = []
    with Supervisor(data, on_event=events.append) as supervisor:
        supervisor.start(ChildSpec("first", SLEEPER))
        deaf = ChildSpec("deaf", ("sh", "-c", "trap '' TERM; echo up; sleep 600; sleep 600"), grace_seconds=0.2)
        supervisor.start(deaf)
        assert eventually(lambda: "up" in (supervisor.logs / "deaf.log").read_text())
        pids = group(supervisor.pid("deaf") or 0)
    assert [event.name for event in events if event.kind is ChildEventKind.STOPPED] == ["deaf", "first"]
    assert not alive(pids)


def test_slow_start_is_explained_by_what_it_waits_for_and_not_by_its_stop(data: Path) -> None:
    def waits_for_its_lease() -> bool:
        raise ConnectionError("it does not hold its lease yet")

    busy = ("sh", "-c", "trap 'echo shutting down; exit 0' TERM; echo importing; sleep 600 & wait")
    with Supervisor(data) as supervisor, pytest.raises(ChildFailed) as failure:
        supervisor.start(ChildSpec("worker", busy, ready=waits_for_its_lease, ready_seconds_max=1.0))
    message = str(failure.value)
    assert message.startswith("worker was not ready after 1 s (it does not hold its lease yet); the end of ")
    assert "importing" in message
    assert "shutting down" not in message


def test_children_started_together_stop_together(data: Path) -> None:
    """Each waits until the other was told to stop, so a stop of one after the other would end in a kill."""
    script = (
        "trap 'touch {0}.told; until [ -e {1}.told ]; do sleep 0.01; done; touch {0}.done; exit' TERM;"
        " touch {0}.up; sleep 600 & wait"
    )
    pairs = (("api", "worker"), ("worker", "api"))
    events: list[ChildEvent] = []
    with Supervisor(data, on_event=events.append) as supervisor:
        specs = [ChildSpec(name, ("sh", "-c", script.format(name, other)), cwd=data, grace_seconds=30) for name, other in pairs]
        assert list(supervisor.start_together(specs)) == ["api", "worker"]
        assert eventually(lambda: all((data / f"{name}.up").exists() for name, _ in pairs))
    assert [event.kind for event in events[-4:]] == [*[ChildEventKind.STOPPING] * 2, *[ChildEventKind.STOPPED] * 2]
    assert all((data / f"{name}.done").exists() for name, _ in pairs)


def test_task_without_restart_may_finish(data: Path) -> None:
    with Supervisor(data) as supervisor:
        supervisor.start(ChildSpec("task", ("sh", "-c", "exit 0"), restart=False))
        assert eventually(lambda: supervisor.exit_code("task") == 0)
        supervisor.start(ChildSpec("task", ("sh", "-c", "sleep 0.2; exit 4"), restart=False))
        assert eventually(lambda: supervisor.exit_code("task") == 4)
        assert supervisor.restarts == {"task": 0}


def test_killed_guard_is_replaced(data: Path) -> None:
    with Supervisor(data) as supervisor:
        first = supervisor.guard_pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        assert eventually(lambda: supervisor.guard_pid not in (None, first))


def test_children_outlive_the_thread_that_started_them(data: Path) -> None:
    """A parent-death signal follows the spawning thread, so a child must not be spawned from a short-lived one."""
    with Supervisor(data) as supervisor:
        starting = threading.Thread(target=supervisor.start, args=(ChildSpec("sleeper", SLEEPER),))
        starting.start()
        starting.join()
        time.sleep(0.2)
        assert supervisor.restarts == {"sleeper": 0}
        assert supervisor.is_ready("sleeper")


def test_log_of_the_previous_run_is_kept(data: Path) -> None:
    for run in ("one", "two", "three"):
        with Supervisor(data) as supervisor:
            supervisor.start(ChildSpec("speaker", ("sh", "-c", f"echo {run}; sleep 600")))
            assert eventually(lambda: (data / "logs" / "speaker.log").stat().st_size > 0)
    assert (data / "logs" / "speaker.log").read_text() == "three\n"
    assert (data / "logs" / "speaker.log.1").read_text() == "two\n"


def test_killed_postgres_is_restarted_with_its_data(data: Path) -> None:
    server = EmbeddedPostgres(data, durable=False)
    libpq = server.owner_url.replace("+psycopg", "")
    with Supervisor(data) as supervisor:
        supervisor.start(server.spec())
        with psycopg.connect(libpq, autocommit=True) as session:
            session.execute("CREATE TABLE kept AS SELECT 42 AS answer")
            killed = supervisor.kill("postgres")  # with a session open: its backend must end first
            assert eventually(lambda: supervisor.is_ready("postgres") and supervisor.pid("postgres") != killed, 20)
        with psycopg.connect(libpq) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
        assert supervisor.restarts == {"postgres": 1}
