"""Tables of users, their signed grants, and sign-in challenges."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Identity, Index, Text, func
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.user.roles import UserRole
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import (
    AddressBytes,
    HashBytes,
    Instant,
    enum_check,
    enum_column,
    length_check,
)


class UserRow(Base):
    """A wallet that may sign in, with its off-chain role."""

    __tablename__ = "users"
    __table_args__ = (enum_check("role", UserRole), *length_check(20, "address"), OPS_SCHEMA)
    address: Mapped[AddressBytes] = mapped_column(primary_key=True)
    role: Mapped[UserRole] = enum_column(UserRole)
    name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[Instant] = mapped_column(server_default=func.now())


class UserGrantRow(Base):
    """One signed grant: what a super_admin made of a user, and the digest of the grant before. `role` is NULL for a removal."""

    __tablename__ = "user_grants"
    __table_args__ = (
        CheckConstraint("role IN ('viewer','operator','admin','super_admin')", name="role_known"),
        *length_check(20, "address", "granted_by"),
        *length_check(32, "previous", "nonce"),
        CheckConstraint("sequence >= 1", name="sequence_positive"),
        CheckConstraint("granted_at <= expires_at", name="granted_in_time"),
        Index("ix_user_grants_address", "address"),
        Index("uq_user_grants_nonce", "nonce", unique=True),
        OPS_SCHEMA,
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    address: Mapped[AddressBytes]
    role: Mapped[UserRole | None] = enum_column(UserRole, nullable=True)
    name: Mapped[str] = mapped_column(Text)
    sequence: Mapped[int] = mapped_column(BigInteger)
    previous: Mapped[HashBytes]
    granted_by: Mapped[AddressBytes]
    nonce: Mapped[HashBytes]
    typed_data: Mapped[dict[str, Any]]
    signature: Mapped[bytes] = mapped_column(BYTEA)
    expires_at: Mapped[Instant]
    granted_at: Mapped[Instant] = mapped_column(server_default=func.now())


class FirstSuperAdminRow(Base):
    """The person whose signature begins the chain of grants; the newest row counts. Only the owner of the tables adds one."""

    __tablename__ = "first_super_admins"
    __table_args__ = (*length_check(20, "address"), OPS_SCHEMA)
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    address: Mapped[AddressBytes]
    name: Mapped[str] = mapped_column(Text)
    named_at: Mapped[Instant] = mapped_column(server_default=func.now())


class SignInChallengeRow(Base):
    """A used sign-in nonce, kept until its expiry, so that it is used at most once."""

    __tablename__ = "sign_in_challenges"
    __table_args__ = (*length_check(20, "address"), OPS_SCHEMA)
    nonce: Mapped[str] = mapped_column(Text, primary_key=True)
    address: Mapped[AddressBytes]
    message: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[Instant]
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
