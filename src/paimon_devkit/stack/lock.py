"""Allow one supervisor per data folder."""

import fcntl
import os
from pathlib import Path
from typing import Self

from paimon_devkit.stack.errors import DataFolderLocked


class DataFolderLock:
    """Hold an flock on `supervisor.lock` in the data folder. The kernel releases it when the holder ends, in any way."""

    def __init__(self, data: Path) -> None:
        self._path = data / "supervisor.lock"
        self._descriptor: int | None = None

    @property
    def was_ever_held(self) -> bool:
        """Whether a supervisor has ever held the lock, which makes this a demo's data folder."""
        return self._path.exists()

    def acquire(self) -> None:
        """Take the lock without waiting. Raises DataFolderLocked with the holder's pid."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Close-on-exec is Python's default: children do not inherit the lock.
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise DataFolderLocked(str(self._path.parent), holder) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Release the lock, if it is held. The file stays: removing it would race with the next holder."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.release()
