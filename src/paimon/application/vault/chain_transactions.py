"""The chain's transactions in which the fund's contracts spoke, and what each of them did: its logs, as they were read."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.nav.as_of import get_recorded_block
from paimon.domain.asset.token_transfer import TransferPurpose
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, Hash32
from paimon.infrastructure.database.models.derived import ChainTransactionRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page
from paimon.infrastructure.database.sessions import ReadSession

LOGS_MAX: Final = 50
"""Logs shown of one transaction; a batch of others' making may have thousands."""


@dataclass(frozen=True, slots=True)
class TransactionFilter:
    """What a list is narrowed to. Days are UTC days of the block, both ends included."""

    contract: ContractName | None = None
    event: str | None = None
    first_day: date | None = None
    last_day: date | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        row = ChainTransactionRow
        filters: list[ColumnElement[bool]] = []
        if self.contract is not None:
            filters.append(row.contracts.contains([self.contract.value]))
        if self.event is not None:
            filters.append(row.events.contains([self.event]))
        if self.first_day is not None:
            filters.append(row.at >= datetime.combine(self.first_day, time.min, UTC))
        if self.last_day is not None:
            filters.append(row.at <= datetime.combine(self.last_day, time.max, UTC))
        return filters


@dataclass(frozen=True, slots=True)
class TransactionLog:
    """One log with what it was taken to mean; `purpose` of a movement of the vault's tokens."""

    log_index: int
    contract: ContractName
    address: Address
    event: str | None
    args: dict[str, Any] | None
    purpose: TransferPurpose | None
    status: LogStatus
    reason: str | None


@dataclass(frozen=True, slots=True)
class ChainTransactionDetail:
    """A transaction with its first logs."""

    hash: Hash32
    block_number: int
    index: int
    time: datetime
    contracts: tuple[ContractName, ...]
    events: tuple[str, ...]
    log_count: int
    logs: list[TransactionLog]


_LOGS: Final = text("""
    SELECT told.tx_hash, told.log_index, told.contract, told.address, told.event, told.args, told.status, told.reason,
           moved.purpose
      FROM unnest(CAST(:hashes AS bytea[])) AS wanted (tx_hash)
     CROSS JOIN LATERAL (SELECT * FROM derived.raw_logs WHERE raw_logs.tx_hash = wanted.tx_hash
                          ORDER BY block_number, log_index LIMIT :most) AS told
      LEFT JOIN derived.token_transfers AS moved
             ON moved.block_number = told.block_number AND moved.log_index = told.log_index
     ORDER BY told.block_number, told.log_index
""")


async def list_transactions(
    session: ReadSession, page: PageRequest, filters: TransactionFilter, *, block: int | None
) -> tuple[BlockStamp, Page[ChainTransactionDetail]]:
    """Transactions up to the block, latest first.

    Raises:
        NothingRecordedYet, BlockNotRecorded.
    """
    at = await get_recorded_block(session, block)
    row = ChainTransactionRow
    query = (
        select(row)
        .where(row.block_number <= at.number, *filters.conditions())
        .order_by(row.block_number.desc(), row.tx_index.desc())
    )
    found: Page[ChainTransactionRow] = await fetch_page(session, query, page, lambda each: each)
    logs = await _logs(session, (each.tx_hash for each in found.items))
    return at, found.mapped(lambda transaction: _detail(transaction, logs[transaction.tx_hash]))


def _detail(row: ChainTransactionRow, logs: list[TransactionLog]) -> ChainTransactionDetail:
    return ChainTransactionDetail(
        hash=row.tx_hash,
        block_number=row.block_number,
        index=row.tx_index,
        time=row.at,
        contracts=tuple(ContractName(contract) for contract in row.contracts),
        events=tuple(row.events),
        log_count=row.logs,
        logs=logs,
    )


async def _logs(session: AsyncSession, hashes: Iterable[Hash32]) -> dict[bytes, list[TransactionLog]]:
    log: dict[bytes, list[TransactionLog]] = {each: [] for each in hashes}
    for row in await session.execute(_LOGS, {"hashes": list(log), "most": LOGS_MAX}):
        log[bytes(row.tx_hash)].append(
            TransactionLog(
                row.log_index,
                ContractName(row.contract),
                Address(bytes(row.address)),
                row.event,
                row.args,
                None if row.purpose is None else TransferPurpose(row.purpose),
                LogStatus(row.status),
                row.reason,
            )
        )
    return log
