"""Exports of the audit trail: whole ones are accepted, and random changes are each found where they are."""

import json
import os
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from paimon.domain.audit.entry import PAYLOAD_DAYS_MIN, AuditEntry, AuditOutcome, AuditRetention, payload_hash
from paimon.domain.audit.export import (
    ExportHeader,
    ExportInvalid,
    TreeRoot,
    entry_line,
    header_line,
    root_line,
    verify_export,
)
from paimon.domain.audit.merkle_tree import EMPTY_ROOT, GrowingTree, root_of
from paimon.domain.kernel.chain import Address, Hash32

MANAGER = Address(bytes([9]) * 20)
AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
SEALED = (1, 2, 7, 8, 15, 16, 24)
"""The sizes at which the tree was sealed."""
TAMPERINGS = int(os.environ.get("TAMPERINGS", "1000"))
SEED = int(os.environ.get("TAMPER_SEED", "7"))


def entry(number: int) -> AuditEntry:
    payload = json.dumps({"number": number, "reason": f"because of “{number}”"}, ensure_ascii=False)
    return AuditEntry(
        id=3 * number + 1,
        at=AT + timedelta(milliseconds=number),
        operation=("ticket.vote", "plan.submitted", "user.granted")[number % 3],
        retention=list(AuditRetention)[number % 3],
        actor=None if number % 4 == 0 else Address(bytes([number]) * 20),
        outcome=AuditOutcome.DONE,
        resource=f"ticket/TKT-{number}",
        recorded_by="paimon_api",
        payload_hash=payload_hash(payload),
        payload=payload,
        sealed_at=sealed_at(number),
    )


def sealed_at(position: int) -> datetime:
    """Return when the entry at this position was sealed, with the others of its root."""
    return AT - timedelta(minutes=min(size for size in (*SEALED, 10**6) if size > position))


def exported(entries: Sequence[AuditEntry], sealed: Sequence[int] = SEALED) -> tuple[list[str], dict[int, Hash32]]:
    """Return the lines of an export of these entries, and every root by size."""
    tree, lines, roots = GrowingTree(), list[str](), {0: EMPTY_ROOT}
    for position, found in enumerate(entries):
        list(tree.append(found.leaf()))
        lines.append(entry_line(position, found, found.leaf()))
        roots[tree.size] = tree.root()
        if tree.size in sealed:
            lines.append(root_line(TreeRoot(tree.size, tree.root(), sealed_at(position))))
    return [header_line(ExportHeader(56, MANAGER, AT, tree.size, tree.root())), *lines], roots


ENTRIES = [entry(number) for number in range(SEALED[-1])]
LINES, ROOTS = exported(ENTRIES)
TRUSTED = {SEALED[-1]: ROOTS[SEALED[-1]]}


def fault_of(lines: Sequence[str], trusted: dict[int, Hash32] | None = None) -> tuple[int, int | None]:
    with pytest.raises(ExportInvalid) as refused:
        verify_export(lines, now=AT, trusted=TRUSTED if trusted is None else trusted)
    return refused.value.fault.line, refused.value.fault.entry_id


def test_whole_export_is_accepted() -> None:
    found = verify_export(LINES, now=AT, trusted=TRUSTED)
    assert (found.entries, found.roots, found.removed_payloads, found.trusted_roots) == (24, 7, 0, 1)
    assert verify_export(exported([])[0], now=AT).entries == 0


@pytest.mark.parametrize("retention", AuditRetention)
def test_payload_may_be_gone_once_its_retention_has_ended(retention: AuditRetention) -> None:
    """Retention removes what was done, and not that it was done."""
    removed = replace(ENTRIES[3], retention=retention, payload=None)
    ends = removed.at + timedelta(days=PAYLOAD_DAYS_MIN[retention])
    for exported_at, is_whole in ((ends, True), (ends - timedelta(seconds=1), False)):
        root = root_of([removed.leaf()])
        lines = [
            header_line(ExportHeader(56, MANAGER, exported_at, 1, root)),
            entry_line(0, removed, removed.leaf()),
            root_line(TreeRoot(1, root, sealed_at(3))),
        ]
        if is_whole:
            assert verify_export(lines, now=exported_at).removed_payloads == 1
        else:
            with pytest.raises(ExportInvalid, match="before its retention ended"):
                verify_export(lines, now=exported_at)
        with pytest.raises(ExportInvalid, match="in the future"):
            verify_export(lines, now=exported_at - timedelta(seconds=1))


def changed_value(value: str | int | None, rng: random.Random) -> str | int | None:
    if value is None:
        return "0x" + "11" * 20
    if isinstance(value, int):
        return value + rng.choice((-1, 1, 1000))
    return rng.choice((f"{value}x", value[:-1], "", value.swapcase(), value.replace("0", "1"), None, 7))


