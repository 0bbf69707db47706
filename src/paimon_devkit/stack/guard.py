"""The last net: a small process that ends the supervisor's children when the supervisor is gone.

Run as a script with a pipe as standard input. Lines: "+ PID SIGNAL" (a process group to watch, and how to ask its
leader to stop), "- PID" (it has ended in good order). The kernel closes the pipe whatever way the supervisor dies;
then every leader still listed is asked to stop, and its group is killed once it has, at latest after GRACE_SECONDS.
The parent-death signal set by launch.py is quicker, but reaches only the direct child, only on Linux; this reaches
grandchildren, everywhere.
"""

import os
import signal
import sys
import time
from contextlib import suppress

GRACE_SECONDS = 4.0


def _is_there(pid: int) -> bool:
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
        # A leader that is gone cannot stop its own children any more.
        for leader in [leader for leader in left if late or not _is_there(leader)]:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(leader, signal.SIGKILL)
            left.remove(leader)
        time.sleep(0.02)


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
