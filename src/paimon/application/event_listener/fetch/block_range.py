"""Fetch a range of blocks as one consistent value.

Every header hashes to its stated hash, neighbours are chained by parent hash, and every log is in one of the blocks.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from paimon.application.event_listener.fetch.log_filter import LogQuery
from paimon.domain.chain.range_proof import InvalidResponseKind
from paimon.domain.kernel.chain import Address, BlockStamp, Hash32, checksum, hex0x
from paimon.infrastructure.blockchain.finality import block_stamp
from paimon.infrastructure.blockchain.proof.headers import header_hash
from paimon.infrastructure.blockchain.rpc.endpoint import Request
from paimon.infrastructure.blockchain.rpc.errors import RpcError
from paimon.infrastructure.blockchain.rpc.log_ranges import fetch_in_ranges
from paimon.infrastructure.blockchain.rpc.pool import Rpc


class InconsistentResponse(Exception):
    """The node's answers contradict each other, as when it switched forks between two requests: the fetch is repeated."""


class InvalidResponse(InconsistentResponse):
    """An answer that the chain itself contradicts. It is never recorded; it counts as a fault, and the fetch is repeated."""

    def __init__(self, endpoint: str, kind: InvalidResponseKind, block: BlockStamp, description: str) -> None:
        super().__init__(f"{endpoint}, block {block}: {description}")
        self.fault = EndpointFault(endpoint, kind, block.number, description)


class EndpointFault(NamedTuple):
    """One invalid response of an endpoint."""

    endpoint: str
    kind: InvalidResponseKind
    block_number: int
    description: str


@dataclass(frozen=True, slots=True)
class Header:
    """A block's position, and what its hash commits to about its logs. `transactions` are hashes as the node wrote them."""

    stamp: BlockStamp
    parent_hash: Hash32
    logs_bloom: int
    receipts_root: Hash32
    transactions: Sequence[str] = field(compare=False)


class ChainLog(NamedTuple):
    """One log as the node returned it."""

    block: BlockStamp
    log_index: int
    tx_hash: Hash32
    tx_index: int
    address: Address
    topics: tuple[bytes, ...]
    data: bytes


class Link(NamedTuple):
    """A block's number and its parent's hash."""

    number: int
    parent_hash: Hash32


@dataclass(frozen=True, slots=True)
class BlockRange:
    """Consecutive blocks, oldest first, with all logs of the tracked contracts in chain order.

    Near the head a range has every header. A segment of the past has the headers of its first and last block and of the
    blocks with logs. `opening` is the start of a piece that lacks its first block's header.
    """

    headers: tuple[Header, ...]
    logs: tuple[ChainLog, ...]
    opening: Link | None = None

    @property
    def first(self) -> int:
        return self._link.number

    @property
    def parent_hash(self) -> Hash32:
        return self._link.parent_hash

    @property
    def last(self) -> BlockStamp:
        return self.headers[-1].stamp

    @property
    def _link(self) -> Link:
        return self.opening or Link(self.headers[0].stamp.number, self.headers[0].parent_hash)

    def with_logs(self, more: Iterable[ChainLog]) -> "BlockRange":
        """Return the range with more logs, whose headers it must have."""
        return BlockRange(self.headers, _in_chain_order((*self.logs, *more)), self.opening)

    def before(self, number: int) -> "BlockRange":
        """Return the leading blocks before this one, as far as the range has their headers; at least one block."""
        count = sum(header.stamp.number < number for header in self.headers) or 1
        last = self.headers[count - 1].stamp.number
        return BlockRange(self.headers[:count], tuple(log for log in self.logs if log.block.number <= last), self.opening)

    def pieces(self, logs_max: int) -> Iterator["BlockRange"]:
        """Split the range into parts of at most `logs_max` logs. A part has at least one block, however many logs that has."""
        rest = self
        while len(rest.logs) > logs_max:
            piece = rest.before(rest.logs[logs_max].block.number)
            yield piece
            if not (headers := rest.headers[len(piece.headers) :]):
                return
            rest = BlockRange(headers, rest.logs[len(piece.logs) :], Link(piece.last.number + 1, piece.last.hash))
        yield rest


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


