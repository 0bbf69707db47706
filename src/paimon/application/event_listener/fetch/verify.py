"""Prove that a range lacks no log and contains no invented log, against what its headers commit to.

A header's hash is recomputed when the header is fetched, so its bloom and its receipts root are the chain's own:

    bloom excludes all tracked contracts   the block has none of their logs; nothing more is requested
    bloom does not                         its receipts are requested; once they have the header's root, the tracked logs
                                           in them are recorded, also against what `eth_getLogs` returned

Headers and receipts are expensive: every block has a header, and a block's receipts cover every transaction in it. Blocks
far in the past are therefore proven by the agreement of two endpoints. Where the second endpoint does not answer, receipts
replace it: otherwise an endpoint that omits a log would only have to wait until the other fails. Logs of a single endpoint
that the blooms do not contradict are accepted only where the pool has no other endpoint and no endpoint serves receipts.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

import structlog

from paimon.application.event_listener.fetch.block_range import (
    BlockRange,
    ChainLog,
    EndpointFault,
    Header,
    InconsistentResponse,
    InvalidResponse,
    fetch_headers,
    fetch_segment,
)
from paimon.application.event_listener.fetch.log_filter import LogFilter, log_queries
from paimon.domain.chain.range_proof import InvalidResponseKind, ProofLevel
from paimon.domain.chain.tracked_contracts import TrackedContracts
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.infrastructure.blockchain.proof.bloom import bloom_of, excludes
from paimon.infrastructure.blockchain.proof.receipts import (
    ReceiptJson,
    ReceiptsNotServed,
    read_block_receipts,
    read_receipts,
)
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.blockchain.rpc.pool import Rpc

log = structlog.get_logger(__name__)

_BLOCKS_PER_REQUEST: Final = 5
"""The receipts of a full block are hundreds of kilobytes."""
_HEADERS_AT_ONCE: Final = 100
"""The header of a full block, with the hashes of its transactions, is ten kilobytes or more."""


@dataclass(frozen=True, slots=True)
class ProofResult:
    """A range with its proven logs, and how it is proven.

    `receipt_block_count` counts the blocks whose receipts were requested.
    """

    level: ProofLevel
    fetched: BlockRange
    receipt_block_count: int = 0
    faults: tuple[EndpointFault, ...] = ()


Prover = Callable[[Rpc, BlockRange, TrackedContracts], Awaitable[ProofResult]]


async def prove(rpc: Rpc, fetched: BlockRange, tracked: TrackedContracts) -> ProofResult:
    """Prove a range with all its headers by receipts, or as a segment where no endpoint serves receipts.

    `rpc` is one endpoint, and `tracked` the tracked contracts at the range's end. Another endpoint of the pool is used
    where `rpc` does not have the receipts, or has wrong ones.

    Raises:
        InvalidResponse: receipts are wrong, and no endpoint has right ones.
        InconsistentResponse: the node does not have the receipts yet, or two endpoints differ and receipts cannot decide.
        RpcUnavailable, RpcError.
    """
    candidates = candidate_blocks(fetched.headers, log_filter := LogFilter.of(tracked))
    try:
        proven, faults = await proven_logs(rpc, candidates, log_filter)
    except ReceiptsNotServed as not_served:
        log.warning("proof.receipts_not_served", reason=str(not_served), block=fetched.last.number)
        return await prove_segment(rpc, fetched, tracked)
    new_faults = find_log_faults(rpc.endpoint, fetched.logs, proven)
    return ProofResult(ProofLevel.RECEIPTS, BlockRange(fetched.headers, tuple(proven)), len(candidates), (*faults, *new_faults))


async def prove_segment(rpc: Rpc, fetched: BlockRange, tracked: TrackedContracts) -> ProofResult:
    """Prove a segment of the past, whose headers are not all there, by the agreement of a second endpoint.

    Receipts decide where the second endpoint differs or does not answer. Where the pool has no second endpoint, the logs
    must be within the blooms of their blocks.

    Raises as `prove`.
    """
    fetched, faults = _within_blooms(rpc, fetched)
    other_endpoint = rpc.excluding(rpc.endpoint)
    if other_endpoint is None:
        return ProofResult(ProofLevel.CHAINED, fetched, faults=faults)
    return await _by_agreement(rpc, other_endpoint, fetched, tracked, faults)


def candidate_blocks(headers: Iterable[Header], log_filter: LogFilter) -> list[Header]:
    """Return the blocks that may have logs of the fund, by their blooms."""
    return [header for header in headers if log_filter.may_match_bloom(header.stamp.number, header.logs_bloom)]


async def proven_logs(rpc: Rpc, blocks: Sequence[Header], log_filter: LogFilter) -> tuple[list[ChainLog], list[EndpointFault]]:
    """Read the fund's logs of these blocks from receipts of the first endpoint that has right ones.

    Returns the faults of endpoints with wrong receipts too. What one endpoint lacks, refuses or fails at stops no proof that
    another one can give.

    Raises:
        InvalidResponse: no endpoint has right receipts, and one has wrong ones.
        ReceiptsNotServed, InconsistentResponse, RpcUnavailable, RpcError: no endpoint has receipts, and so the first one
            asked failed.
    """
    invalid_responses: list[InvalidResponse] = []
    failure: Exception | None = None
    tried: list[str] = []
    endpoint: Rpc | None = rpc
    while endpoint is not None:
        try:
            node = await endpoint.preferred()
        except RpcUnavailable as error:
            failure = failure or error
            if endpoint is not rpc:  # of all that are left, none answers
                break
            tried.append(rpc.endpoint)
        else:
            tried.append(node.endpoint)
            try:
                return await _fetch_checked_logs(node, blocks, log_filter), [error.fault for error in invalid_responses]
            except InvalidResponse as error:
                invalid_responses.append(error)
            except (ReceiptsNotServed, RpcUnavailable, RpcError, InconsistentResponse) as error:
                failure = failure or error
                log.warning("proof.receipts_failed", endpoint=node.endpoint, reason=str(error))
        endpoint = rpc.excluding(*tried)
    raise next(iter(invalid_responses), None) or failure or InconsistentResponse("no endpoint has receipts")


async def _fetch_checked_logs(rpc: Rpc, blocks: Sequence[Header], log_filter: LogFilter) -> list[ChainLog]:
    """Fetch receipts of a few blocks at a time and keep only the fund's logs: all receipts together do not fit in memory."""
    found: list[ChainLog] = []
    for start in range(0, len(blocks), _BLOCKS_PER_REQUEST):
        chunk = blocks[start : start + _BLOCKS_PER_REQUEST]
        answers = await read_block_receipts(rpc, [(header.stamp.number, header.transactions) for header in chunk])
        for header, receipts in zip(chunk, answers, strict=True):
            if receipts is None:
                raise InconsistentResponse(f"{rpc.endpoint} does not have the receipts of block {header.stamp} yet")
            found += _checked_logs(rpc, header, receipts, log_filter)
    return found


