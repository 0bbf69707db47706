"""The whole stack with a user and a database role for each process takes redemptions to settlement.

The users are numbers without an entry in the user file. They cannot enter the folder of root's Python, so the test mounts it
where they can, and is skipped where it may not mount.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import psycopg
import pytest
from tests.support.paths import ROOT

from paimon.gateway.signer.caller_policy import CallersTable
from paimon.gateway.signer.policy import load_policy
from paimon.gateway.signer.policy_text import write_policy
from paimon_devkit.stack import demo_stack
from paimon_devkit.stack.app_processes import AppProcesses, libpq_url
from paimon_devkit.stack.child import ChildSpec, RunAs
from paimon_devkit.stack.demo_stack import DemoStack
from paimon_devkit.stack.smoke import SmokeRun
from paimon_devkit.stack.supervisor import Supervisor

pytestmark = pytest.mark.fault

CALLERS: Final = 60_299
"""The group of the worker and of the signer's socket."""

USERS: Final = {
    "api": RunAs("api", 60_201, 60_201),
    "listener": RunAs("listener", 60_202, 60_202),
    "worker": RunAs("worker", 60_203, CALLERS),
    "scheduler": RunAs("scheduler", 60_204, 60_204),
    "signer": RunAs("signer", 60_205, CALLERS),
    "planner": RunAs("planner", 60_206, 60_206),
    "auditor": RunAs("auditor", 60_207, 60_207),
}


@pytest.fixture
def python_home(data_folder: Path) -> Iterator[Path]:
    """Mount the folder of this Python where every user can enter."""
    home = data_folder / "python"
    home.mkdir()
    command = ["mount", "--bind", sys.base_prefix, str(home)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("NOT TESTED: only root that may mount can start the processes as several users")
    yield home
    subprocess.run(["umount", str(home)], check=True)


@dataclass(frozen=True, slots=True)
class SeparateUsers(AppProcesses):
    """The demo's processes, each as its own user, with files that only this user can read."""

    python_home: Path

    def specs(self) -> list[ChildSpec]:
        for name, path in self.env_files.items():
            os.chown(path, USERS[name].uid, USERS[name].gid)
            path.parent.chmod(0o711)
        if (demo_accounts := self.settings["api"].console.demo_accounts) is not None:
            os.chown(demo_accounts, USERS["api"].uid, USERS["api"].gid)
        signer_folder = self.policy.parent
        signer_folder.parent.chmod(0o711)
        policy = load_policy(self.policy)
        callers = CallersTable(users=(USERS["worker"].uid,), group=CALLERS)
        write_policy(self.policy, policy.model_copy(update={"callers": callers}))
        for path in (signer_folder, *signer_folder.iterdir()):
            os.chown(path, USERS["signer"].uid, CALLERS)
        signer_folder.chmod(0o710)
        planner_folder = signer_folder.with_name("planner")
        for path in (planner_folder, *planner_folder.iterdir()):
            os.chown(path, USERS["planner"].uid, USERS["planner"].gid)
        packages = Path(psycopg.__file__).parents[1]
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PAIMON_")},
            "PYTHONPATH": f"{packages}:{ROOT / 'src'}",
            "LD_LIBRARY_PATH": str(self.python_home / "lib"),
            "HOME": "/",
        }
        python = str(self.python_home / "bin" / f"python3.{sys.version_info.minor}")
        return [
            replace(spec, argv=[python, *spec.argv[1:]], env=environment, run_as=USERS[spec.name])
            for spec in super(SeparateUsers, self).specs()
        ]


def uid_of(arguments: str) -> set[int]:
    """Return the users of the processes whose command line has these arguments."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if arguments in (folder / "cmdline").read_text().replace("\0", " "):
                found.add(folder.stat().st_uid)
        except OSError:
            continue  # it ended meanwhile
    return found


@pytest.mark.timeout(600)
def test_smoke_passes_with_a_user_and_a_database_role_for_each_process(
    data_folder: Path, python_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = data_folder / "separate"
    data.mkdir()
    monkeypatch.setattr(
        demo_stack, "AppProcesses", lambda settings, env_files, policy: SeparateUsers(settings, env_files, policy, python_home)
    )
    lines: list[str] = []
    stack = DemoStack(data, print_line=lines.append, fast=True)
    with Supervisor(data) as supervisor:
        stack.start(supervisor)
        smoke = SmokeRun(stack, lines.append)
        asyncio.run(smoke.run())
        asyncio.run(smoke.verify_final_state())
        arguments = {name: f"{data}/settings/{name}.env {name}" for name in USERS} | {"signer": f"signer --policy {data}"}
        assert {name: uid_of(arguments[name]) for name in USERS} == {name: {user.uid} for name, user in USERS.items()}
        url = stack.settings.database.owner_url
        assert url is not None
        sessions = "SELECT DISTINCT usename::text FROM pg_stat_activity WHERE datname = current_database()"
        with psycopg.connect(libpq_url(url.get_secret_value())) as connection:
            roles = {role for (role,) in connection.execute(sessions)}
        assert {f"paimon_{name}" for name in USERS if name != "signer"} <= roles
        for name, user in USERS.items():
            files = [data / "settings" / f"{name}.env"] if name != "signer" else []
            files += list((data / name).glob("*.json"))
            assert files
            assert {(path.stat().st_uid, path.stat().st_mode & 0o777) for path in files} == {(user.uid, 0o600)}
    if stack._port_reservation is not None:
        stack._port_reservation.close()
    assert "discrepancies: 0" in "\n".join(lines)
