"""Store the audit trail's root of each UTC day that has ended, where the owner of the database cannot change it."""

import asyncio

import structlog

from paimon.application.audit.seal import TreeDiffers
from paimon.application.audit.store import (
    find_first_root,
    find_last_day_root,
    find_root_before,
    find_root_of,
    insert_day_root,
)
from paimon.domain.audit.day_root import DayRoot, end_of, ended_days
from paimon.domain.kernel.chain import hex0x
from paimon.domain.kernel.eip712 import SigningScope
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.leases import HeldLease, fence
from paimon.infrastructure.database.sessions import Database, ReadSession
from paimon.infrastructure.storage.objects import ObjectExists, ObjectStorage, StorageUnavailable
from paimon.settings import AuditSettings

log = structlog.get_logger(__name__)


async def keep_day_roots(
    database: Database, lease: HeldLease, objects: ObjectStorage, scope: SigningScope, options: AuditSettings
) -> None:
    """Store day roots until cancelled. What cannot be stored now is tried again at the next look.

    Raises:
        TreeDiffers, LeaseLost.
    """
    while True:
        try:
            await store_day_roots(database, lease, objects, scope)
        except StorageUnavailable as error:
            log.error("audit.day_root_not_stored", reason=str(error))
        await asyncio.sleep(options.day_root_seconds)


async def store_day_roots(database: Database, lease: HeldLease, objects: ObjectStorage, scope: SigningScope) -> int:
    """Store the root of each day that has ended and has none yet, oldest first; return how many.

    Raises:
        TreeDiffers: the tree no longer has the root of the last stored day, or the storage has another root for a day.
        StorageUnavailable, LeaseLost.
    """
    async with database.read() as session:
        due = await _due(session, scope)
    for root in due:
        await _create(objects, root)
        async with database.write() as session:
            await fence(session, lease)
            await insert_day_root(session, root)
        log.info("audit.day_root_stored", day=root.day.isoformat(), size=root.size, root=hex0x(root.root), key=root.key)
    return len(due)


async def _due(session: ReadSession, scope: SigningScope) -> list[DayRoot]:
    last, first_root, now = await find_last_day_root(session), await find_first_root(session), await database_now(session)
    if first_root is None:
        return []
    if last is not None and (same := await find_root_of(session, last.size)) is not None and same.root != last.root:
        raise TreeDiffers(f"the tree of {last.size} entries has the root {hex0x(same.root)}; on {last.day} it was another")
    found = list[DayRoot]()
    for day in ended_days(first_root.sealed_at.date(), now=now):
        if last is not None and day <= last.day:
            continue
        root = await find_root_before(session, end_of(day))
        if root is not None:
            found.append(DayRoot(scope.chain_id, scope.redemption_manager, day, root.size, root.root))
    return found


async def _create(objects: ObjectStorage, root: DayRoot) -> None:
    """Write the object. One that is there already must be the same: it was written just before its row was not."""
    try:
        await objects.create(root.key, root.content())
    except ObjectExists:
        if await objects.find(root.key) != root.content():
            raise TreeDiffers(
                f"{root.key} of the object storage has another root than the tree of {root.size} entries, {hex0x(root.root)}"
            ) from None
