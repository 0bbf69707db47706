"""Replace this process by another program that ends with its parent. Run as a script, never imported.

    python -I -S launch.py SIGNAL PARENT USER -- PROGRAM ARGUMENT...

SIGNAL is the number that the kernel sends when the parent is gone, PARENT the parent's pid, USER "uid:gid" or "-".

This is a program and not subprocess' `preexec_fn`, which runs Python between fork and exec and can deadlock when the parent
has threads. The order matters, because a change of the user clears the parent-death signal: first the user, then the signal,
then exec. Only the standard library may be imported (-S).

The program starts with the default effect of the signals that stop it. A signal that the parent ignores (SIGINT in a shell's
background job, SIGHUP under nohup) would otherwise be ignored by every program below it, and anvil and PostgreSQL are stopped
by SIGINT.
"""

import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


_STOP_SIGNALS = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)


def _reset_signals() -> None:
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)


def _die_with_parent(signal_number: int, parent: int, prctl: Callable[..., int] | None) -> None:
    if prctl is None:
        return
    if prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0) != 0:
        raise OSError("prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # the parent ended before the call above
        sys.exit(1)


def _find_prctl() -> Callable[..., int] | None:
    """Return the C function on Linux. Elsewhere only the guard process (guard.py) ends orphaned children."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    function: Callable[..., int] = ctypes.CDLL(None).prctl
    return function


def main(arguments: list[str]) -> None:
    """Become the program. On failure print one line on standard error and exit with 127."""
    signal_number, parent, user, _separator, *program = arguments
    try:
        prctl = _find_prctl()  # before the user changes: the new user may be unable to read Python's folder
        if user != "-":
            uid, gid = (int(part) for part in user.split(":"))
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        _die_with_parent(int(signal_number), int(parent), prctl)
        _reset_signals()
        os.execvp(program[0], program)  # noqa: S606 - an argument list, no shell
    except OSError as error:
        sys.stderr.write(f"cannot start {program[0]}: {error}\n")
        sys.exit(127)


if __name__ == "__main__":
    main(sys.argv[1:])
