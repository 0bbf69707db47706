"""The files that a local chain is resumed from.

- `checkpoint.json` is dumped from the running chain about every second and replaced atomically. It holds the latest state and
  all blocks, but no older states. It is what remains after anvil was killed.
- `anvil.json` is the file that anvil loads at its start and overwrites when it is stopped. It then also holds the states of
  earlier blocks, so that reads pinned to a block shortly before the stop still work after it.

anvil's own `--state-interval` is not used. It rewrites its file in place, so that a kill at that moment leaves half a file
(observed: 0 bytes). With earlier states the file also grows by the size of all contracts with every block (200 kB of code:
400 MB after 770 blocks), which takes a whole core after minutes. For the same reason only the states of the last STATES_KEPT
blocks are kept.
"""

import gzip
import json
import mmap
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paimon_devkit.stack.errors import DataFolderUnusable

# Enough for reads that a process had begun before the stop: a minute and a half of blocks, more than BSC's nodes keep in time.
STATES_KEPT = 32

_HISTORY = b'"historical_states":'
_ENTRY = re.compile(rb'\["(0x[0-9a-f]{64})",\{"accounts":')


@dataclass(frozen=True, slots=True)
class _Dump:
    best_block: int
    text: bytes


class ChainState:
    """The state files of one folder. Not thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.state_file = folder / "anvil.json"
        self._checkpoint = folder / "checkpoint.json"

    @property
    def exists(self) -> bool:
        """Whether there is a state to resume from."""
        return self.state_file.exists() or self._checkpoint.exists()

    def prepare_resume(self) -> bool:
        """Make `state_file` the newest usable state, before a start. Return False when there is none (a new chain).

        The state is kept as the checkpoint too: the next stop may be interrupted while anvil overwrites its own file.
        Raises DataFolderUnusable when both files are damaged.
        """
        if not self.exists:
            return False
        at_exit, checkpoint = _read(self.state_file), _read(self._checkpoint)
        if at_exit is not None and (checkpoint is None or at_exit.best_block >= checkpoint.best_block):
            _replace(self._checkpoint, at_exit.text)
        elif checkpoint is None:
            raise DataFolderUnusable(f"the chain's files in {self.state_file.parent} are damaged: start over with --fresh")
        shutil.copyfile(self._checkpoint, self.state_file)
        return True

    def checkpoint(self, dumped: str) -> None:
        """Replace the checkpoint by the answer of `anvil_dumpState` (0x and hex of gzipped JSON)."""
        _replace(self._checkpoint, gzip.decompress(bytes.fromhex(dumped.removeprefix("0x"))))


def _read(path: Path) -> _Dump | None:
    """Return a dump with only its last states, or None when the file is missing or was cut off before them."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _trim(content)
    except (FileNotFoundError, ValueError):  # ValueError: empty, or not JSON
        return None


def _trim(content: mmap.mmap) -> _Dump:
    history = content.find(_HISTORY)
    if history < 0:
        raise ValueError("not a complete dump")
    before = content[:history]
    chain: dict[str, Any] = json.loads(before.rstrip(b",") + b"}")
    best_block = _number(chain["best_block_number"])
    # A state is filed under its block's hash, which only the next block's header holds.
    number_of = {block["header"]["parentHash"].encode(): _number(block["header"]["number"]) - 1 for block in chain["blocks"]}
    entries = list(_ENTRY.finditer(content, history))
    ends = [entry.start() - 1 for entry in entries[1:]] + [len(content) - len("]}")]
    kept = [
        content[entry.start() : end]
        for entry, end in zip(entries, ends, strict=False)
        if number_of.get(entry[1], -1) >= best_block - STATES_KEPT
    ]
    # Only the last entry of the file can have been cut off by a kill.
    if kept and entries and kept[-1][:70] == content[entries[-1].start() :][:70] and not _is_json(kept[-1]):
        kept.pop()
    return _Dump(best_block, b"".join((before, _HISTORY, b"[", b",".join(kept), b"]}")))


def _number(value: str | int) -> int:
    return value if isinstance(value, int) else int(value, 16)


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _replace(path: Path, text: bytes) -> None:
    draft = path.with_name(f"{path.name}.new")
    draft.write_bytes(text)
    draft.replace(path)
