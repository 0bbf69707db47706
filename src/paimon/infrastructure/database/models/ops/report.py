"""The table of reports: what was made, from which blocks, and the hash of every file."""

from datetime import date
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Identity, Integer, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.report.document import ReportStatus
from paimon.domain.report.period import ReportKind
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import HashBytes, Instant, enum_check, enum_column, length_check


class ReportRow(Base):
    """One version of a report. A later version names the one that it replaces; no version is changed or removed.

    `data_hash` is of the data alone, so that the same data is not made into another version. `files` lists the files, each with
    format, language, SHA-256 and size; its object's key follows from them.
    """

    __tablename__ = "reports"
    __table_args__ = (
        enum_check("kind", ReportKind),
        enum_check("status", ReportStatus),
        *length_check(32, "data_hash"),
        CheckConstraint("first_day <= last_day", name="days_in_order"),
        CheckConstraint("version >= 1", name="version_positive"),
        CheckConstraint("(version = 1) = (replaces IS NULL)", name="later_version_replaces"),
        CheckConstraint("jsonb_array_length(files) > 0", name="has_files"),
        CheckConstraint(
            "opening_block <= closing_block OR opening_block IS NULL OR closing_block IS NULL", name="blocks_in_order"
        ),
        UniqueConstraint("kind", "first_day", "version"),
        OPS_SCHEMA,
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[ReportKind] = enum_column(ReportKind)
    first_day: Mapped[date] = mapped_column(Date)
    last_day: Mapped[date] = mapped_column(Date)
    version: Mapped[int] = mapped_column(Integer)
    status: Mapped[ReportStatus] = enum_column(ReportStatus)
    draft_reasons: Mapped[list[Any]] = mapped_column(JSONB)
    opening_block: Mapped[int | None] = mapped_column(BigInteger)
    closing_block: Mapped[int | None] = mapped_column(BigInteger)
    data_hash: Mapped[HashBytes]
    files: Mapped[list[Any]] = mapped_column(JSONB)
    replaces: Mapped[int | None] = mapped_column(ForeignKey("ops.reports.id"), unique=True)
    made_at: Mapped[Instant] = mapped_column(server_default=func.now())
