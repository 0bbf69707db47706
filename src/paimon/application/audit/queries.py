"""Reads of the audit trail: lists, one entry with its proof, and the whole of it as an export."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.audit.store import find_root, load_subtrees, to_entry, to_root
from paimon.domain.audit.entry import AuditEntry, AuditOutcome
from paimon.domain.audit.export import ExportHeader, TreeRoot, entry_line, header_line, root_line
from paimon.domain.audit.merkle_tree import (
    EMPTY_ROOT,
    Subtree,
    consistency_proof,
    inclusion_proof,
)
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.eip712 import SigningScope
from paimon.errors import InvalidRequest, NotFound
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.audit import AuditEntryRow, AuditRootRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page, latest_first
from paimon.infrastructure.database.sessions import ReadSession

_HEX_ID: Final = re.compile("/0x[0-9a-fA-F]+$")
"""An address or a hash as an id, which the trail writes in lower case."""
_EXPORT_ROWS: Final = 2_000


class AuditEntryNotFound(NotFound):
    """No entry of the audit trail has this id."""


class TreeSizeUnknown(InvalidRequest):
    """No root was recorded for a tree of this size."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """The filters of a list. `resource` is a kind and an id; `kind/` alone finds every resource of a kind."""

    operation: str | None = None
    actor: Address | None = None
    outcome: AuditOutcome | None = None
    resource: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        entry = AuditEntryRow
        conditions: list[ColumnElement[bool]] = []
        if self.operation is not None:
            conditions.append(entry.operation == self.operation)
        if self.actor is not None:
            conditions.append(entry.actor == self.actor)
        if self.outcome is not None:
            conditions.append(entry.outcome == self.outcome)
        if self.resource is not None:
            name = _HEX_ID.sub(lambda found: found.group().lower(), self.resource)
            of_kind = entry.resource.startswith(name, autoescape=True)
            conditions.append(of_kind if name.endswith("/") else entry.resource == name)
        if self.since is not None:
            conditions.append(entry.at >= self.since)
        if self.until is not None:
            conditions.append(entry.at < self.until)
        return conditions


@dataclass(frozen=True, slots=True)
class SealedAt:
    """Where an entry is in the tree."""

    position: int
    leaf: Hash32


@dataclass(frozen=True, slots=True)
class RecordedEntry:
    """An entry, and its place in the tree once it is sealed."""

    entry: AuditEntry
    sealed: SealedAt | None


@dataclass(frozen=True, slots=True)
class ProvenEntry:
    """A sealed entry with the proof that it is in the tree; both are None for an entry that is not sealed yet."""

    recorded: RecordedEntry
    root: TreeRoot | None
    proof: Sequence[Hash32]


@dataclass(frozen=True, slots=True)
class Consistency:
    """The proof that the newer tree begins with the older one."""

    old: TreeRoot
    new: TreeRoot
    proof: Sequence[Hash32]


def _recorded(row: AuditEntryRow) -> RecordedEntry:
    sealed = None if row.position is None or row.leaf is None else SealedAt(row.position, Hash32(row.leaf))
    return RecordedEntry(to_entry(row), sealed)


async def list_entries(session: ReadSession, page: PageRequest, filters: AuditFilter) -> Page[RecordedEntry]:
    """List entries, latest first."""
    query = select(AuditEntryRow).where(*filters.conditions())
    return await fetch_page(session, query, page, _recorded, order=latest_first(AuditEntryRow.id))


async def list_roots(session: ReadSession, page: PageRequest) -> Page[TreeRoot]:
    """List the roots, latest first."""
    return await fetch_page(session, select(AuditRootRow), page, to_root, order=latest_first(AuditRootRow.size))


async def get_proven_entry(session: ReadSession, entry_id: int) -> ProvenEntry:
    """Return an entry with the proof that it is in the newest tree.

    Raises:
        AuditEntryNotFound
    """
    row = await session.get(AuditEntryRow, entry_id)
    if row is None:
        raise AuditEntryNotFound(f"the audit trail has no entry {entry_id}")
    recorded, root = _recorded(row), await find_root(session)
    if recorded.sealed is None or root is None:
        return ProvenEntry(recorded, None, ())
    needed: list[Subtree] = []
    inclusion_proof(recorded.sealed.position, root.size, lambda subtree: _note(needed, subtree))
    hashes = await load_subtrees(session, needed)
    return ProvenEntry(recorded, root, inclusion_proof(recorded.sealed.position, root.size, hashes.__getitem__))


async def get_consistency(session: ReadSession, *, old_size: int, size: int) -> Consistency:
    """Return the proof that the tree of `size` entries begins with that of `old_size`.

    Raises:
        TreeSizeUnknown
    """
    old, new = await _get_root(session, old_size, "from"), await _get_root(session, size, "to")
    if old.size > new.size:
        raise TreeSizeUnknown(f"a tree of {size} entries never had {old_size}: give the smaller size as `from`")
    needed: list[Subtree] = []
    consistency_proof(old_size, size, lambda subtree: _note(needed, subtree))
    hashes = await load_subtrees(session, needed)
    return Consistency(old, new, consistency_proof(old_size, size, hashes.__getitem__))


def _note(needed: list[Subtree], subtree: Subtree) -> Hash32:
    """Note a subtree that a proof needs, before its hash is read."""
    needed.append(subtree)
    return EMPTY_ROOT


async def _get_root(session: AsyncSession, size: int, name: str) -> TreeRoot:
    row = await session.get(AuditRootRow, size)
    if row is None:
        raise TreeSizeUnknown(f"no root was recorded for {size} entries (`{name}`); GET /audit/roots lists the sizes")
    return to_root(row)


async def export_lines(session: ReadSession, scope: SigningScope) -> AsyncIterator[str]:
    """Yield the lines of an export of the whole sealed trail, as of this snapshot."""
    last, now = await find_root(session), await database_now(session)
    size = 0 if last is None else last.size
    root = EMPTY_ROOT if last is None else last.root
    yield header_line(ExportHeader(scope.chain_id, scope.redemption_manager, now, size, root))
    for first in range(0, size, _EXPORT_ROWS):
        end = min(first + _EXPORT_ROWS, size)
        rows = await session.scalars(
            select(AuditEntryRow).where(AuditEntryRow.position.between(first, end - 1)).order_by(AuditEntryRow.position)
        )
        found = await session.scalars(
            select(AuditRootRow).where(AuditRootRow.size.between(first + 1, end)).order_by(AuditRootRow.size)
        )
        roots = {row.size: to_root(row) for row in found}
        for recorded in map(_recorded, rows):
            if recorded.sealed is None:
                continue
            yield entry_line(recorded.sealed.position, recorded.entry, recorded.sealed.leaf)
            if (root_here := roots.get(recorded.sealed.position + 1)) is not None:
                yield root_line(root_here)
        session.expunge_all()
