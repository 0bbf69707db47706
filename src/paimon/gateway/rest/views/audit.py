"""JSON shapes of the audit trail."""

import json
from typing import Any, Self

from pydantic import Field

from paimon.application.audit.queries import Consistency, ProvenEntry, RecordedEntry
from paimon.domain.audit.entry import AuditOutcome, AuditRetention
from paimon.domain.audit.export import TreeRoot
from paimon.gateway.rest.schema import AddressText, ApiModel, HashText, Time


class AuditEntryView(ApiModel):
    """One operation of the audit trail."""

    id: int
    at: Time
    operation: str = Field(
        description="a kind and what happened to it, such as `ticket.vote`; docs/concepts/audit.md lists them"
    )
    outcome: AuditOutcome
    actor: AddressText | None = Field(description="the person; null for the system itself")
    resource: str = Field(description="a kind and an id, such as `ticket/TKT-7F3A`")
    retention: AuditRetention = Field(description="how long the payload is kept")
    recorded_by: str = Field(description="the database role of the process that wrote the entry")
    position: int | None = Field(description="place in the tree, from 0; null until the entry is sealed, within a second")

    @classmethod
    def of(cls, recorded: RecordedEntry) -> Self:
        return cls(**_fields(recorded))


class AuditRootView(ApiModel):
    """The root of the tree when it had `size` entries."""

    size: int
    root: HashText
    sealed_at: Time

    @classmethod
    def of(cls, root: TreeRoot) -> Self:
        return cls(size=root.size, root=root.root, sealed_at=root.sealed_at)


class InclusionView(ApiModel):
    """The proof by RFC 6962 that the entry is in the tree: the leaf's hash, and the hashes from there up to the root.

    The leaf's hash is SHA-256 of a zero byte and `content`, which is the entry as one line of JSON.
    """

    content: str
    leaf: HashText
    tree: AuditRootView
    proof: list[HashText]


class AuditEntryDetailView(AuditEntryView):
    """An entry with what was done, and the proof that it is in the tree."""

    payload_hash: HashText = Field(description="SHA-256 of the payload's text")
    payload_text: str | None = Field(description="the payload as it was hashed; null once retention removed it")
    payload: dict[str, Any] | None = Field(description="the same, as JSON")
    inclusion: InclusionView | None = Field(description="null until the entry is sealed")

    @classmethod
    def of_detail(cls, proven: ProvenEntry) -> Self:
        entry, sealed, inclusion = proven.recorded.entry, proven.recorded.sealed, None
        if sealed is not None and proven.root is not None:
            inclusion = InclusionView(
                content=entry.content().decode(),
                leaf=sealed.leaf,
                tree=AuditRootView.of(proven.root),
                proof=list(proven.proof),
            )
        return cls(
            **_fields(proven.recorded),
            payload_hash=entry.payload_hash,
            payload_text=entry.payload,
            payload=None if entry.payload is None else json.loads(entry.payload),
            inclusion=inclusion,
        )


class ConsistencyView(ApiModel):
    """The proof by RFC 6962 that the tree `to` begins with the tree `from`: nothing in it was changed or removed."""

    older: AuditRootView = Field(alias="from")
    newer: AuditRootView = Field(alias="to")
    proof: list[HashText]

    @classmethod
    def of(cls, found: Consistency) -> Self:
        return cls(older=AuditRootView.of(found.old), newer=AuditRootView.of(found.new), proof=list(found.proof))


def _fields(recorded: RecordedEntry) -> dict[str, Any]:
    entry = recorded.entry
    position = None if recorded.sealed is None else recorded.sealed.position
    names = ("id", "at", "operation", "outcome", "actor", "resource", "retention", "recorded_by")
    return {name: getattr(entry, name) for name in names} | {"position": position}
