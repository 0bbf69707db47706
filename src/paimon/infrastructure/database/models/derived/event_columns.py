"""Columns of every table whose rows are made from one event: the log's position, transaction and time."""

from typing import Any

from sqlalchemy import BigInteger, Integer
from sqlalchemy.orm import Mapped, mapped_column

from paimon.infrastructure.database.types import HashBytes, Instant, length_check


class EventRowColumns:
    """Mixin of tables whose rows are made from one event. A row is written with the event's block and never changed."""

    block_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    log_index: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    tx_hash: Mapped[HashBytes]
    at: Mapped[Instant]


def event_row_checks() -> tuple[Any, ...]:
    return (*length_check(32, "tx_hash"),)
