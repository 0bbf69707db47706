"""Find the user that PostgreSQL runs as, and the folders that this user cannot enter.

PostgreSQL refuses to run as root. The user it runs as instead cannot enter a folder below /root.
"""

import os
import pwd
import stat
from pathlib import Path

from paimon_devkit.stack.child import RunAs
from paimon_devkit.stack.errors import ServerUnavailable

_UNPRIVILEGED_USERS = ("postgres", "nobody")


def unprivileged_user() -> RunAs | None:
    """Return `postgres`, else `nobody`; None when this process does not run as root. Raises ServerUnavailable."""
    if os.geteuid() != 0:
        return None
    for name in _UNPRIVILEGED_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return RunAs(name, entry.pw_uid, entry.pw_gid)
    names = ", ".join(f"`{name}`" for name in _UNPRIVILEGED_USERS)
    raise ServerUnavailable(f"PostgreSQL does not run as root, and none of these users exists: {names}")


def first_inaccessible_folder(path: Path, user: RunAs) -> Path | None:
    """Return the topmost existing folder on the way to `path` (included) that `user` cannot enter; None if there is none."""
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
