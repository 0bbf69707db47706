"""The table of operator decisions about dead-lettered messages and quarantined logs. A replay reads it."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Identity, Index, Integer, Text, func
from sqlalchemy.dialects.postgresql import BYTEA, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.kernel.chain import Hash32
from paimon.domain.risk.operator_decision import OperatorDecisionKind, OperatorDecisionStatus
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import AddressBytes, Instant, enum_check, enum_column, length_check


class OperatorDecisionRow(Base):
    """One operator decision. A decision made over the API has a signature; one made on the command line has a name only.

    Ids grow in the order of the requests, and a log has at most one requested decision at a time, so its last one is well
    defined.
    """

    __tablename__ = "operator_decisions"
    __table_args__ = (
        enum_check("kind", OperatorDecisionKind),
        enum_check("status", OperatorDecisionStatus),
        *length_check(20, "requested_by"),
        *length_check(32, "nonce", "block_hash"),
        CheckConstraint("(kind = 'replay_message') = (outbox_id IS NOT NULL)", name="target_is_outbox_message_or_log"),
        CheckConstraint(
            "num_nonnulls(block_number, block_hash, log_index) = CASE WHEN outbox_id IS NULL THEN 3 ELSE 0 END",
            name="log_key_complete",
        ),
        CheckConstraint("num_nonnulls(nonce, typed_data, signature, expires_at) IN (0, 4)", name="signed_action_complete"),
        CheckConstraint("(status = 'REQUESTED') = (ended_at IS NULL)", name="ended_at_unless_requested"),
        CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="outcome_when_ended"),
        Index("uq_operator_decisions_nonce", "nonce", unique=True),
        # One at a time: the next decision depends on the outcome of this one.
        Index(
            "uq_operator_decisions_requested_of_log",
            "block_hash",
            "log_index",
            unique=True,
            postgresql_where="status = 'REQUESTED'",
        ),
        Index("ix_operator_decisions_log", "block_hash", "log_index", postgresql_where="block_hash IS NOT NULL"),
        Index("ix_operator_decisions_outbox", "outbox_id", postgresql_where="outbox_id IS NOT NULL"),
        OPS_SCHEMA,
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[OperatorDecisionKind] = enum_column(OperatorDecisionKind)
    outbox_id: Mapped[int | None] = mapped_column(BigInteger)
    block_number: Mapped[int | None] = mapped_column(BigInteger)
    block_hash: Mapped[Hash32 | None] = mapped_column(BYTEA)
    log_index: Mapped[int | None] = mapped_column(Integer)
    problem: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    requested_by: Mapped[AddressBytes]
    requested_at: Mapped[Instant] = mapped_column(server_default=func.now())
    nonce: Mapped[Hash32 | None] = mapped_column(BYTEA)
    typed_data: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    signature: Mapped[bytes | None] = mapped_column(BYTEA)
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    status: Mapped[OperatorDecisionStatus] = enum_column(
        OperatorDecisionStatus, server_default=OperatorDecisionStatus.REQUESTED.value
    )
    outcome: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
