"""The audit trail in the database: entries to seal, and the subtrees and roots of the tree."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, insert, select, text, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import BigInteger

from paimon.domain.audit.day_root import DayRoot
from paimon.domain.audit.entry import AuditEntry, AuditRetention
from paimon.domain.audit.export import TreeRoot
from paimon.domain.audit.merkle_tree import GrowingTree, Subtree, edge_of
from paimon.domain.kernel.chain import Address, Hash32
from paimon.infrastructure.database.clock import as_utc
from paimon.infrastructure.database.models.ops.audit import AuditDayRootRow, AuditEntryRow, AuditRootRow, AuditSubtreeRow
from paimon.infrastructure.database.sessions import WriteSession

_SEAL: Final = text("""
    UPDATE ops.audit_entries AS entry SET position = sealed.position, leaf = sealed.leaf, sealed_at = :sealed_at
      FROM unnest(:ids, :positions, :leaves) AS sealed(id, position, leaf)
     WHERE entry.id = sealed.id
""").bindparams(
    bindparam("ids", type_=ARRAY(BigInteger)),
    bindparam("positions", type_=ARRAY(BigInteger)),
    bindparam("leaves", type_=ARRAY(BYTEA)),
)


_RECORD: Final = text("SELECT ops.record_audit(:operation, :retention, :actor, :resource, CAST(:payload AS jsonb))")
_ADD: Final = text(
    "SELECT ops.add_audit_entry(:operation, :retention, CAST(NULL AS bytea), 'DONE', :resource, CAST(:payload AS jsonb))"
)


def to_entry(row: AuditEntryRow) -> AuditEntry:
    """Return the entry of a row."""
    return AuditEntry(
        id=row.id,
        at=as_utc(row.at),
        operation=row.operation,
        retention=row.retention,
        actor=None if row.actor is None else Address(row.actor),
        outcome=row.outcome,
        resource=row.resource,
        recorded_by=row.recorded_by,
        payload_hash=Hash32(row.payload_hash),
        payload=row.payload,
        sealed_at=None if row.sealed_at is None else as_utc(row.sealed_at),
    )


async def insert_refusal(
    session: WriteSession, operation: str, retention: AuditRetention, actor: Address, *, resource: str, payload: str
) -> None:
    """Add the entry of a refusal; `payload` is JSON. The database lets the API add no other entry."""
    values = {"operation": operation, "retention": retention.value, "actor": actor, "resource": resource, "payload": payload}
    await session.execute(_RECORD, values)


async def insert_maintenance(
    session: WriteSession, operation: str, retention: AuditRetention, *, resource: str, payload: str
) -> None:
    """Add the entry of what was done as the owner of the tables, who alone may; `payload` is JSON."""
    values = {"operation": operation, "retention": retention.value, "resource": resource, "payload": payload}
    await session.execute(_ADD, values)


async def list_unsealed(session: AsyncSession, *, limit: int) -> list[AuditEntry]:
    """List entries that are in no tree yet, lowest id first.

    An entry whose transaction commits later than that of a higher id is sealed later: the tree's order is that of sealing.
    """
    rows = await session.scalars(
        select(AuditEntryRow).where(AuditEntryRow.position.is_(None)).order_by(AuditEntryRow.id).limit(limit)
    )
    return [to_entry(row) for row in rows]


async def find_root(session: AsyncSession) -> TreeRoot | None:
    """Return the newest root, or None before the first entry was sealed."""
    row = await session.scalar(select(AuditRootRow).order_by(AuditRootRow.size.desc()).limit(1))
    return None if row is None else to_root(row)


def to_root(row: AuditRootRow) -> TreeRoot:
    """Return the root of a row."""
    return TreeRoot(row.size, Hash32(row.root), as_utc(row.sealed_at))


async def load_tree(session: AsyncSession, size: int) -> GrowingTree:
    """Return the tree of this size, ready to grow."""
    hashes = await load_subtrees(session, edge_of(size))
    return GrowingTree(size, [hashes[subtree] for subtree in edge_of(size)])


async def load_subtrees(session: AsyncSession, subtrees: Sequence[Subtree]) -> dict[Subtree, Hash32]:
    """Return the hashes of complete subtrees; a leaf's stands with its entry."""
    positions = [subtree.index for subtree in subtrees if subtree.level == 0]
    leaves = await session.execute(
        select(AuditEntryRow.position, AuditEntryRow.leaf).where(AuditEntryRow.position.in_(positions))
    )
    found = {Subtree(0, row.position): Hash32(row.leaf) for row in leaves}
    above = [(subtree.level, subtree.index) for subtree in subtrees if subtree.level > 0]
    rows = await session.execute(
        select(AuditSubtreeRow.level, AuditSubtreeRow.index, AuditSubtreeRow.hash).where(
            tuple_(AuditSubtreeRow.level, AuditSubtreeRow.index).in_(above)
        )
    )
    return found | {Subtree(level, index): Hash32(above_hash) for level, index, above_hash in rows}


async def save_sealed(
    session: WriteSession,
    entries: Sequence[AuditEntry],
    completed: Mapping[Subtree, Hash32],
    tree: GrowingTree,
    *,
    sealed_at: datetime,
) -> None:
    """Give the entries their positions, the last ones of the tree, and save the subtrees that they completed and the root."""
    first = tree.size - len(entries)
    await session.execute(
        _SEAL,
        {
            "ids": [entry.id for entry in entries],
            "positions": list(range(first, tree.size)),
            "leaves": [completed[Subtree(0, position)] for position in range(first, tree.size)],
            "sealed_at": sealed_at,
        },
    )
    above = [
        {"level": subtree.level, "index": subtree.index, "hash": found} for subtree, found in completed.items() if subtree.level
    ]
    if above:
        await session.execute(insert(AuditSubtreeRow), above)
    await session.execute(insert(AuditRootRow).values(size=tree.size, root=tree.root(), sealed_at=sealed_at))


async def find_last_day_root(session: AsyncSession) -> AuditDayRootRow | None:
    """Return the newest day whose root is stored, or None before the first."""
    row: AuditDayRootRow | None = await session.scalar(select(AuditDayRootRow).order_by(AuditDayRootRow.day.desc()).limit(1))
    return row


async def find_first_root(session: AsyncSession) -> TreeRoot | None:
    """Return the root of the first sealed entries, or None before them."""
    row = await session.scalar(select(AuditRootRow).order_by(AuditRootRow.size).limit(1))
    return None if row is None else to_root(row)


async def find_root_before(session: AsyncSession, end: datetime) -> TreeRoot | None:
    """Return the newest root that was sealed before this time."""
    query = select(AuditRootRow).where(AuditRootRow.sealed_at < end).order_by(AuditRootRow.size.desc()).limit(1)
    row = await session.scalar(query)
    return None if row is None else to_root(row)


async def find_root_of(session: AsyncSession, size: int) -> TreeRoot | None:
    """Return the root of the tree of this size, if one was recorded."""
    row = await session.get(AuditRootRow, size)
    return None if row is None else to_root(row)


async def insert_day_root(session: WriteSession, root: DayRoot) -> None:
    """Record that a day's root is stored."""
    await session.execute(insert(AuditDayRootRow).values(day=root.day, size=root.size, root=root.root))
