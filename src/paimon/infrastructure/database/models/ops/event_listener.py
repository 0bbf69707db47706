"""Tables of the listener's own work: its batches, and the invalid responses of endpoints.

They are in `ops`, because a replay cannot rebuild them: they describe the listener, not the chain.
"""

from sqlalchemy import BigInteger, CheckConstraint, Integer, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.chain.range_proof import InvalidResponseKind
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import Instant, enum_check, enum_column


class EventProcessingLogRow(Base):
    """One batch of the listener. `time` is the database's time when recording began; the listener measures the durations."""

    __tablename__ = "event_processing_logs"
    __table_args__ = (
        CheckConstraint("first_block <= last_block", name="blocks_in_order"),
        CheckConstraint("quarantined BETWEEN 0 AND logs", name="quarantined_within_logs"),
        CheckConstraint("lag_blocks >= 0", name="lag_blocks_not_negative"),
        CheckConstraint("fetch_us >= 0 AND record_us >= 0", name="durations_not_negative"),
        OPS_SCHEMA,
    )
    time: Mapped[Instant] = mapped_column(primary_key=True)
    last_block: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    first_block: Mapped[int] = mapped_column(BigInteger)
    last_block_at: Mapped[Instant]
    logs: Mapped[int] = mapped_column(Integer)
    quarantined: Mapped[int] = mapped_column(Integer)
    lag_blocks: Mapped[int] = mapped_column(BigInteger)
    fetch_us: Mapped[int] = mapped_column(BigInteger)
    record_us: Mapped[int] = mapped_column(BigInteger)


class EventProcessingHourRow(Base):
    """The sums of one hour's batches, updated as they are written. Retention removes the batches, not the sums."""

    __tablename__ = "event_processing_hourly"
    __table_args__ = (
        CheckConstraint("hour = date_trunc('hour', hour, 'UTC')", name="hour_is_truncated"),
        CheckConstraint("batches > 0 AND blocks >= batches", name="batches_positive"),
        OPS_SCHEMA,
    )
    hour: Mapped[Instant] = mapped_column(primary_key=True)
    batches: Mapped[int] = mapped_column(BigInteger)
    blocks: Mapped[int] = mapped_column(BigInteger)
    logs: Mapped[int] = mapped_column(BigInteger)
    quarantined: Mapped[int] = mapped_column(BigInteger)
    lag_blocks_max: Mapped[int] = mapped_column(BigInteger)
    fetch_us: Mapped[int] = mapped_column(BigInteger)
    record_us: Mapped[int] = mapped_column(BigInteger)
    record_us_max: Mapped[int] = mapped_column(BigInteger)


class EndpointFaultRow(Base):
    """The number of invalid responses of one kind from one endpoint, and the last one."""

    __tablename__ = "endpoint_faults"
    __table_args__ = (
        enum_check("kind", InvalidResponseKind),
        CheckConstraint("occurrences > 0", name="occurrences_positive"),
        OPS_SCHEMA,
    )
    endpoint: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[InvalidResponseKind] = enum_column(InvalidResponseKind, primary_key=True)
    occurrences: Mapped[int] = mapped_column(BigInteger)
    last_block: Mapped[int] = mapped_column(BigInteger)
    last_description: Mapped[str] = mapped_column(Text)
    last_seen_at: Mapped[Instant] = mapped_column(server_default=func.now())
