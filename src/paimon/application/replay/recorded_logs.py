"""The recorded logs, read back in chain order to be decoded and folded again.

Pages by key rather than a cursor held open: each page is one short query, so that neither a transaction nor a result
lives as long as the replay does, and memory is one page however many logs there are.
"""

from collections.abc import Sequence, Set
from decimal import Decimal
from typing import Final, NamedTuple

import orjson
from psycopg.rows import TupleRow
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.event_listener.fetch.block_range import ChainLog
from paimon.application.event_listener.fetch.decode import DecodedLog, decode_log
from paimon.application.event_listener.record.json_text import json_text
from paimon.domain.chain.tracked_contracts import ContractOrigin, TrackedContracts
from paimon.domain.kernel.chain import BlockStamp, Hash32, checksum
from paimon.domain.risk.operator_decision import LogKey
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.bulk_copy import driver_connection


class ForeignLogs(StartupError):
    """The books hold logs of a contract that the settings do not name: they are of another fund, or a setting is missing."""


class LogPosition(NamedTuple):
    """A log's place in the chain."""

    block_number: int
    log_index: int


BEFORE_FIRST_LOG: Final = LogPosition(-1, -1)


class RecordedLog(NamedTuple):
    """A log as the node gave it, and what it was taken to mean when it was recorded, as the driver gives that."""

    log: ChainLog
    contract: str
    event: str | None
    args: str | None
    request_id: Decimal | None
    status: str
    reason: str | None

    @property
    def position(self) -> LogPosition:
        return LogPosition(self.log.block.number, self.log.log_index)

    def matches_decoding(self, decoded: DecodedLog) -> bool:
        """Whether it was taken to mean the same: whether its reading now is what was recorded."""
        return (
            self.event == decoded.name
            and self.status == decoded.status
            and self.contract == decoded.contract
            and self.reason == decoded.reason
            and self.request_id == decoded.request_id
            and (
                self.args == json_text(decoded.values)
                or (None if self.args is None else orjson.loads(self.args)) == decoded.args
            )
        )


# Two queries, the second with the bound the first has found: a bound that the planner knows is one range of the key's
# index, while one that it has to find out by itself is a walk through the whole table, for every page.
_PAGE_END: Final = """
    SELECT max(block_number) FROM (
        SELECT block_number FROM derived.raw_logs
         WHERE (block_number, log_index) > (%(block_number)s, %(log_index)s) AND block_number <= %(last)s
         ORDER BY block_number, log_index
         LIMIT %(logs)s
    ) AS page
"""
_PAGE: Final = """
    SELECT timestamp, block_number, block_hash, log_index, tx_hash, tx_index, address, topics, data,
           contract, event, args::text, request_id, status, reason
      FROM derived.raw_logs JOIN derived.blocks ON number = block_number
     WHERE (block_number, log_index) > (%(block_number)s, %(log_index)s)
       AND block_number BETWEEN %(block_number)s AND %(end)s
       AND number BETWEEN %(block_number)s AND %(end)s
     ORDER BY block_number, log_index
"""

_COUNT: Final = text("SELECT count(*) FROM derived.raw_logs WHERE block_number <= :last")


async def count_logs(session: AsyncSession, *, last: int) -> int:
    """How many logs are recorded up to block `last`."""
    return int((await session.execute(_COUNT, {"last": last})).scalar_one())


async def read_page(session: AsyncSession, after: LogPosition, *, last: int, logs: int) -> list[RecordedLog]:
    """At least this many of the next logs behind `after`, up to block `last`, or all there are; empty at the end.

    The last block is there as a whole, since a transaction is folded as a whole.
    """
    connection = await driver_connection(session)
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(_PAGE_END, {**after._asdict(), "last": last, "logs": logs})
        found = await cursor.fetchone()
        if found is None or found[0] is None:
            return []
        await cursor.execute(_PAGE, {**after._asdict(), "end": found[0]})
        rows = await cursor.fetchall()
    return _recorded(rows)


def _recorded(rows: Sequence[TupleRow]) -> list[RecordedLog]:
    found: list[RecordedLog] = []
    block: BlockStamp | None = None
    for timestamp, number, block_hash, log_index, tx_hash, tx_index, address, topics, data, *decoded_fields in rows:
        if block is None or block.number != number:
            block = BlockStamp(number, Hash32(block_hash), timestamp)
        found.append(RecordedLog(ChainLog(block, log_index, tx_hash, tx_index, address, tuple(topics), data), *decoded_fields))
    return found


def redecode_logs(
    recorded: Sequence[RecordedLog], contracts: FundContracts, tracked: TrackedContracts, skipped: Set[LogKey] = frozenset()
) -> list[DecodedLog]:
    """What the logs mean by the ABIs of today; those that people decided to leave out mean nothing.

    Raises:
        ForeignLogs: one is of a contract that neither the settings name nor an event brought in.
    """
    names = {each.address: each.contract for each in tracked.contracts.values() if each.origin is not ContractOrigin.SETTINGS}
    names |= contracts.addresses.names()
    if unknown_addresses := {each.log.address for each in recorded} - names.keys():
        first = next(each.log for each in recorded if each.log.address in unknown_addresses)
        raise ForeignLogs(
            f"block {first.block} has a recorded log of {checksum(first.address)}, which is none of the"
            " contracts in PAIMON_FUND__…: the settings are of another fund than the books"
        )
    logs = [decode_log(each.log, names, contracts.abis) for each in recorded]
    if skipped:
        for decoded in logs:
            if LogKey(decoded.log.block.hash, decoded.log.log_index) in skipped:
                decoded.skip()
    return logs
