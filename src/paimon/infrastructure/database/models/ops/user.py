"""Tables of users' signed grants, keys of personal data, sign-in challenges, sessions, refresh tokens and API keys."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Identity, Index, Text, func
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.user.roles import UserRole
from paimon.domain.user.session import SessionEnd
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import (
    AddressBytes,
    HashBytes,
    Instant,
    enum_check,
    enum_column,
    length_check,
)


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
    granted: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    denied: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
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


class SubjectKeyRow(Base):
    """The key under which a person's personal data is encrypted, itself encrypted. An erased one keeps its number only."""

    __tablename__ = "subject_keys"
    __table_args__ = (
        *length_check(20, "address", "erased_by"),
        *length_check(8, "wrapped_by"),
        CheckConstraint("(erased_at IS NULL) = (wrapped_key IS NOT NULL)", name="erased_has_no_key"),
        CheckConstraint("(erased_at IS NULL) = (erased_by IS NULL)", name="erased_by_a_person"),
        Index("uq_subject_keys_live", "address", unique=True, postgresql_where="erased_at IS NULL"),
        OPS_SCHEMA,
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    address: Mapped[AddressBytes]
    wrapped_by: Mapped[bytes] = mapped_column(BYTEA)
    wrapped_key: Mapped[bytes | None] = mapped_column(BYTEA)
    created_at: Mapped[Instant] = mapped_column(server_default=func.now())
    erased_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    erased_by: Mapped[bytes | None] = mapped_column(BYTEA)


class SignInChallengeRow(Base):
    """A used sign-in nonce, kept until its expiry, so that it is used at most once."""

    __tablename__ = "sign_in_challenges"
    __table_args__ = (*length_check(20, "address"), OPS_SCHEMA)
    nonce: Mapped[str] = mapped_column(Text, primary_key=True)
    address: Mapped[AddressBytes]
    message: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[Instant]
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class SessionRow(Base):
    """One sign-in of a wallet. A session without its row, or with an end, gives no access. Where it began is encrypted."""

    __tablename__ = "sessions"
    __table_args__ = (
        enum_check("end_reason", SessionEnd),
        CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="end_has_reason"),
        *length_check(20, "address"),
        Index("ix_sessions_address", "address", "created_at"),
        Index("ix_sessions_expires_at", "expires_at"),
        OPS_SCHEMA,
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    address: Mapped[AddressBytes]
    client: Mapped[bytes | None] = mapped_column(BYTEA)
    network_address: Mapped[bytes | None] = mapped_column(BYTEA)
    created_at: Mapped[Instant]
    used_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    end_reason: Mapped[SessionEnd | None] = enum_column(SessionEnd, nullable=True)


class ApiKeyRow(Base):
    """A key of a program: its hash, and what it may do in its maker's name. Where it was used from is encrypted."""

    __tablename__ = "api_keys"
    __table_args__ = (
        *length_check(20, "address"),
        *length_check(32, "hash"),
        CheckConstraint("created_at < expires_at", name="expires_later"),
        Index("uq_api_keys_hash", "hash", unique=True),
        Index("ix_api_keys_address", "address", "created_at"),
        OPS_SCHEMA,
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    address: Mapped[AddressBytes]
    name: Mapped[str] = mapped_column(Text)
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    networks: Mapped[list[str]] = mapped_column(ARRAY(Text))
    hash: Mapped[HashBytes]
    created_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_used_from: Mapped[bytes | None] = mapped_column(BYTEA)
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class RefreshTokenRow(Base):
    """The hash of a refresh token. A used one stays until its session is deleted, so that its second use shows."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (*length_check(32, "hash"), Index("ix_refresh_tokens_session_id", "session_id"), OPS_SCHEMA)
    hash: Mapped[HashBytes] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("ops.sessions.id", ondelete="CASCADE"))
    issued_at: Mapped[Instant]
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