async def fetch_range(rpc: Rpc, first: int, last: int, queries: Sequence[LogQuery]) -> BlockRange:
    """Fetch blocks `first` to `last` and the logs that `queries` find in them.

    Raises:
        InvalidResponse: a header does not have its stated hash.
        InconsistentResponse: headers do not chain or are not the requested ones, or a log is not of these blocks or was not
            requested.
        RpcUnavailable, RpcError.
    """
    return await fetch_additional_logs(rpc, BlockRange(await fetch_headers(rpc, range(first, last + 1)), ()), queries)


async def fetch_headers(rpc: Rpc, numbers: Sequence[int]) -> tuple[Header, ...]:
    """Fetch these headers, in ascending order, and check hashes and the links between neighbours. Raises as `fetch_range`."""
    if not numbers:
        return ()
    return _headers(rpc, numbers, await rpc.at_height(numbers[-1]).batch([_by_number(number) for number in numbers]))


async def fetch_additional_logs(rpc: Rpc, fetched: BlockRange, queries: Sequence[LogQuery]) -> BlockRange:
    """Add the logs that these queries find in the range, which must have all its headers.

    Raises:
        InconsistentResponse: a log is not of these blocks, was not requested, or was returned twice.
        RpcUnavailable, RpcError.
    """
    if not queries:
        return fetched
    stamps = _by_hash(fetched.headers)
    hashes = {header.stamp.number: header.stamp.hash for header in fetched.headers}

    async def piece(first: int, last: int) -> list[ChainLog]:
        requested = [query.within(first, last) for query in queries if query.first <= last and query.last >= first]
        # The same request asks for the last block's header: a node that lags silently omits the logs of blocks it does not
        # have yet, and a node on another fork returns that fork's logs. Source: unindexedLogs in BSC's eth/filters/filter.go.
        header, *answers = await rpc.at_height(last).batch([_by_number(last), *(query.request for query in requested)])
        if header is None or header.get("hash") != hex0x(hashes[last]):
            raise InconsistentResponse(
                f"the node that returned the logs of {first} to {last} has another block {last}, or none"
            )
        return [log for query, raw_logs in zip(requested, answers, strict=True) for log in _logs(query, raw_logs, stamps)]

    first, last = min(query.first for query in queries), max(query.last for query in queries)
    return fetched.with_logs(await fetch_in_ranges(rpc.at_height(last), first, last, piece))


async def fetch_segment(rpc: Rpc, first: int, last: int, queries: Sequence[LogQuery]) -> BlockRange:
    """Fetch the logs that these queries find in blocks `first` to `last`, which have long been final.

    Only the headers of the first and the last block and of blocks with logs are fetched.

    Raises:
        InvalidResponse, InconsistentResponse: as `fetch_range`; only neighbouring headers are checked against each other.
        RpcUnavailable, RpcError.
    """

    async def piece(begin: int, end: int) -> list[BlockRange]:
        requested = [query.within(begin, end) for query in queries if query.first <= end and query.last >= begin]
        ends = [begin, end]
        opening, closing, *answers = await rpc.at_height(end).batch(
            [*(_by_number(number) for number in ends), *(query.request for query in requested)]
        )
        try:
            between = {int(raw["blockNumber"], 16) for raw_logs in answers for raw in raw_logs}.difference(ends)
        except (KeyError, TypeError, ValueError) as error:
            raise InconsistentResponse(f"the node's logs of {begin} to {end} do not read: {error!r}") from error
        if between and not begin < min(between) <= max(between) < end:
            raise InconsistentResponse(f"a log is in none of blocks {begin} to {end}")
        known = {begin: opening, end: closing}
        known |= zip(between, await rpc.at_height(end).batch([_by_number(number) for number in between]), strict=True)
        numbers = sorted(known)
        headers = _headers(rpc, numbers, [known[number] for number in numbers])
        stamps = _by_hash(headers)
        logs = [log for query, raw_logs in zip(requested, answers, strict=True) for log in _logs(query, raw_logs, stamps)]
        return [BlockRange(headers, _in_chain_order(logs))]

    pieces = await fetch_in_ranges(rpc.at_height(last), first, last, piece)
    headers = tuple(header for part in pieces for header in part.headers)
    _require_chained(headers)
    return BlockRange(headers, tuple(log for part in pieces for log in part.logs))


async def fetch_header(rpc: Rpc, number: int) -> Header | None:
    """Fetch one header and check its hash; None when the chain is shorter.

    Raises:
        InvalidResponse, InconsistentResponse, RpcUnavailable, RpcError.
    """
    node = await rpc.at_height(number).preferred()
    method, params = _by_number(number)
    header = await node.call(method, params)
    return None if header is None else _headers(node, [number], [header])[0]


