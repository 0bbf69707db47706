"""Audit of recorded blocks against the chain: every log, by the receipts, from an endpoint of the operator's choice.

It is for ranges whose proof is weak, as after a long backfill, and for an operator who doubts what is recorded. It changes no
record: what differs is named, and blocks without a difference have the strongest proof from then on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from paimon.application.common.log_id import LogId
from paimon.application.event_listener.fetch.block_range import ChainLog, Header, fetch_headers
from paimon.application.event_listener.fetch.log_filter import LogFilter
from paimon.application.event_listener.fetch.store import load_tracked_contracts, strengthen_proof
from paimon.application.event_listener.fetch.verify import candidate_blocks, proven_logs
from paimon.application.replay.queries import find_recorded_range, read_block_hashes, read_page
from paimon.domain.chain.range_proof import ProofLevel, RangeProof
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.sessions import Database

log = structlog.get_logger(__name__)

ProgressCallback = Callable[[int, int], None]
"""Called with the number of audited blocks and the total."""

_PAGE_BLOCKS: Final = 100
_LOG_INDEX_MAX: Final = 2**31 - 1
_NO_LIMIT: Final = 2**31 - 1


class RangeNotRecorded(StartupError):
    """Some blocks of the range to audit are not recorded."""


@dataclass(frozen=True, slots=True)
class AuditResult:
    """Result of an audit. `blocks_with_receipts` counts the blocks whose bloom alone did not prove that they have no log."""

    first: int
    last: int
    blocks_with_receipts: int
    discrepancies: tuple[str, ...]

    @property
    def blocks(self) -> int:
        return self.last - self.first + 1


async def audit_chain(database: Database, rpc: Rpc, first: int, last: int, *, progress: ProgressCallback) -> AuditResult:
    """Compare blocks `first` to `last` with the chain, page by page; a page without a difference is proven by receipts.

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
        differences = await _find_differences(database, headers, proven)
        discrepancies += differences
        if not differences:
            async with database.write() as session:
                await strengthen_proof(session, RangeProof(start, end, ProofLevel.RECEIPTS))
        progress(end - first + 1, last - first + 1)
    log.info("chain.audited", endpoint=rpc.endpoint, first=first, last=last, discrepancies=len(discrepancies))
    return AuditResult(first, last, blocks_with_receipts, tuple(discrepancies))


async def _require_recorded(database: Database, first: int, last: int) -> None:
    async with database.read() as session:
        recorded = await find_recorded_range(session)
    if recorded is None:
        raise RangeNotRecorded("the listener has recorded nothing yet; there is nothing to audit")
    if not recorded[0] <= first <= last <= recorded[1]:
        raise RangeNotRecorded(
            f"blocks {first} to {last} cannot be audited: blocks {recorded[0]} to {recorded[1]} are recorded"
        )


async def _find_differences(database: Database, headers: Sequence[Header], proven: Sequence[ChainLog]) -> list[str]:
    """Describe every block and log that differs from the chain. The logs of a block with another hash are not compared."""
    first, last = headers[0].stamp.number, headers[-1].stamp.number
    async with database.write() as session:
        hashes = await read_block_hashes(session, first, last)
        page = await read_page(session, LogId(first - 1, _LOG_INDEX_MAX), last=last, logs=_NO_LIMIT)
    chain_hashes = {header.stamp.number: header.stamp.hash for header in headers}
    changed = {number for number, block_hash in hashes.items() if chain_hashes[number] != block_hash}
    descriptions = [
        f"block {number}: recorded {hex0x(hashes[number])[:10]}, on the chain {hex0x(chain_hashes[number])[:10]}"
        for number in sorted(changed)
    ]
    recorded = {entry.id: entry.log for entry in page if entry.log.block.number not in changed}
    on_chain = {
        LogId(chain_log.block.number, chain_log.log_index): chain_log
        for chain_log in proven
        if chain_log.block.number not in changed
    }
    for log_id in sorted(recorded.keys() | on_chain.keys()):
        if log_id not in recorded:
            descriptions.append(f"{_describe_log(on_chain[log_id])}: on the chain, not recorded")
        elif log_id not in on_chain:
            descriptions.append(f"{_describe_log(recorded[log_id])}: recorded, not on the chain")
        else:
            columns = _differing_columns(recorded[log_id], on_chain[log_id])
            descriptions += [f"{_describe_log(recorded[log_id])}: another {column}" for column in columns]
    return descriptions


def _describe_log(chain_log: ChainLog) -> str:
    return f"block {chain_log.block.number} log {chain_log.log_index} of {checksum(chain_log.address)}"


def _differing_columns(recorded: ChainLog, on_chain: ChainLog) -> list[str]:
    return [column for column in ChainLog._fields if getattr(recorded, column) != getattr(on_chain, column)]
