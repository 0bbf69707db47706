"""That nothing is missing from a range, and nothing in it invented: proven against what its headers commit to.

A header's hash is recomputed when it is fetched, so its bloom and its receipts root are the chain's own. A block whose bloom
excludes all that is followed has none of it, and nothing more is asked. Of any other block the receipts are asked for; once
they have the header's root, the followed logs in them are the block's, and those are recorded, whatever `eth_getLogs` said.

Receipts and headers cost: they are of everything in the block, and of every block. So of the past two endpoints that agree
are enough. Where one of the two has no answer, receipts stand in for it, at their cost: otherwise whoever leaves a log out had
only to wait for the other's bad moment. One endpoint whose logs the blooms do not contradict is what is left where the pool
has no other, and where nobody serves receipts.
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
"""A full block's receipts are hundreds of kilobytes."""
_HEADERS_AT_ONCE: Final = 100
"""With the hashes of its transactions a full block's header is ten kilobytes and more."""


@dataclass(frozen=True, slots=True)
class ProofResult:
    """How the range is proven, and the range with the logs that are so. `receipt_block_count` counts the blocks that were asked for."""

    level: ProofLevel
    fetched: BlockRange
    receipt_block_count: int = 0
    faults: tuple[EndpointFault, ...] = ()


Prover = Callable[[Rpc, BlockRange, TrackedContracts], Awaitable[ProofResult]]


async def prove(rpc: Rpc, fetched: BlockRange, tracked: TrackedContracts) -> ProofResult:
    """Prove a range whose headers are all there by receipts, and where nobody serves those, as a stretch.

    `followed` is what is followed at the range's end. Another endpoint of the pool is asked where `rpc`, one endpoint of it,
    does not have receipts, or has wrong ones.

    Raises:
        InvalidResponse: receipts are wrong and nobody has right ones.
        InconsistentResponse: the node does not have the receipts yet, or two endpoints differ and receipts cannot settle it.
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
    """Prove a stretch of the past, whose headers are not all there: another endpoint must give the same logs, and receipts
    settle where it does not or has no answer. Where the pool has no other, its logs must be within the blooms of their blocks.

    Raises as `prove`.
    """
    fetched, faults = _within_blooms(rpc, fetched)
    second = rpc.excluding(rpc.endpoint)
    if second is None:
        return ProofResult(ProofLevel.CHAINED, fetched, faults=faults)
    return await _by_agreement(rpc, second, fetched, tracked, faults)


def candidate_blocks(headers: Iterable[Header], log_filter: LogFilter) -> list[Header]:
    """The blocks that may have wanted logs, as far as their blooms tell."""
    return [each for each in headers if log_filter.may_match_bloom(each.stamp.number, each.logs_bloom)]


async def proven_logs(rpc: Rpc, blocks: Sequence[Header], log_filter: LogFilter) -> tuple[list[ChainLog], list[EndpointFault]]:
    """The wanted logs of these blocks by their receipts, from the first endpoint that has right ones; who had wrong ones.

    Raises:
        ReceiptsNotServed: nobody serves receipts.
        InvalidResponse: nobody has right ones.
        InconsistentResponse, RpcUnavailable, RpcError.
    """
    invalid_responses: list[InvalidResponse] = []
    not_served: Exception | None = None
    for endpoint in (rpc, rpc.excluding(rpc.endpoint)):
        if endpoint is None:
            continue
        try:
            node = await endpoint.preferred()
            return await _fetch_checked_logs(node, blocks, log_filter), [each.fault for each in invalid_responses]
        except InvalidResponse as lie:
            invalid_responses.append(lie)
        except ReceiptsNotServed as error:
            not_served = not_served or error
        except (RpcUnavailable, RpcError):
            if endpoint is rpc:
                raise
    raise next(iter(invalid_responses), not_served) or InconsistentResponse(
        f"no endpoint has receipts of block {blocks[0].stamp}"
    )


async def _fetch_checked_logs(rpc: Rpc, blocks: Sequence[Header], log_filter: LogFilter) -> list[ChainLog]:
    """A few blocks at a time: of all the receipts only the wanted logs are kept."""
    found: list[ChainLog] = []
    for start in range(0, len(blocks), _BLOCKS_PER_REQUEST):
        chunk = blocks[start : start + _BLOCKS_PER_REQUEST]
        answers = await read_block_receipts(rpc, [(each.stamp.number, each.transactions) for each in chunk])
        for header, receipts in zip(chunk, answers, strict=True):
            if receipts is None:
                raise InconsistentResponse(f"{rpc.endpoint} does not have the receipts of block {header.stamp} yet")
            found += _logs_of(rpc, header, receipts, log_filter)
    return found


def _logs_of(rpc: Rpc, header: Header, receipts: Sequence[ReceiptJson], log_filter: LogFilter) -> list[ChainLog]:
    """The block's wanted logs, once its receipts have the header's root."""
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
        if [each["transactionHash"] for each in receipts] != [*header.transactions]:
            raise InvalidResponse(
                rpc.endpoint, InvalidResponseKind.WRONG_RECEIPTS, block, "its receipts are not of the block's transactions"
            )
        return [
            ChainLog(block, each.log_index, each.tx_hash, each.tx_index, each.address, each.topics, each.data)
            for each in logs
            if log_filter.matches(block.number, each.address, each.topics)
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidResponse(
            rpc.endpoint, InvalidResponseKind.WRONG_RECEIPTS, block, f"its receipts do not read: {error!r}"
        ) from error


def _within_blooms(rpc: Rpc, fetched: BlockRange) -> tuple[BlockRange, tuple[EndpointFault, ...]]:
    """Without the logs that their own block's bloom excludes: those were never emitted there."""
    blooms = {each.stamp.number: each.logs_bloom for each in fetched.headers}
    forged = [each for each in fetched.logs if excludes(blooms[each.block.number], bloom_of(each.address, *each.topics[:1]))]
    if not forged:
        return fetched, ()
    kept = tuple(each for each in fetched.logs if each not in forged)
    return BlockRange(fetched.headers, kept), tuple(
        _fault(rpc.endpoint, InvalidResponseKind.FORGED_LOG, each) for each in forged
    )


