"""Keep random passwords beside the data they open, in files and folders that only their owner can enter."""

import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from paimon_devkit.stack.child import RunAs

_PASSWORD_BYTES = 24


def load_or_create_passwords(path: Path, names: Sequence[str]) -> dict[str, str]:
    """Return a password of URL-safe characters for each name, from `path` (JSON, mode 0600). Missing ones are created there."""
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    missing = [name for name in names if name not in known]
    if missing:
        known |= {name: secrets.token_urlsafe(_PASSWORD_BYTES) for name in missing}
        write_private_file(path, json.dumps(known, indent=1))
    return {name: known[name] for name in names}


def write_password_file(path: Path) -> None:
    """Write a random password to a new file of mode 0600."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(_PASSWORD_BYTES))


def write_private_file(path: Path, text: str) -> None:
    """Replace the file at `path` atomically with one of mode 0600."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)


def make_private_folder(path: Path, *, passable_by: RunAs | None = None) -> None:
    """Create the folder, unless it exists, and close it to all other users: mode 0700.

    `passable_by` is a user whose server has its files further down. Its group may pass through, and may not list: mode 0710.
    """
    path.mkdir(parents=True, exist_ok=True)
    if passable_by is not None:
        os.chown(path, -1, passable_by.gid)
    path.chmod(0o700 if passable_by is None else 0o710)
