"""Objects by key in a local folder, S3, Google Cloud Storage or Azure, which are written once.

A write refuses a key that exists; the store itself decides that, so two writers at once make one object. That an object stays
as it was written is the store's to keep: by an object lock, a retention policy, or the owner of the folder. No object is
larger than `OBJECT_BYTES_MAX`: a larger one is not written, and what a store offers beyond it is not read.

Calls block in threads of ours. The library's own `async` calls are answered from its threads, which outlive the loop: a process
that ends right after one of them is aborted now and then, and its exit code is lost.
"""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import ObjectStore, from_url

from paimon.errors import Unavailable

_LOCAL: Final = "file://"
_RETRIES_MAX: Final = 3
OBJECT_BYTES_MAX: Final = 64 * 1024 * 1024
"""Far above the largest report, and little enough to hold in memory."""


class ObjectExists(Exception):
    """An object with this key is there already."""


class StorageUnavailable(Unavailable):
    """The object storage does not answer, or refuses."""


class ObjectTooLarge(ValueError):
    """An object of this size is not written."""


class ObjectStorage:
    """The objects below one URL."""

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        self.url = url
        self._timeout_seconds = timeout_seconds
        self._opened: ObjectStore | None = None

    async def create(self, key: str, content: bytes) -> None:
        """Write a new object; its key is a path with slashes.

        Raises:
            ObjectExists: and nothing is written.
            ObjectTooLarge: and nothing is written.
            StorageUnavailable: whether it was written is not known; to write it again is safe.
        """
        if len(content) > OBJECT_BYTES_MAX:
            raise ObjectTooLarge(f"{self.url}/{key} would have {len(content)} bytes; {OBJECT_BYTES_MAX} are read of an object")
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await asyncio.to_thread(lambda: obstore.put(self._store(), key, content, mode="create"))
        except AlreadyExistsError as error:
            raise ObjectExists(f"{self.url}/{key} exists") from error
        except (BaseError, OSError, ValueError) as error:
            raise self._unavailable(key, error) from error

    async def find(self, key: str) -> bytes | None:
        """Return an object's content, or None if there is none.

        Raises:
            StorageUnavailable: also for an object that is larger than any of ours.
        """
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await asyncio.to_thread(lambda: _read(obstore.get(self._store(), key).stream()))
        except FileNotFoundError:
            return None
        except (BaseError, OSError, ValueError) as error:
            raise self._unavailable(key, error) from error

    def _store(self) -> ObjectStore:
        """Open the store at its first use: the folder, or the credentials, may come later than the process."""
        if self._opened is None:
            if self.url.startswith(_LOCAL):
                self._opened = from_url(self.url, mkdir=True)
            else:
                retry_seconds = timedelta(seconds=self._timeout_seconds)
                self._opened = from_url(self.url, retry_config={"max_retries": _RETRIES_MAX, "retry_timeout": retry_seconds})
        return self._opened

    def _unavailable(self, key: str, error: Exception) -> StorageUnavailable:
        lines = str(error).splitlines() or [f"no answer within {self._timeout_seconds:g} s"]
        return StorageUnavailable(f"{self.url}/{key}: {type(error).__name__}: {lines[0][:300]}")


def _read(pieces: Iterable[bytes]) -> bytes:
    """Read an object up to the limit. Raises ValueError beyond it."""
    content = bytearray()
    for piece in pieces:
        content += piece
        if len(content) > OBJECT_BYTES_MAX:
            raise ValueError(f"the object has more than the {OBJECT_BYTES_MAX} bytes that are read of it")
    return bytes(content)
