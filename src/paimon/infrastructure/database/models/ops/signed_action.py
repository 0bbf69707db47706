"""The table of signed actions: every accepted signature with what it covers. Its key is the nonce, so each works once."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, Text, func
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import AddressBytes, HashBytes, Instant, length_check


class SignedActionRow(Base):
    """One accepted signed action, written in the transaction of its effect. Verifiable by anyone without this system.

    `verified_at_block` is set for a contract wallet: the final block at which the contract accepted the signature.
    """

    __tablename__ = "signed_actions"
    __table_args__ = (
        *length_check(32, "nonce"),
        *length_check(20, "signer"),
        CheckConstraint("action <> '' AND resource <> ''", name="action_and_resource_named"),
        Index("ix_signed_actions_resource", "resource", "accepted_at"),
        Index("ix_signed_actions_signer", "signer", "accepted_at"),
        OPS_SCHEMA,
    )
    nonce: Mapped[HashBytes] = mapped_column(primary_key=True)
    action: Mapped[str] = mapped_column(Text)
    resource: Mapped[str] = mapped_column(Text)
    signer: Mapped[AddressBytes]
    typed_data: Mapped[dict[str, Any]]
    signature: Mapped[bytes] = mapped_column(BYTEA)
    expires_at: Mapped[Instant]
    accepted_at: Mapped[Instant] = mapped_column(server_default=func.now())
    verified_at_block: Mapped[int | None] = mapped_column(BigInteger)
