"""The table of retention runs."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import Instant


class RetentionRunRow(Base):
    """The last retention run of one series: the time from which rows are kept, and the rows removed in all runs."""

    __tablename__ = "retention_runs"
    __table_args__ = (CheckConstraint("rows_removed >= 0", name="rows_removed_not_negative"), OPS_SCHEMA)
    series: Mapped[str] = mapped_column(Text, primary_key=True)
    ran_at: Mapped[Instant]
    retention_start: Mapped[Instant]
    rows_removed: Mapped[int] = mapped_column(BigInteger)
    complete: Mapped[bool] = mapped_column(Boolean)
