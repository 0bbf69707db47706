"""An export of the audit trail, which anyone checks without this system: lines of JSON, in the order of the tree.

    {"format": "paimon-audit-1", "chainId": …, "redemptionManager": "0x…", "exportedAt": "…", "size": n, "root": "0x…"}
    {"position": 0, "id": …, …, "payload": "…", "sealedAt": "…", "leaf": "0x…"}   each entry
    {"size": 1, "root": "0x…", "sealedAt": "…"}                      each root, behind the last entry that it covers

Entries that were sealed together have the same time of sealing, and their root has it too. So a root that was removed, repeated
or dated otherwise shows as well.

The export says itself what its roots are, so one who could change the database could change them too. A root that was kept
elsewhere (a day root, an earlier export) shows that: see `verify_export`.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from paimon.domain.audit.entry import AuditEntry, AuditOutcome, AuditRetention, payload_hash, timestamp_text
from paimon.domain.audit.merkle_tree import GrowingTree
from paimon.domain.kernel.chain import Address, Hash32, checksum, hex0x, parse_address

FORMAT: Final = "paimon-audit-1"
HASH_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class TreeRoot:
    """The root of the tree when it had `size` entries."""

    size: int
    root: Hash32
    sealed_at: datetime


@dataclass(frozen=True, slots=True)
class ExportHeader:
    """Where the entries come from, and the tree that the export holds whole."""

    chain_id: int
    redemption_manager: Address
    exported_at: datetime
    size: int
    root: Hash32


@dataclass(frozen=True, slots=True)
class ExportFault:
    """The first line that does not fit, with the reason. `entry_id` names the entry when the line is one."""

    line: int
    reason: str
    entry_id: int | None = None

    def __str__(self) -> str:
        entry = "" if self.entry_id is None else f", entry {self.entry_id}"
        return f"line {self.line}{entry}: {self.reason}"


@dataclass(frozen=True, slots=True)
class VerifiedExport:
    """What a whole export holds. `removed_payloads` counts the payloads that retention has removed."""

    header: ExportHeader
    entries: int
    roots: int
    removed_payloads: int
    trusted_roots: int


class ExportInvalid(ValueError):
    """The export is not what was sealed; `fault` names the first line that shows it."""

    def __init__(self, fault: ExportFault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def header_line(header: ExportHeader) -> str:
    """Format the first line."""
    return _line(
        format=FORMAT,
        chainId=header.chain_id,
        redemptionManager=checksum(header.redemption_manager),
        exportedAt=timestamp_text(header.exported_at),
        size=header.size,
        root=hex0x(header.root),
    )


def entry_line(position: int, entry: AuditEntry, leaf: Hash32) -> str:
    """Format an entry with its position in the tree and the hash that the tree has there."""
    return _line(
        position=position,
        id=entry.id,
        at=timestamp_text(entry.at),
        operation=entry.operation,
        retention=entry.retention.value,
        actor=None if entry.actor is None else checksum(entry.actor),
        outcome=entry.outcome.value,
        resource=entry.resource,
        recordedBy=entry.recorded_by,
        payloadHash=hex0x(entry.payload_hash),
        payload=entry.payload,
        sealedAt=None if entry.sealed_at is None else timestamp_text(entry.sealed_at),
        leaf=hex0x(leaf),
    )


def root_line(root: TreeRoot) -> str:
    """Format a root, which stands behind the last entry that it covers."""
    return _line(size=root.size, root=hex0x(root.root), sealedAt=timestamp_text(root.sealed_at))


def _line(**fields: object) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


@dataclass(slots=True)
class ExportReader:
    """Checks an export line by line. `entries` yields each entry that fits, so that a caller can check more of it."""

    lines: Iterable[str]
    now: datetime
    trusted: Mapping[int, Hash32] = field(default_factory=dict)
    """Roots by size that were kept elsewhere."""
    result: VerifiedExport | None = field(init=False, default=None)
    """Set when every line fits."""

    def entries(self) -> Iterator[tuple[int, AuditEntry]]:
        """Yield each entry with its line.

        Raises:
            ExportInvalid: at the first line that does not fit.
        """
        numbered = enumerate(self.lines, start=1)
        number, first = next(numbered, (1, ""))
        header = _read(number, first, _header)
        if header.exported_at > self.now:
            raise ExportInvalid(ExportFault(number, f"it was exported at {header.exported_at}, which is in the future"))
        tree, ids, removed, roots, checked, sealed = GrowingTree(), set[int](), 0, 0, set[int](), 0
        sealed_at: datetime | None = None
        for number, line in numbered:
            if line.startswith('{"position":'):
                position, entry, leaf = _read(number, line, _entry)
                fault = _entry_fault(position, entry, leaf, expected=tree.size, ids=ids, header=header)
                if fault is None and tree.size > sealed and entry.sealed_at != sealed_at:
                    fault = f"it was sealed later than the entry before it, and the root of {tree.size} entries was removed"
                if fault is not None:
                    raise ExportInvalid(ExportFault(number, fault, entry.id))
                sealed_at = entry.sealed_at
                ids.add(entry.id)
                removed += entry.payload is None
                for _ in tree.append(leaf):
                    pass
                yield number, entry
            else:
                root = _read(number, line, _root)
                if root.size != tree.size:
                    raise ExportInvalid(ExportFault(number, f"a root of {root.size} entries stands behind {tree.size}"))
                if root.size == sealed:
                    raise ExportInvalid(ExportFault(number, f"the root of {root.size} entries stands twice"))
                if sealed_at not in (None, root.sealed_at):
                    reason = f"the root is dated {root.sealed_at}; its entries were sealed at {sealed_at}"
                    raise ExportInvalid(ExportFault(number, reason))
                if root.root != tree.root():
                    reason = f"entries {sealed} to {tree.size - 1} do not add up to the root that was sealed over them"
                    raise ExportInvalid(ExportFault(number, reason))
                roots, sealed = roots + 1, tree.size
            if tree.size in self.trusted and tree.size not in checked:
                if tree.root() != self.trusted[tree.size]:
                    reason = f"the first {tree.size} entries are not those of the root that you trust: one of them was changed"
                    raise ExportInvalid(ExportFault(number, reason))
                checked.add(tree.size)
        if sealed < tree.size == header.size:
            raise ExportInvalid(ExportFault(number, f"the root of {tree.size} entries, behind the last one, was removed"))
        self._require_whole(number, header, tree, checked)
        self.result = VerifiedExport(header, tree.size, roots, removed, len(checked))

    def _require_whole(self, number: int, header: ExportHeader, tree: GrowingTree, checked: set[int]) -> None:
        if tree.size != header.size:
            raise ExportInvalid(ExportFault(number, f"the export ends after {tree.size} of {header.size} entries"))
        if tree.root() != header.root:
            raise ExportInvalid(ExportFault(1, "the entries do not add up to the root of the first line"))
        if missing := sorted(self.trusted.keys() - checked):
            reason = f"the export has {tree.size} entries; a root that you trust covers {missing[-1]}: entries were removed"
            raise ExportInvalid(ExportFault(number, reason))


def verify_export(lines: Iterable[str], *, now: datetime, trusted: Mapping[int, Hash32] | None = None) -> VerifiedExport:
    """Check a whole export against its own roots, and against roots by size that were kept elsewhere.

    Raises:
        ExportInvalid: names the first line that was changed, removed, moved or inserted.
    """
    reader = ExportReader(lines, now, trusted or {})
    for _ in reader.entries():
        pass
    assert reader.result is not None  # noqa: S101 — set when the entries are exhausted
    return reader.result


def _entry_fault(
    position: int, entry: AuditEntry, leaf: Hash32, *, expected: int, ids: set[int], header: ExportHeader
) -> str | None:
    if position != expected:
        word = "removed before it" if position > expected else "inserted or moved"
        return f"position {position} where {expected} is expected: an entry was {word}"
    if position >= header.size:
        return f"an entry beyond the {header.size} of the first line: it was inserted"
    if entry.id in ids:
        return "the entry stands twice"
    if entry.payload is None and entry.must_have_payload(header.exported_at):
        return "the payload was removed before its retention ended"
    if entry.payload is not None and payload_hash(entry.payload) != entry.payload_hash:
        return "the payload was changed: it does not have the payload's hash"
    if entry.leaf() != leaf:
        return "the entry was changed: it does not have the hash that was sealed"
    return None


_Parsed = TypeVar("_Parsed")


def _read(number: int, line: str, parse: Callable[[dict[str, Any]], _Parsed]) -> _Parsed:
    try:
        found = json.loads(line)
        if not isinstance(found, dict):
            raise TypeError("a line is a JSON object")
        parsed = parse(found)
        if found:
            raise ValueError(f"unknown fields: {', '.join(sorted(found))}")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ExportInvalid(ExportFault(number, f"the line does not read: {type(error).__name__}: {error}")) from error
    return parsed


def _header(found: dict[str, Any]) -> ExportHeader:
    if (form := found.pop("format")) != FORMAT:
        raise ValueError(f"the format is {form!r}; this version reads {FORMAT!r}")
    chain_id, manager = _number(found, "chainId"), parse_address(_text(found, "redemptionManager"))
    return ExportHeader(chain_id, manager, _time(found, "exportedAt"), _number(found, "size"), _hash(found, "root"))


def _root(found: dict[str, Any]) -> TreeRoot:
    return TreeRoot(_number(found, "size"), _hash(found, "root"), _time(found, "sealedAt"))


def _entry(found: dict[str, Any]) -> tuple[int, AuditEntry, Hash32]:
    position = _number(found, "position")
    entry = AuditEntry(
        id=_number(found, "id"),
        at=_time(found, "at"),
        operation=_text(found, "operation"),
        retention=AuditRetention(found.pop("retention")),
        actor=None if (actor := _text_or_none(found, "actor")) is None else parse_address(actor),
        outcome=AuditOutcome(found.pop("outcome")),
        resource=_text(found, "resource"),
        recorded_by=_text(found, "recordedBy"),
        payload_hash=_hash(found, "payloadHash"),
        payload=_text_or_none(found, "payload"),
        sealed_at=None if (sealed_at := _text_or_none(found, "sealedAt")) is None else _as_time(sealed_at),
    )
    return position, entry, _hash(found, "leaf")


def _number(found: dict[str, Any], name: str) -> int:
    value = found.pop(name)
    if type(value) is not int:
        raise TypeError(f"{name} is not a whole number")
    return value


def _text(found: dict[str, Any], name: str) -> str:
    value = found.pop(name)
    if not isinstance(value, str):
        raise TypeError(f"{name} is not a text")
    return value


def _text_or_none(found: dict[str, Any], name: str) -> str | None:
    return found.pop(name) if found.get(name, "") is None else _text(found, name)


def _time(found: dict[str, Any], name: str) -> datetime:
    return _as_time(_text(found, name))


def _as_time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def _hash(found: dict[str, Any], name: str) -> Hash32:
    value = bytes.fromhex(_text(found, name).removeprefix("0x"))
    if len(value) != HASH_BYTES:
        raise ValueError(f"{name} is not 32 bytes")
    return Hash32(value)