def change_column(lines: list[str], at: int, rng: random.Random) -> int:
    """Change one field of a line. A swapped case that means the same address or hash is no change."""
    fields = json.loads(lines[at])
    name = rng.choice(list(fields))
    while str(fields[name]).lower() == str(changed := changed_value(fields[name], rng)).lower():
        pass
    lines[at] = json.dumps(fields | {name: changed}, ensure_ascii=False, separators=(",", ":"))
    return at


def remove_line(lines: list[str], at: int, _rng: random.Random) -> int:
    del lines[at]
    return at


def swap_lines(lines: list[str], at: int, rng: random.Random) -> int:
    other = rng.choice([line for line in range(1, len(lines)) if line != at])
    lines[at], lines[other] = lines[other], lines[at]
    return min(at, other)


def insert_line(lines: list[str], at: int, rng: random.Random) -> int:
    lines.insert(at, rng.choice(LINES[1:]))
    return at


def insert_forged_entry(lines: list[str], at: int, rng: random.Random) -> int:
    forged = replace(entry(200), id=rng.randint(1_000, 9_999))
    lines.insert(at, entry_line(rng.randrange(len(ENTRIES)), forged, forged.leaf()))
    return at


def cut_off(lines: list[str], at: int, _rng: random.Random) -> int:
    del lines[at:]
    return at


TAMPER: Sequence[Callable[[list[str], int, random.Random], int]] = (
    change_column,
    remove_line,
    swap_lines,
    insert_line,
    insert_forged_entry,
    cut_off,
)


def test_each_of_many_random_changes_is_found_where_it_is() -> None:
    """Changes of entries and of roots: any field, a line removed, moved, inserted or forged, the end cut off.

    `TAMPER_SEED=8 TAMPERINGS=10000` in the environment draws others and more; a failure names its seed.
    """
    rng, found = random.Random(SEED), Counter[str]()
    while found.total() < TAMPERINGS:
        lines, tamper = list(LINES), rng.choice(TAMPER)
        first = tamper(lines, rng.randrange(1, len(lines)), rng)
        if lines == LINES:
            continue
        line, _ = fault_of(lines)
        # A removed line shows at the next entry, which may stand behind a root; an end that is missing, at the last line.
        where = f"{tamper.__name__} at {first}, seed {SEED}"
        assert first - (tamper in (cut_off, remove_line)) <= line - 1, where
        assert line - 1 <= first + 2 or tamper is swap_lines, where
        found[tamper.__name__] += 1
    assert len(found) == len(TAMPER)


def test_changed_entry_is_named() -> None:
    for at, line in enumerate(LINES):
        if '"position"' in line:
            fields = json.loads(line)
            changed = json.dumps(fields | {"resource": "ticket/TKT-OTHER"}, ensure_ascii=False, separators=(",", ":"))
            assert fault_of([*LINES[:at], changed, *LINES[at + 1 :]]) == (at + 1, fields["id"])


def test_entry_that_was_changed_with_its_hash_is_found_at_the_next_root() -> None:
    """One who may write the table can give a row a hash that fits, but not the root that was sealed over it."""
    for position in range(len(ENTRIES)):
        forged = replace(ENTRIES[position], operation="forged.operation")
        changed = [*ENTRIES[:position], forged, *ENTRIES[position + 1 :]]
        genuine = {json.loads(line)["size"]: line for line in LINES[1:] if line.startswith('{"size"')}
        lines = [genuine[json.loads(line)["size"]] if line.startswith('{"size"') else line for line in exported(changed)[0][1:]]
        line, _ = fault_of([LINES[0], *lines], {})
        next_root = min(size for size in SEALED if size > position)
        assert json.loads([LINES[0], *lines][line - 1])["size"] == next_root


def test_trail_that_was_made_anew_is_found_by_a_root_that_was_kept() -> None:
    """One who may write every table can make a whole tree that fits itself; a root elsewhere shows it."""
    forged = [replace(found, recorded_by="paimon_api2") if found.id == 1 else found for found in ENTRIES]
    lines, _ = exported(forged)
    assert verify_export(lines, now=AT).entries == len(ENTRIES)
    for size in range(1, len(ENTRIES) + 1):
        fault_of(lines, {size: ROOTS[size]})
    shorter, _ = exported(ENTRIES[:20])
    fault_of(shorter, TRUSTED)


@pytest.mark.parametrize(
    "line",
    ["", "null", "[]", "{", '{"position":0}', "\x00", '{"size":"24"}', "[" * 50_000, LINES[1].replace("T12:", "T25:")],
)
def test_line_that_does_not_read_is_named(line: str) -> None:
    assert fault_of([LINES[0], line, *LINES[1:]]) == (2, None)


def test_file_of_another_format_is_refused() -> None:
    assert fault_of([]) == (1, None)
    assert fault_of([LINES[0].replace("audit-1", "audit-2"), *LINES[1:]]) == (1, None)
