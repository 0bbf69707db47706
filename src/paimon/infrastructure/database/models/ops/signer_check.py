"""The table of checks of the signer."""

from typing import Any

from sqlalchemy import Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import Instant


class SignerCheckRow(Base):
    """How the process that drives sending last found the signer; others read it here and never ask the signer.

    `keys` has name, address and functions of each key, as the signer last answered.
    """

    __tablename__ = "signer_checks"
    __table_args__ = OPS_SCHEMA
    caller: Mapped[str] = mapped_column(Text, primary_key=True)
    checked_at: Mapped[Instant]
    failure: Mapped[str | None] = mapped_column(Text)
    keys: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
