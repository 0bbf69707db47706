"""Whom a server runs as, and whether that user can reach a folder.

PostgreSQL refuses to run as root, and a folder below one that other users cannot enter (/root) is closed to the user
it runs as instead.
"""

import os
import pwd
import stat
from pathlib import Path

from paimon_devkit.stack.child import RunAs
from paimon_devkit.stack.errors import ServerUnavailable

_UNPRIVILEGED_USERS = ("postgres", "nobody")


def unprivileged_user() -> RunAs | None:
    """None when we are not root ourselves, else `postgres`, else `nobody`."""
    if os.geteuid() != 0:
        return None
    for name in _UNPRIVILEGED_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return RunAs(name, entry.pw_uid, entry.pw_gid)
    raise ServerUnavailable(
        f"PostgreSQL does not run as root, and none of these users exists: {', '.join(f'`{each}`' for each in _UNPRIVILEGED_USERS)}"
    )


def first_inaccessible_folder(path: Path, user: RunAs) -> Path | None:
    """The topmost existing folder on the way to `path` (itself included) that `user` cannot enter; None if open."""
    resolved = path.resolve()
    for folder in (*reversed(resolved.parents), resolved):
        try:
            status = folder.stat()
        except FileNotFoundError:
            return None
        if not _may_enter(status, user):
            return folder
    return None


def _may_enter(status: os.stat_result, user: RunAs) -> bool:
    # The first class that applies decides, as in the kernel; RunAs has no further groups.
    if status.st_uid == user.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == user.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
