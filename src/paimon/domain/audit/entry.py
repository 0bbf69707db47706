"""An entry of the audit trail: what was done, by whom, to what, with which outcome; and its hash in the tree.

The hash covers every field and the hash of the payload. So retention can remove a payload and leave the tree whole.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

from paimon.domain.audit.merkle_tree import leaf_hash
from paimon.domain.kernel.chain import Address, Hash32, hex0x


class AuditOutcome(StrEnum):
    """Whether what was attempted took place."""

    DONE = "DONE"
    REFUSED = "REFUSED"


class AuditRetention(StrEnum):
    """How long an entry's payload is kept. Source: the table of audited operations in docs/concepts/audit.md."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


PAYLOAD_DAYS_MIN: Final = {AuditRetention.LOW: 30, AuditRetention.MEDIUM: 180, AuditRetention.HIGH: 2_190}
"""Days for which a payload is kept at least. The database removes none earlier; a check of an export names one that is gone."""


def payload_hash(payload: str) -> Hash32:
    """Return the hash of a payload's text, as the database computes it."""
    return Hash32(sha256(payload.encode()).digest())


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One operation, written in the transaction that did it.

    `actor` is the person's address, None for the system itself. `resource` is a kind and an id: `ticket/TKT-7F3A`.
    `recorded_by` is the database role of the process that wrote it. `payload` is JSON as text, None once retention removed it.
    """

    id: int
    at: datetime
    operation: str
    retention: AuditRetention
    actor: Address | None
    outcome: AuditOutcome
    resource: str
    recorded_by: str
    payload_hash: Hash32
    payload: str | None
    sealed_at: datetime | None = None
    """When the auditor sealed it: the time of its root. None before, and of entries whose leaf does not cover it."""

    def content(self) -> bytes:
        """Return what the leaf's hash covers: the fields but the payload, as JSON with sorted keys and without spaces."""
        fields = {
            "actor": None if self.actor is None else hex0x(self.actor),
            "at": timestamp_text(self.at),
            "id": self.id,
            "operation": self.operation,
            "outcome": self.outcome.value,
            "payloadHash": hex0x(self.payload_hash),
            "recordedBy": self.recorded_by,
            "resource": self.resource,
            "retention": self.retention.value,
        }
        if self.sealed_at is not None:
            fields["sealedAt"] = timestamp_text(self.sealed_at)
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def must_have_payload(self, at: datetime) -> bool:
        """Return whether the payload may not have been removed by this time."""
        return at < self.at + timedelta(days=PAYLOAD_DAYS_MIN[self.retention])

    def leaf(self) -> Hash32:
        """Return the entry's hash in the tree."""
        return leaf_hash(self.content())


def timestamp_text(at: datetime) -> str:
    """Format a time for a hash: UTC with six digits of a second, in any zone, with or without a fraction."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
