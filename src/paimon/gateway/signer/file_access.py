"""Check that no caller can get around the signer: read its keys, or write its policy, ledger or keys.

A file is as safe as the folders above it: who may write a folder may put another file in its place. So every folder up to the
root is checked too, both along the path as it is written and along the one its symbolic links lead to.
"""

import os
import shlex
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from paimon.gateway.signer.caller_policy import LocalCaller
from paimon.gateway.signer.policy import SignerPolicy

_ACL: Final = "system.posix_acl_access"


@dataclass(frozen=True, slots=True)
class _Finding:
    """What is wrong with a file or folder, and the command that mends it."""

    problem: str
    command: str

    def __str__(self) -> str:
        return f"{self.problem}; run: {self.command}"


def protected_files(policy_path: Path, policy: SignerPolicy) -> tuple[Path, ...]:
    """Return the files that callers must not reach."""
    files = [policy_path.absolute(), policy.ledger, policy.counter]
    for key in policy.keys:
        files += [path for path in (key.keystore, key.password_file) if path is not None]
    if policy.tls is not None:
        files += [policy.tls.private_key, policy.tls.certificate, *(client.certificate for client in policy.tls.clients)]
    return tuple(files)


def find_exposures(files: Sequence[Path], callers: Sequence[LocalCaller], *, own_uid: int) -> list[str]:
    """Return one sentence for each way in which a caller reaches one of the files: what, who and which command mends it."""
    found: dict[str, None] = {}
    for file in files:
        for path in _with_folders(file):
            try:
                found.update(dict.fromkeys(map(str, _findings(path, callers, own_uid=own_uid))))
            except FileNotFoundError:
                continue  # a ledger before its creation; what is above it counts all the same
    return list(found)


def _with_folders(file: Path) -> Iterator[Path]:
    """Yield the file and every folder above it, along the path as written and as resolved."""
    written, resolved = Path(os.path.abspath(file)), file.resolve()  # noqa: PTH100 — `absolute` keeps `..`
    yield from dict.fromkeys((written, *written.parents, resolved, *resolved.parents))


def _findings(path: Path, callers: Sequence[LocalCaller], *, own_uid: int) -> Iterator[_Finding]:
    status, quoted = path.stat(), shlex.quote(str(path))
    is_folder = stat.S_ISDIR(status.st_mode)
    if not is_folder and status.st_uid not in (0, own_uid):
        yield _Finding(
            f"{path} belongs to uid {status.st_uid}, and the signer runs as uid {own_uid}", f"chown {own_uid} {quoted}"
        )
    if callers and _has_acl(path):
        yield _Finding(f"{path} has an access control list, which its mode does not show", f"setfacl -b {quoted}")
    for caller in callers:
        if status.st_uid == caller.uid:
            yield _Finding(f"{caller} owns {path}", f"chown {own_uid} {quoted}")
        elif (who := _writer(status, caller)) is not None:
            what = f"may write the folder {path}, and so replace what is in it" if is_folder else f"may write {path}"
            mode = f"mode {stat.S_IMODE(status.st_mode):04o}, group {status.st_gid}"
            yield _Finding(f"{caller} {what} ({mode})", f"chmod {who}-w {quoted}")


def _writer(status: os.stat_result, caller: LocalCaller) -> str | None:
    """Return by which part of the mode the caller may write: "g" for the group, "o" for others, None for neither."""
    if stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX:
        return None  # as in /tmp: only its owner moves a file there
    if status.st_gid in caller.groups and status.st_mode & stat.S_IWGRP:
        return "g"
    return "o" if status.st_mode & stat.S_IWOTH else None


def _has_acl(path: Path) -> bool:
    if not hasattr(os, "getxattr"):
        return False
    try:
        return bool(os.getxattr(path, _ACL))
    except OSError:  # none, or a file system without them
        return False
