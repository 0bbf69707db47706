"""The object storage in a process of its own: it ends with its exit code."""

import subprocess
import sys
from pathlib import Path
from typing import Final

_USE_AND_EXIT: Final = """
import asyncio
import sys

from paimon.infrastructure.storage.objects import ObjectStorage

async def use():
    objects = ObjectStorage(sys.argv[1], timeout_seconds=20)
    await objects.create("key", bytes(100_000))
    for _ in range(3):
        assert await objects.find("key") == bytes(100_000)

asyncio.run(use())
raise SystemExit(2)
"""
_RUNS: Final = 12
"""Of the library's `async` calls, a third of the processes were aborted at their end."""


def test_a_process_that_used_the_storage_ends_with_its_own_code(tmp_path: Path) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", _USE_AND_EXIT, f"file://{tmp_path}/{run}"], stderr=subprocess.PIPE)
        for run in range(_RUNS)
    ]
    assert [(process.wait(60), process.communicate()[1]) for process in started] == [(2, b"")] * _RUNS
