"""Check an export without the database: its tree, and the wallets' signatures over the decisions in it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain
from types import MappingProxyType
from typing import Any, Final

from paimon.domain.audit.day_root import DayRoot
from paimon.domain.audit.entry import AuditEntry
from paimon.domain.audit.export import ExportFault, ExportInvalid, ExportReader, VerifiedExport
from paimon.domain.kernel.chain import Hash32, checksum
from paimon.infrastructure.keys.signatures import MalformedSignature, recover_typed

_WALLET_SIGNATURE_BYTES: Final = 65
"""A key's signature. A contract wallet's signature is of another length, and only its chain can check it."""


@dataclass(frozen=True, slots=True)
class VerifiedTrail:
    """A whole export whose signatures fit. `contract_signatures` are those that only the chain can check.

    `missing_days` counts the days between the first and the last day root that was given which have none.
    """

    export: VerifiedExport
    signatures: int
    contract_signatures: int
    missing_days: int


def verify_trail(
    lines: Iterable[str],
    trusted: Mapping[int, Hash32],
    *,
    now: datetime,
    day_roots: Mapping[date, DayRoot] = MappingProxyType({}),
) -> VerifiedTrail:
    """Check an export line by line, with `trusted` roots by size and day roots that were kept elsewhere.

    Raises:
        ExportInvalid: names the first line that was changed, removed, moved or inserted, or whose signature is another's.
    """
    numbered = iter(lines)
    header = next(numbered, "")
    known = dict(trusted)
    for root in day_roots.values():
        _require_fund(header, root)
        if known.setdefault(root.size, root.root) != root.root:
            raise ExportInvalid(
                ExportFault(1, f"two roots that you trust differ, both of {root.size} entries; one is of {root.day}")
            )
    reader, signatures, of_contracts = ExportReader(chain((header,), numbered) if header else (), now, known), 0, 0
    for line, entry in reader.entries():
        signed = _signed(entry)
        if signed is None:
            continue
        document, signature = signed
        if len(signature) != _WALLET_SIGNATURE_BYTES:
            of_contracts += 1
            continue
        try:
            signer = recover_typed(document, signature)
        except (MalformedSignature, KeyError, TypeError, ValueError) as error:
            raise ExportInvalid(ExportFault(line, f"the signature does not read: {error}", entry.id)) from error
        if signer != entry.actor:
            reason = f"the signature is that of {checksum(signer)}, not of the actor"
            raise ExportInvalid(ExportFault(line, reason, entry.id))
        signatures += 1
    assert reader.result is not None  # noqa: S101 — set when the entries are exhausted
    span = (max(day_roots) - min(day_roots)).days + 1 if day_roots else 0
    return VerifiedTrail(reader.result, signatures, of_contracts, span - len(day_roots))


def _require_fund(header: str, root: DayRoot) -> None:
    """Refuse a day root of another fund than the export's."""
    try:
        found = json.loads(header)
        is_same = (found["chainId"], found["redemptionManager"]) == (root.chain_id, checksum(root.redemption_manager))
    except (KeyError, TypeError, ValueError, RecursionError):
        return  # the reader says what is wrong with the line
    if not is_same:
        fund = f"{checksum(root.redemption_manager)} on chain {root.chain_id}"
        raise ExportInvalid(ExportFault(1, f"the day root of {root.day} is of the fund at {fund}, not the export's"))


def _signed(entry: AuditEntry) -> tuple[dict[str, Any], bytes] | None:
    """Return the document and the signature of an entry that records a signed decision."""
    if entry.payload is None or entry.actor is None:
        return None
    payload = json.loads(entry.payload)
    document, signature = payload.get("typed_data"), payload.get("signature")
    if not isinstance(document, dict) or not isinstance(signature, str):
        return None
    return document, bytes.fromhex(signature.removeprefix("\\x"))
