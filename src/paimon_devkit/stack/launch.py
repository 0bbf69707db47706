"""Turn this process into another program that dies with its parent. Run as a script, never imported.

    python -I -S launch.py SIGNAL PARENT USER -- PROGRAM ARGUMENT...

SIGNAL is the number the kernel sends when the parent is gone, PARENT the parent's pid, USER "uid:gid" or "-".

Why a program and not subprocess' `preexec_fn`: that one runs Python between fork and exec, which can deadlock
when the parent has threads; and changing the user clears the parent-death signal, so the order matters:
user first, then signal, then exec. Nothing but the standard library may be imported (-S).

The program starts with the usual effect of the signals that stop it. A signal that our parent ignores (a shell's background
job does so with SIGINT, nohup with SIGHUP) would otherwise be ignored by every program down the line, and with anvil and
PostgreSQL SIGINT is how we stop them.
"""

import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


_STOPPING = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)


def _heed_signals() -> None:
    for number in _STOPPING:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)


def _die_with_parent(signal_number: int, parent: int, prctl: Callable[..., int] | None) -> None:
    if prctl is None:
        return
    if prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0) != 0:
        raise OSError("prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # it died before the call above
        sys.exit(1)


def _find_prctl() -> Callable[..., int] | None:
    """Linux only. Elsewhere the guard process (guard.py) is the only net."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    function: Callable[..., int] = ctypes.CDLL(None).prctl
    return function


def main(arguments: list[str]) -> None:
    """Become the program. On failure: one line on standard error, exit code 127."""
    signal_number, parent, user, _separator, *program = arguments
    try:
        prctl = _find_prctl()  # imports while we still can: the new user may not reach Python's own folder
        if user != "-":
            uid, gid = (int(part) for part in user.split(":"))
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        _die_with_parent(int(signal_number), int(parent), prctl)
        _heed_signals()
        os.execvp(program[0], program)  # noqa: S606 - an argument list, no shell
    except OSError as error:
        sys.stderr.write(f"cannot start {program[0]}: {error}\n")
        sys.exit(127)


if __name__ == "__main__":
    main(sys.argv[1:])
