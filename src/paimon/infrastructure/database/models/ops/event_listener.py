"""What the house's own machinery did and met: the listener's batches, what was removed because its time was over, and which
endpoints were caught at answers that are not true.

Owned, because no replay can find it out again: it tells of this house's work, not of the chain.
"""

from sqlalchemy import BigInteger, CheckConstraint, Integer, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.chain.range_proof import InvalidResponseKind
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import Instant, enum_check, enum_column


class EventProcessingLogRow(Base):
    """One batch of the listener. `time` is the database's, when its recording began; durations are the listener's own."""

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
    """The batches of one hour, summed up as they are written; it stays when they go."""

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
    """How often an endpoint was caught at one kind of untrue answer, and the last time."""

    __tablename__ = "endpoint_faults"
    __table_args__ = (
        enum_check("lie", InvalidResponseKind),
        CheckConstraint("occurrences > 0", name="occurrences_positive"),
        OPS_SCHEMA,
    )
    endpoint: Mapped[str] = mapped_column(Text, primary_key=True)
    lie: Mapped[InvalidResponseKind] = enum_column(InvalidResponseKind, primary_key=True)
    occurrences: Mapped[int] = mapped_column(BigInteger)
    last_block: Mapped[int] = mapped_column(BigInteger)
    last_description: Mapped[str] = mapped_column(Text)
    last_seen_at: Mapped[Instant] = mapped_column(server_default=func.now())
