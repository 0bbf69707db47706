"""Tables of the approval policy: the published versions, and the drafts of the next one."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Integer, Text, func
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.kernel.chain import Address, Hash32
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import AddressBytes, Instant, length_check


class ApprovalPolicyRow(Base):
    """A published version, which never changes. Version 1 came with the database, and no person signed it."""

    __tablename__ = "approval_policies"
    __table_args__ = (
        *length_check(20, "published_by"),
        *length_check(32, "nonce"),
        CheckConstraint("version >= 1", name="version_positive"),
        CheckConstraint(
            "(version = 1) = (published_by IS NULL) AND (version = 1) = (nonce IS NULL)", name="signed_after_first"
        ),
        OPS_SCHEMA,
    )
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    document: Mapped[dict[str, Any]]
    reason: Mapped[str] = mapped_column(Text)
    published_at: Mapped[Instant] = mapped_column(server_default=func.now())
    published_by: Mapped[Address | None] = mapped_column(BYTEA)
    # The signed action that published it.
    nonce: Mapped[Hash32 | None] = mapped_column(BYTEA, ForeignKey("ops.signed_actions.nonce"), unique=True)


class ApprovalPolicyDraftRow(Base):
    """A draft of the next version. The person who changed it last does not publish it."""

    __tablename__ = "approval_policy_drafts"
    __table_args__ = (*length_check(20, "changed_by"), OPS_SCHEMA)
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    based_on: Mapped[int] = mapped_column(Integer, ForeignKey("ops.approval_policies.version"))
    title: Mapped[str] = mapped_column(Text)
    document: Mapped[dict[str, Any]]
    changed_by: Mapped[AddressBytes]
    changed_at: Mapped[Instant]
