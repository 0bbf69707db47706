"""Run the demo: start everything with its progress on screen, wait for Ctrl-C, and stop everything."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from paimon_devkit.stack.accounts import APPROVERS, INVESTORS, USER_ROLES
from paimon_devkit.stack.child_events import ChildEvent, ChildEventKind
from paimon_devkit.stack.data_folder_checks import require_demo_folder
from paimon_devkit.stack.demo_stack import DemoStack
from paimon_devkit.stack.supervisor import Supervisor

DEFAULT_DATA: Final = Path(".paimon")


def run_demo(data: Path, *, fresh: bool, port: int | None) -> None:
    """Run the demo until Ctrl-C. Raises DemoError."""
    stack = DemoStack(data, print_line=timed_printer(), api_port=port)
    print(f"Paimon Prime Fund, everything on this machine. Data in {data}\n", flush=True)
    require_demo_folder(data)
    began = time.monotonic()
    try:
        with Supervisor(data, on_event=print_failures) as supervisor:
            try:
                if fresh:
                    stack.delete_data()
                stack.start(supervisor)
                _print_summary(stack, time.monotonic() - began)
                supervisor.wait()
            except (KeyboardInterrupt, SystemExit):
                with suppress(OSError):  # the terminal may be gone, which is then why the demo stops
                    print("\nStopping …", flush=True)
                raise
    except KeyboardInterrupt:
        print("Stopped. The next start resumes from here.", flush=True)


def timed_printer() -> Callable[[str], None]:
    """Return a function that prints a line of progress with the seconds since now."""
    began = time.monotonic()
    return lambda line: print(f"  {time.monotonic() - began:5.1f} s  {line}", flush=True)


def print_failures(event: ChildEvent) -> None:
    """Print a child's event if it is a failure; use it as `on_event`."""
    if event.kind in (ChildEventKind.CRASHED, ChildEventKind.ABANDONED):
        print(f"  !        {event}", flush=True)


def _print_summary(stack: DemoStack, seconds: float) -> None:
    print(f"\nReady after {seconds:.0f} s\n")
    print(f"  API                {stack.api_url}/api/v1")
    print(f"  API documentation  {stack.api_url}/api/docs")
    print(f"  health             {stack.api_url}/api/v1/system/health")
    print(f"  node (JSON-RPC)    {stack.chain_rpc.endpoint}")
    print(f"  logs               {stack.data / 'logs'}")
    print("\n  Sign-in accounts (wallets of this demo only)")
    for name, role in USER_ROLES.items():
        voter = ", approves redemptions" if name in APPROVERS else ""
        print(f"    {name:<8} {stack.accounts.address(name)}  {role}{voter}")
    if stack.fund is not None:
        print(f"  Investors: {', '.join(INVESTORS)}")
        print("\n  Follow one redemption (in a second terminal):")
        _print_commands(f"{sys.argv[0]} demo{_data_option(stack.data)}", {
            "request ines 120000": "request a redemption on chain; prints the request's ID",
            "approve ID --as vera": "sign the approval; the application sends it",
            "warp 8d": "move chain time; the application settles what is due",
            "show ID": "show the request's timeline",
        })  # fmt: skip
    print("\n  Check the state of the system:")
    _print_commands(f"{sys.argv[0]} --env-file {_short(stack.env_file)}", {
        "status": "show blocks, leases, queue, wallets",
        "reconcile": "compare the recorded state with the chain",
    })  # fmt: skip
    print("\n  Ctrl-C stops everything; the next start resumes from there.", flush=True)


def _print_commands(program: str, meanings: dict[str, str]) -> None:
    for arguments, meaning in meanings.items():
        print(f"    {program} {arguments:<21} {meaning}")


def _data_option(data: Path) -> str:
    return "" if data == DEFAULT_DATA.resolve() else f" --data {_short(data)}"


def _short(path: Path) -> Path:
    """Return the path as it would be typed in this folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