async def _by_agreement(
    rpc: Rpc, second: Rpc, fetched: BlockRange, tracked: TrackedContracts, faults: tuple[EndpointFault, ...]
) -> ProofResult:
    """What two endpoints say alike; of blocks in which they differ, what the receipts say."""
    first, last = fetched.first, fetched.last.number
    try:
        other = await second.at_height(last).preferred()
        others = await fetch_segment(other, first, last, log_queries(tracked, first, last))
    except (RpcUnavailable, RpcError, InconsistentResponse) as error:
        log.warning("proof.second_endpoint_failed", reason=str(error), block=last)
        lie = (error.fault,) if isinstance(error, InvalidResponse) else ()
        return await _by_receipts(rpc, fetched, tracked, (*faults, *lie))
    numbers = {each.block.number for each in set(others.logs) ^ set(fetched.logs)}
    known, theirs = await _headers_with(rpc, fetched, numbers), await _headers_with(other, others, numbers)
    for number in sorted({last, *numbers}):
        # Nothing chains such a header to those before it: one endpoint alone could make it up, and receipts to go with it.
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
        new_faults += find_log_faults(endpoint, [each for each in given if each.block.number in numbers], proven)
    undisputed = tuple(each for each in fetched.logs if each.block.number not in numbers)
    settled = BlockRange(tuple(known[number] for number in sorted(known)), undisputed)
    return ProofResult(ProofLevel.AGREED, settled.with_logs(proven), len(disputed), (*faults, *new_faults))


async def _headers_with(rpc: Rpc, fetched: BlockRange, numbers: Set[int]) -> dict[int, Header]:
    """The range's headers by number, those of these blocks among them."""
    known = {each.stamp.number: each for each in fetched.headers}
    return known | {each.stamp.number: each for each in await fetch_headers(rpc, sorted(numbers - known.keys()))}


async def _by_receipts(
    rpc: Rpc, fetched: BlockRange, tracked: TrackedContracts, faults: tuple[EndpointFault, ...]
) -> ProofResult:
    """What the receipts say of a stretch, for which every header is asked for after all; nothing more than the stretch's own
    where nobody serves them.
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
            logs, invalid_responses = await proven_logs(rpc, candidates, log_filter)
        except ReceiptsNotServed as not_served:
            log.warning("proof.receipts_not_served", reason=str(not_served), block=last)
            return ProofResult(ProofLevel.CHAINED, fetched, faults=faults)
        headers += [replace(each, transactions=()) for each in page]
        proven, new_faults, receipt_block_count = (
            proven + logs,
            new_faults + invalid_responses,
            receipt_block_count + len(candidates),
        )
    new_faults += find_log_faults(rpc.endpoint, fetched.logs, proven)
    return ProofResult(
        ProofLevel.RECEIPTS, BlockRange(tuple(headers), tuple(proven)), receipt_block_count, (*faults, *new_faults)
    )


def find_log_faults(endpoint: str, given: Iterable[ChainLog], proven: Iterable[ChainLog]) -> list[EndpointFault]:
    """Every log in which what was given is not what is proven."""
    given_logs = {(each.block.number, each.log_index): each for each in given}
    true = {(each.block.number, each.log_index): each for each in proven}
    found: list[EndpointFault] = []
    for place in sorted(given_logs.keys() | true.keys()):
        if place not in given_logs:
            found.append(_fault(endpoint, InvalidResponseKind.OMITTED_LOG, true[place]))
        elif place not in true:
            found.append(_fault(endpoint, InvalidResponseKind.FORGED_LOG, given_logs[place]))
        elif given_logs[place] != true[place]:
            found.append(_fault(endpoint, InvalidResponseKind.CHANGED_LOG, given_logs[place]))
    return found


_DESCRIPTIONS: Final = {
    InvalidResponseKind.OMITTED_LOG: "was left out",
    InvalidResponseKind.FORGED_LOG: "is not in the block",
    InvalidResponseKind.CHANGED_LOG: "is otherwise in the block",
}


def _fault(endpoint: str, lie: InvalidResponseKind, log: ChainLog) -> EndpointFault:
    description = f"log {log.log_index} of {checksum(log.address)} {_DESCRIPTIONS[lie]}"
    return EndpointFault(endpoint, lie, log.block.number, description)
