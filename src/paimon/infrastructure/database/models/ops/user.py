"""Tables of users and sign-in challenges."""

from datetime import datetime

from sqlalchemy import (
    DateTime,
    Text,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.user.roles import UserRole
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import (
    AddressBytes,
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


class SignInChallengeRow(Base):
    """A used sign-in nonce, kept until its expiry, so that it is used at most once."""

    __tablename__ = "sign_in_challenges"
    __table_args__ = (*length_check(20, "address"), OPS_SCHEMA)
    nonce: Mapped[str] = mapped_column(Text, primary_key=True)
    address: Mapped[AddressBytes]
    message: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[Instant]
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