def _checked_logs(rpc: Rpc, header: Header, receipts: Sequence[ReceiptJson], log_filter: LogFilter) -> list[ChainLog]:
    """Return the fund's logs of one block. Raises InvalidResponse unless the receipts have the header's root."""
    block = header.stamp
    try:
        root, logs = read_receipts(receipts)
        if root != header.receipts_root:
            raise InvalidResponse(
                rpc.endpoint,
                InvalidResponseKind.WRONG_RECEIPTS,
                block,
                f"its {len(receipts)} receipts have the root {hex0x(root)[:10]}",
            )
        if [receipt["transactionHash"] for receipt in receipts] != [*header.transactions]:
            raise InvalidResponse(
                rpc.endpoint, InvalidResponseKind.WRONG_RECEIPTS, block, "its receipts are not of the block's transactions"
            )
        return [
            ChainLog(block, entry.log_index, entry.tx_hash, entry.tx_index, entry.address, entry.topics, entry.data)
            for entry in logs
            if log_filter.matches(block.number, entry.address, entry.topics)
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidResponse(
            rpc.endpoint, InvalidResponseKind.WRONG_RECEIPTS, block, f"its receipts do not read: {error!r}"
        ) from error


def _within_blooms(rpc: Rpc, fetched: BlockRange) -> tuple[BlockRange, tuple[EndpointFault, ...]]:
    """Drop the logs that their own block's bloom excludes: they were never emitted there."""
    blooms = {header.stamp.number: header.logs_bloom for header in fetched.headers}
    forged = [
        entry for entry in fetched.logs if excludes(blooms[entry.block.number], bloom_of(entry.address, *entry.topics[:1]))
    ]
    if not forged:
        return fetched, ()
    kept = tuple(entry for entry in fetched.logs if entry not in forged)
    return BlockRange(fetched.headers, kept), tuple(
        _fault(rpc.endpoint, InvalidResponseKind.FORGED_LOG, entry) for entry in forged
    )


async def _by_agreement(
    rpc: Rpc, other_endpoint: Rpc, fetched: BlockRange, tracked: TrackedContracts, faults: tuple[EndpointFault, ...]
) -> ProofResult:
    """Keep the logs that both endpoints return. Receipts decide in blocks where they differ."""
    first, last = fetched.first, fetched.last.number
    try:
        other = await other_endpoint.at_height(last).preferred()
        others = await fetch_segment(other, first, last, log_queries(tracked, first, last))
    except (RpcUnavailable, RpcError, InconsistentResponse) as error:
        log.warning("proof.second_endpoint_failed", reason=str(error), block=last)
        fault = (error.fault,) if isinstance(error, InvalidResponse) else ()
        return await _by_receipts(rpc, fetched, tracked, (*faults, *fault))
    numbers = {entry.block.number for entry in set(others.logs) ^ set(fetched.logs)}
    known, theirs = await _headers_with(rpc, fetched, numbers), await _headers_with(other, others, numbers)
    for number in sorted({last, *numbers}):
        # Nothing chains such a header to earlier ones: one endpoint alone could invent it, with receipts to match.
        if known[number].stamp != theirs[number].stamp:
            raise InconsistentResponse(
                f"{rpc.endpoint} has block {known[number].stamp}, {other.endpoint} has {theirs[number].stamp}"
            )
    if not numbers:
        return ProofResult(ProofLevel.AGREED, fetched, faults=faults)
    disputed = [known[number] for number in sorted(numbers)]
    try:
        proven, new_faults = await proven_logs(rpc, disputed, LogFilter.of(tracked))
    except ReceiptsNotServed as not_served:
        raise InconsistentResponse(
            f"{rpc.endpoint} and {other.endpoint} differ in {len(disputed)} blocks from {disputed[0].stamp} on, and neither"
            f" serves receipts to settle it: {not_served}"
        ) from not_served
    for endpoint, given in ((rpc.endpoint, fetched.logs), (other.endpoint, others.logs)):
        new_faults += find_log_faults(endpoint, [entry for entry in given if entry.block.number in numbers], proven)
    undisputed = tuple(entry for entry in fetched.logs if entry.block.number not in numbers)
    settled = BlockRange(tuple(known[number] for number in sorted(known)), undisputed)
    return ProofResult(ProofLevel.AGREED, settled.with_logs(proven), len(disputed), (*faults, *new_faults))


async def _headers_with(rpc: Rpc, fetched: BlockRange, numbers: Set[int]) -> dict[int, Header]:
    """Return the range's headers by number, and fetch those of these blocks that it lacks."""
    known = {header.stamp.number: header for header in fetched.headers}
    return known | {header.stamp.number: header for header in await fetch_headers(rpc, sorted(numbers - known.keys()))}


async def _by_receipts(
    rpc: Rpc, fetched: BlockRange, tracked: TrackedContracts, faults: tuple[EndpointFault, ...]
) -> ProofResult:
    """Fetch every header of the segment and read its logs from receipts.

    Where no endpoint serves receipts, the segment's own logs stand, as merely chained.
    """
    log_filter, last = LogFilter.of(tracked), fetched.last.number
    headers: list[Header] = []
    proven: list[ChainLog] = []
    new_faults: list[EndpointFault] = []
    receipt_block_count = 0
    for begin in range(fetched.first, last + 1, _HEADERS_AT_ONCE):
        page = await fetch_headers(rpc, range(begin, min(begin + _HEADERS_AT_ONCE, last + 1)))
        if headers and page[0].parent_hash != headers[-1].stamp.hash:
            raise InconsistentResponse(f"block {page[0].stamp} does not follow {headers[-1].stamp}")
        candidates = candidate_blocks(page, log_filter)
        try:
            page_logs, page_faults = await proven_logs(rpc, candidates, log_filter)
        except ReceiptsNotServed as not_served:
            log.warning("proof.receipts_not_served", reason=str(not_served), block=last)
            return ProofResult(ProofLevel.CHAINED, fetched, faults=faults)
        headers += [replace(header, transactions=()) for header in page]
        proven += page_logs
        new_faults += page_faults
        receipt_block_count += len(candidates)
    new_faults += find_log_faults(rpc.endpoint, fetched.logs, proven)
    return ProofResult(
        ProofLevel.RECEIPTS, BlockRange(tuple(headers), tuple(proven)), receipt_block_count, (*faults, *new_faults)
    )


def find_log_faults(endpoint: str, given: Iterable[ChainLog], proven: Iterable[ChainLog]) -> list[EndpointFault]:
    """Return a fault for every log in which the given logs differ from the proven ones."""
    given_logs = {(entry.block.number, entry.log_index): entry for entry in given}
    proven_by_position = {(entry.block.number, entry.log_index): entry for entry in proven}
    found: list[EndpointFault] = []
    for position in sorted(given_logs.keys() | proven_by_position.keys()):
        if position not in given_logs:
            found.append(_fault(endpoint, InvalidResponseKind.OMITTED_LOG, proven_by_position[position]))
        elif position not in proven_by_position:
            found.append(_fault(endpoint, InvalidResponseKind.FORGED_LOG, given_logs[position]))
        elif given_logs[position] != proven_by_position[position]:
            found.append(_fault(endpoint, InvalidResponseKind.CHANGED_LOG, given_logs[position]))
    return found


_DESCRIPTIONS: Final = {
    InvalidResponseKind.OMITTED_LOG: "was left out",
    InvalidResponseKind.FORGED_LOG: "is not in the block",
    InvalidResponseKind.CHANGED_LOG: "differs from the one in the block",
}


def _fault(endpoint: str, kind: InvalidResponseKind, log: ChainLog) -> EndpointFault:
    description = f"log {log.log_index} of {checksum(log.address)} {_DESCRIPTIONS[kind]}"
    return EndpointFault(endpoint, kind, log.block.number, description)
