"""Seal the audit trail: append the entries that are in no tree yet, and record the new root. One process does it, by lease."""

import asyncio
from dataclasses import replace

import structlog

from paimon.application.audit.store import find_root, list_unsealed, load_tree, save_sealed
from paimon.domain.audit.merkle_tree import Subtree
from paimon.domain.kernel.chain import Hash32, hex0x
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.leases import HeldLease, fence
from paimon.infrastructure.database.sessions import Database
from paimon.settings import AuditSettings

log = structlog.get_logger(__name__)


class TreeDiffers(Exception):
    """The stored subtrees do not add up to the last recorded root: rows of the audit trail were changed."""


async def seal_all(database: Database, lease: HeldLease, options: AuditSettings) -> None:
    """Seal new entries until cancelled, soon after they were written.

    Raises:
        TreeDiffers, LeaseLost.
    """
    while True:
        while await seal(database, lease, entries_max=options.seal_entries_max) == options.seal_entries_max:
            pass
        await asyncio.sleep(options.seal_seconds)


async def seal(database: Database, lease: HeldLease, *, entries_max: int) -> int:
    """Seal at most this many entries in one transaction, and return how many there were.

    Raises:
        TreeDiffers, LeaseLost.
    """
    async with database.write() as session:
        entries = await list_unsealed(session, limit=entries_max)
        if not entries:
            return 0
        await fence(session, lease)
        last = await find_root(session)
        tree = await load_tree(session, 0 if last is None else last.size)
        if last is not None and tree.root() != last.root:
            raise TreeDiffers(f"the tree of {last.size} entries has the root {hex0x(tree.root())}, not {hex0x(last.root)}")
        completed: dict[Subtree, Hash32] = {}
        sealed_at = await database_now(session)
        for entry in entries:
            completed.update(tree.append(replace(entry, sealed_at=sealed_at).leaf()))
        await save_sealed(session, entries, completed, tree, sealed_at=sealed_at)
    log.debug("audit.sealed", entries=len(entries), size=tree.size, root=hex0x(tree.root()))
    return len(entries)
