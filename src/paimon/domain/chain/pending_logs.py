"""Logs seen above the recorded blocks, and how each is resolved: its block is recorded, or its block is orphaned.

A log is identified by its block's hash, so the same log in another block is another log. Only the *block* decides: nodes
give incomplete responses near the head, and a log missing from one response proves nothing.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import NamedTuple

from paimon.domain.kernel.chain import Hash32


class PendingLogKey(NamedTuple):
    """Identify one log of one block."""

    block_number: int
    block_hash: Hash32
    log_index: int


class PendingLogStatus(StrEnum):
    """Status of a log that was seen before it was final. FINALIZED and ORPHANED are the last status sent."""

    PENDING = "PENDING"
    FINALIZED = "FINALIZED"  # its block is recorded
    ORPHANED = "ORPHANED"  # another block replaced its block


def resolve_pending(
    known: Iterable[PendingLogKey], head: Mapping[int, Hash32], *, recorded_block: int, recorded: AbstractSet[Hash32]
) -> dict[PendingLogKey, PendingLogStatus]:
    """Select the pending logs that are resolved, with their new status.

    `head` holds the blocks above the final one as a node has them now, by number. `recorded` holds those hashes of the
    pending logs' blocks that are recorded. A log whose block is in neither stays pending.
    """
    resolved: dict[PendingLogKey, PendingLogStatus] = {}
    for log in known:
        if log.block_number <= recorded_block:
            resolved[log] = PendingLogStatus.FINALIZED if log.block_hash in recorded else PendingLogStatus.ORPHANED
        elif head.get(log.block_number, log.block_hash) != log.block_hash:
            resolved[log] = PendingLogStatus.ORPHANED
    return resolved