def _by_number(number: int) -> Request:
    return ("eth_getBlockByNumber", [hex(number), False])


def _headers(rpc: Rpc, numbers: Sequence[int], raw_headers: Sequence[Any]) -> tuple[Header, ...]:
    requested = f"blocks {numbers[0]} to {numbers[-1]}"
    if any(header is None for header in raw_headers):
        raise InconsistentResponse(f"the node does not have all of {requested} yet")
    try:
        headers = tuple(_header(rpc, raw, number) for raw, number in zip(raw_headers, numbers, strict=True))
    except (KeyError, TypeError, ValueError, AttributeError, RpcError) as error:
        raise InconsistentResponse(f"the node's headers of {requested} do not read: {error!r}") from error
    _require_chained(headers)
    return headers


def _by_hash(headers: Iterable[Header]) -> dict[str, BlockStamp]:
    """Return the blocks by hash, as nodes write it: every log names its block so."""
    return {hex0x(header.stamp.hash): header.stamp for header in headers}


def _logs(query: LogQuery, raw_logs: Any, stamps: dict[str, BlockStamp]) -> list[ChainLog]:
    try:
        logs = [_log(raw, stamps) for raw in raw_logs]
    except (KeyError, TypeError, ValueError) as error:
        raise InconsistentResponse(f"the node's logs of {query.first} to {query.last} do not read: {error!r}") from error
    _require_requested(logs, query)
    return logs if len(query.topics) < 3 else [log for log in logs if not _is_self_transfer(log)]


def _is_self_transfer(transfer: ChainLog) -> bool:
    """Return whether the vault transferred to itself: both queries find such a log, and the first one keeps it."""
    return transfer.topics[1] == transfer.topics[2]


def _header(rpc: Rpc, raw: dict[str, Any], number: int) -> Header:
    stamp = block_stamp(raw)
    if stamp.number != number:
        raise InconsistentResponse(f"block {number} was requested, the node returned {stamp}")
    if (found := header_hash(raw)) != stamp.hash:
        raise InvalidResponse(
            rpc.endpoint,
            InvalidResponseKind.WRONG_HEADER,
            stamp,
            f"the header hashes to {hex0x(found)[:10]}: it was changed, or a fork added a header field that this version lacks",
        )
    return Header(
        stamp=stamp,
        parent_hash=Hash32(_bytes(raw["parentHash"])),
        logs_bloom=int(raw["logsBloom"], 16),
        receipts_root=Hash32(_bytes(raw["receiptsRoot"])),
        transactions=raw["transactions"],
    )


def _log(raw: dict[str, Any], stamps: dict[str, BlockStamp]) -> ChainLog:
    block = stamps.get(raw["blockHash"])
    if block is None or raw.get("removed"):
        raise InconsistentResponse(f"a log is in block {raw['blockHash'][:10]}, which is none of the range's headers")
    return ChainLog(
        block,
        int(raw["logIndex"], 16),
        Hash32(_cached_bytes(raw["transactionHash"])),
        int(raw["transactionIndex"], 16),
        Address(_cached_bytes(raw["address"])),
        tuple(map(_cached_bytes, raw["topics"])),
        _bytes(raw["data"]),
    )


@lru_cache(maxsize=16_384)
def _cached_bytes(text: str) -> bytes:
    """Decode hex and cache it: logs repeat the same contracts, transactions, events and holders."""
    return bytes.fromhex(text[2:])


def _require_chained(headers: Iterable[Header]) -> None:
    for earlier, later in pairwise(headers):
        if later.stamp.number == earlier.stamp.number + 1 and later.parent_hash != earlier.stamp.hash:
            raise InconsistentResponse(f"block {later.stamp} does not follow {earlier.stamp}")


def _require_requested(logs: Sequence[ChainLog], query: LogQuery) -> None:
    for log in logs:
        if not query.matches(log.address, log.topics):
            raise InconsistentResponse(f"a log of {checksum(log.address)} in block {log.block}, which was not requested")


def _in_chain_order(logs: Iterable[ChainLog]) -> tuple[ChainLog, ...]:
    ordered = sorted(logs, key=lambda log: (log.block.number, log.log_index))
    for earlier, later in pairwise(ordered):
        if (earlier.block, earlier.log_index) == (later.block, later.log_index):
            raise InconsistentResponse(f"log {later.log_index} of block {later.block} was returned twice")
    return tuple(ordered)
