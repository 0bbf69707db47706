"""The columns every recorded fact has: the place of its log, and when and in which transaction that was."""

from typing import Any

from sqlalchemy import BigInteger, Integer
from sqlalchemy.orm import Mapped, mapped_column

from paimon.infrastructure.database.types import HashBytes, Instant, length_check


class EventRowColumns:
    """Mixed into the tables of facts. A fact is written once, with the block that tells it, and never changed."""

    block_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    log_index: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    tx_hash: Mapped[HashBytes]
    at: Mapped[Instant]


def event_row_checks() -> tuple[Any, ...]:
    return (*length_check(32, "tx_hash"),)
