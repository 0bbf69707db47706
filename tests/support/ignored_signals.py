"""Become another program that starts with signals ignored, as a shell starts its background jobs and nohup its program.

python ignored_signals.py SIGINT,SIGHUP -- PROGRAM ARGUMENT...
"""

import os
import signal
import sys
from collections.abc import Sequence


def ignoring(numbers: Sequence[signal.Signals], *command: str) -> list[str]:
    """The command, with these signals ignored from its start."""
    return [sys.executable, "-I", "-S", __file__, ",".join(each.name for each in numbers), "--", *command]


if __name__ == "__main__":
    for name in sys.argv[1].split(","):
        signal.signal(signal.Signals[name], signal.SIG_IGN)
    os.execvp(sys.argv[3], sys.argv[3:])
