"""The last net: a small process that ends the supervisor's children when the supervisor is gone.

Run as a script with a pipe as standard input. Lines: "+ PID SIGNAL" (a process group to watch, and how to ask its
leader to stop), "- PID" (it has ended in good order). The kernel closes the pipe whatever way the supervisor dies;
then every group still listed is asked to stop and, after GRACE_SECONDS, killed. The parent-death signal set by
launch.py is quicker, but reaches only the direct child, only on Linux; this reaches grandchildren, everywhere.
"""

import os
import signal
import sys
import time
from contextlib import suppress

GRACE_SECONDS = 4.0


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _end(groups: dict[int, int]) -> None:
    for pid, signal_number in groups.items():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal_number)
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and any(_alive(group) for group in groups):
        time.sleep(0.05)
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def main() -> None:
    """Follow the pipe to its end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: dict[int, int] = {}
    for line in sys.stdin:
        what, pid, *rest = line.split()
        if what == "+":
            groups[int(pid)] = int(rest[0])
        else:
            groups.pop(int(pid), None)
    _end(groups)


if __name__ == "__main__":
    main()
