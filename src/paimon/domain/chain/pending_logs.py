"""Logs seen above the recorded blocks, and what becomes of each: its block is recorded, or it is none of the chain's.

A log is known by its block's hash, so one that comes again in another block is another one. Only its *block* decides its
fate: near the head nodes give incomplete answers, and a log that is missing from one proves nothing.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import NamedTuple

from paimon.domain.kernel.chain import Hash32


class PendingLogKey(NamedTuple):
    """One log of one block."""

    block_number: int
    block_hash: Hash32
    log_index: int


class PendingLogStatus(StrEnum):
    """What is told of a log that is not final; whoever hears `final` or `withdrawn` hears no more of it."""

    PENDING = "PENDING"
    FINALIZED = "FINALIZED"  # its block is recorded: the books have it
    ORPHANED = "ORPHANED"  # another block stands in its block's place


def resolve_pending(
    known: Iterable[PendingLogKey], head: Mapping[int, Hash32], *, recorded_block: int, recorded: AbstractSet[Hash32]
) -> dict[PendingLogKey, PendingLogStatus]:
    """Which of the known leave the list, and how.

    `head` are the blocks above the final one as a node has them now, by number; `recorded` are the hashes, of the known
    logs' blocks, that are in the books. Blocks of which neither tells anything leave their logs as they are.
    """
    resolved: dict[PendingLogKey, PendingLogStatus] = {}
    for log in known:
        if log.block_number <= recorded_block:
            resolved[log] = PendingLogStatus.FINALIZED if log.block_hash in recorded else PendingLogStatus.ORPHANED
        elif head.get(log.block_number, log.block_hash) != log.block_hash:
            resolved[log] = PendingLogStatus.ORPHANED
    return resolved
