"""Tables of the audit trail: its entries, and the subtrees and roots of its tree."""

from datetime import date

from sqlalchemy import BigInteger, CheckConstraint, Date, Identity, Index, SmallInteger, Text, func
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.audit.entry import AuditOutcome, AuditRetention
from paimon.domain.kernel.chain import Address, Hash32
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import HashBytes, Instant, enum_check, enum_column, length_check


class AuditEntryRow(Base):
    """One operation. The database's own functions write it, in the transaction that did it; the auditor seals it.

    `payload` is JSON as text, so that its hash is of the bytes that stand here; NULL once retention removed it.
    `position`, `leaf` and `sealed_at` are NULL until the entry is sealed; `sealed_at` also of one whose leaf does not cover it.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (
        enum_check("retention", AuditRetention),
        enum_check("outcome", AuditOutcome),
        *length_check(20, "actor"),
        *length_check(32, "payload_hash", "leaf"),
        CheckConstraint("(position IS NULL) = (leaf IS NULL)", name="sealed_whole"),
        CheckConstraint("sealed_at IS NULL OR position IS NOT NULL", name="sealed_at_sealed"),
        Index("uq_audit_entries_position", "position", unique=True, postgresql_where="position IS NOT NULL"),
        Index("ix_audit_entries_unsealed", "id", postgresql_where="position IS NULL"),
        Index("ix_audit_entries_resource", "resource", "id"),
        Index("ix_audit_entries_actor", "actor", "id", postgresql_where="actor IS NOT NULL"),
        Index("ix_audit_entries_operation", "operation", "id"),
        Index("ix_audit_entries_expiring", "retention", "at", postgresql_where="payload IS NOT NULL"),
        OPS_SCHEMA,
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[Instant] = mapped_column(server_default=func.now())
    operation: Mapped[str] = mapped_column(Text)
    retention: Mapped[AuditRetention] = enum_column(AuditRetention)
    actor: Mapped[Address | None] = mapped_column(BYTEA)
    outcome: Mapped[AuditOutcome] = enum_column(AuditOutcome)
    resource: Mapped[str] = mapped_column(Text)
    recorded_by: Mapped[str] = mapped_column(Text)
    payload_hash: Mapped[HashBytes]
    payload: Mapped[str | None] = mapped_column(Text)
    position: Mapped[int | None] = mapped_column(BigInteger)
    leaf: Mapped[Hash32 | None] = mapped_column(BYTEA)
    sealed_at: Mapped[Instant | None]


class AuditSubtreeRow(Base):
    """The hash of a complete subtree of at least two leaves, from which proofs are read."""

    __tablename__ = "audit_subtrees"
    __table_args__ = (CheckConstraint("level >= 1", name="level_above_leaves"), *length_check(32, "hash"), OPS_SCHEMA)
    level: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    index: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    hash: Mapped[HashBytes]


class AuditRootRow(Base):
    """The tree's root each time that entries were sealed."""

    __tablename__ = "audit_roots"
    __table_args__ = (CheckConstraint("size >= 1", name="size_positive"), *length_check(32, "root"), OPS_SCHEMA)
    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    root: Mapped[HashBytes]
    sealed_at: Mapped[Instant] = mapped_column(server_default=func.now())


class AuditDayRootRow(Base):
    """A UTC day whose root, that of the tree at its end, is in the object storage."""

    __tablename__ = "audit_day_roots"
    __table_args__ = (CheckConstraint("size >= 1", name="size_positive"), *length_check(32, "root"), OPS_SCHEMA)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    root: Mapped[HashBytes]
    stored_at: Mapped[Instant] = mapped_column(server_default=func.now())
