"""Replace this process by a program that starts with signals ignored, as a shell or nohup does.

python ignored_signals.py SIGINT,SIGHUP -- PROGRAM ARGUMENT...
"""

import os
import signal
import sys
from collections.abc import Sequence


def ignoring(numbers: Sequence[signal.Signals], *command: str) -> list[str]:
    """Return a command that runs `command` with these signals ignored from its start."""
    return [sys.executable, "-I", "-S", __file__, ",".join(number.name for number in numbers), "--", *command]


if __name__ == "__main__":
    for name in sys.argv[1].split(","):
        signal.signal(signal.Signals[name], signal.SIG_IGN)
    os.execvp(sys.argv[3], sys.argv[3:])
