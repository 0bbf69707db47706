"""End the supervisor's children when the supervisor is gone.

This is a small process, run as a script with a pipe as standard input. Its lines are "+ PID SIGNAL" (watch a process group,
and stop its leader by this signal) and "- PID" (the group has ended). The kernel closes the pipe however the supervisor
ends. The guard then sends each listed leader its signal, and kills the group once the leader has ended, at latest after
GRACE_SECONDS. The parent-death signal that launch.py sets is quicker, but reaches only the direct child, and only on Linux;
the guard reaches grandchildren on every platform.
"""

import os
import signal
import sys
import time
from contextlib import suppress

GRACE_SECONDS = 4.0


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _end(groups: dict[int, int]) -> None:
    for leader, signal_number in groups.items():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(leader, signal_number)
    deadline = time.monotonic() + GRACE_SECONDS
    left = set(groups)
    while left:
        late = time.monotonic() > deadline
        # A leader that has ended cannot stop its own children.
        for leader in [leader for leader in left if late or not _exists(leader)]:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(leader, signal.SIGKILL)
            left.remove(leader)
        time.sleep(0.02)


def main() -> None:
    """Read the pipe to its end, then end the listed groups."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: dict[int, int] = {}
    for line in sys.stdin:
        change, pid, *rest = line.split()
        if change == "+":
            groups[int(pid)] = int(rest[0])
        else:
            groups.pop(int(pid), None)
    _end(groups)


if __name__ == "__main__":
    main()
