"""Recorded blocks held against the chain once more: every log, by the receipts, from an endpoint of the operator's choice.

For ranges whose proof is weak, as after a long backfill, and for the day somebody doubts the books. No book is changed:
what differs is named, and blocks in which nothing does have the strongest proof from then on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import func, select

from paimon.application.event_listener.fetch.block_range import ChainLog, Header, fetch_headers
from paimon.application.event_listener.fetch.log_filter import LogFilter
from paimon.application.event_listener.fetch.range_proofs import strengthen_proof
from paimon.application.event_listener.fetch.tracked_contracts import load_tracked_contracts
from paimon.application.event_listener.fetch.verify import candidate_blocks, proven_logs
from paimon.application.replay.recorded_logs import LogPosition, read_page
from paimon.domain.chain.range_proof import ProofLevel, RangeProof
from paimon.domain.kernel.chain import Hash32, checksum, hex0x
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.models.derived import BlockRow
from paimon.infrastructure.database.sessions import Database

log = structlog.get_logger(__name__)

ProgressCallback = Callable[[int, int], None]
"""Told how many blocks of how many are done."""

_PAGE_BLOCKS: Final = 100
_LOG_INDEX_MAX: Final = 2**31 - 1
_NO_LIMIT: Final = 2**31 - 1


class RangeNotRecorded(StartupError):
    """The audit was asked for blocks that the books do not have."""


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What an audit went through and found; `blocks_with_receipts` counts the blocks that a bloom alone did not clear."""

    first: int
    last: int
    blocks_with_receipts: int
    discrepancies: tuple[str, ...]

    @property
    def blocks(self) -> int:
        return self.last - self.first + 1


async def audit_chain(database: Database, rpc: Rpc, first: int, last: int, *, progress: ProgressCallback) -> AuditResult:
    """Compare blocks `first` to `last` with the chain, page by page; each page without a difference is proven by receipts.

    Raises:
        RangeNotRecorded: not all of these blocks are recorded.
        ReceiptsNotServed: the endpoint cannot prove anything.
        InvalidResponse, InconsistentResponse, RpcUnavailable, RpcError.
    """
    await _require_recorded(database, first, last)
    rpc = await rpc.preferred()
    async with database.read() as session:
        log_filter = LogFilter.of(await load_tracked_contracts(session))
    discrepancies: list[str] = []
    blocks_with_receipts = 0
    for start in range(first, last + 1, _PAGE_BLOCKS):
        end = min(start + _PAGE_BLOCKS - 1, last)
        headers = await fetch_headers(rpc, range(start, end + 1))
        candidates = candidate_blocks(headers, log_filter)
        proven = (await proven_logs(rpc, candidates, log_filter))[0] if candidates else []
        blocks_with_receipts += len(candidates)
        found = await _find_differences(database, headers, proven)
        discrepancies += found
        if not found:
            async with database.write() as session:
                await strengthen_proof(session, RangeProof(start, end, ProofLevel.RECEIPTS))
        progress(end - first + 1, last - first + 1)
    log.info("chain.audited", endpoint=rpc.endpoint, first=first, last=last, discrepancies=len(discrepancies))
    return AuditResult(first, last, blocks_with_receipts, tuple(discrepancies))


async def _require_recorded(database: Database, first: int, last: int) -> None:
    async with database.read() as session:
        begun, ended = (await session.execute(select(func.min(BlockRow.number), func.max(BlockRow.number)))).one()
    if begun is None:
        raise RangeNotRecorded("the listener has recorded nothing yet; there is nothing to audit")
    if not begun <= first <= last <= ended:
        raise RangeNotRecorded(f"blocks {first} to {last} cannot be audited: the books hold blocks {begun} to {ended}")


async def _find_differences(database: Database, headers: Sequence[Header], proven: Sequence[ChainLog]) -> list[str]:
    """Every block and log in which the books differ from the chain, in words. A block that is another one has other logs."""
    first, last = headers[0].stamp.number, headers[-1].stamp.number
    async with database.write() as session:
        rows = await session.execute(select(BlockRow.number, BlockRow.hash).where(BlockRow.number.between(first, last)))
        hashes = {number: Hash32(block_hash) for number, block_hash in rows}
        page = await read_page(session, LogPosition(first - 1, _LOG_INDEX_MAX), last=last, logs=_NO_LIMIT)
    chain_hashes = {each.stamp.number: each.stamp.hash for each in headers}
    other = {number for number, block_hash in hashes.items() if chain_hashes[number] != block_hash}
    descriptions = [
        f"block {number}: recorded {hex0x(hashes[number])[:10]}, on the chain {hex0x(chain_hashes[number])[:10]}"
        for number in sorted(other)
    ]
    books = {each.position: each.log for each in page if each.log.block.number not in other}
    chain = {LogPosition(each.block.number, each.log_index): each for each in proven if each.block.number not in other}
    for place in sorted(books.keys() | chain.keys()):
        if place not in books:
            descriptions.append(f"{_describe_log(chain[place])}: missing from the books")
        elif place not in chain:
            descriptions.append(f"{_describe_log(books[place])}: in the books, not on the chain")
        else:
            descriptions += [
                f"{_describe_log(books[place])}: another {column}" for column in _differing_columns(books[place], chain[place])
            ]
    return descriptions


def _describe_log(each: ChainLog) -> str:
    return f"block {each.block.number} log {each.log_index} of {checksum(each.address)}"


def _differing_columns(recorded: ChainLog, true: ChainLog) -> list[str]:
    return [column for column in ChainLog._fields if getattr(recorded, column) != getattr(true, column)]
