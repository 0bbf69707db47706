"""A range of blocks as one consistent answer: headers chained by parent hash, every log inside one of those blocks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from paimon.domain.chain import Address, BlockStamp, Hash32, checksum, hex0x
from paimon.infrastructure.blockchain.finality import block_stamp
from paimon.infrastructure.blockchain.rpc import Rpc


class InconsistentAnswer(Exception):
    """The node's answers do not fit together, as when it switched forks between two requests; ask again."""


@dataclass(frozen=True, slots=True)
class Header:
    stamp: BlockStamp
    parent_hash: Hash32


@dataclass(frozen=True, slots=True)
class ChainLog:
    """One log as the node gave it."""

    block: BlockStamp
    log_index: int
    tx_hash: Hash32
    tx_index: int
    address: Address
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Range:
    """Consecutive blocks, oldest first, with all logs of the followed contracts in chain order."""

    headers: tuple[Header, ...]
    logs: tuple[ChainLog, ...]

    @property
    def parent_hash(self) -> Hash32:
        return self.headers[0].parent_hash

    @property
    def last(self) -> BlockStamp:
        return self.headers[-1].stamp

    def at_most(self, logs_max: int) -> "Range":
        """The leading blocks that hold no more logs than this together; at least one block, however many it holds."""
        if len(self.logs) <= logs_max:
            return self
        first_too_many = self.logs[logs_max].block
        kept = tuple(header for header in self.headers if header.stamp.number < first_too_many.number) or self.headers[:1]
        last = kept[-1].stamp.number
        return Range(kept, tuple(log for log in self.logs if log.block.number <= last))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


async def fetch_range(rpc: Rpc, addresses: list[Address], first: int, last: int) -> Range:
    """Blocks `first` to `last` and the logs of `addresses` in them.

    Raises:
        InconsistentAnswer: headers do not chain or are not those asked for, or a log is not of these blocks and addresses.
        RpcUnavailable, RpcError.
    """
    numbers = range(first, last + 1)
    raw_headers = await rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
    if any(header is None for header in raw_headers):
        raise InconsistentAnswer(f"the node does not have all of blocks {first} to {last} yet")
    query = {"fromBlock": hex(first), "toBlock": hex(last), "address": [checksum(each) for each in addresses]}
    raw_logs = await rpc.call("eth_getLogs", [query])
    try:
        headers = tuple(_header(each, number) for each, number in zip(raw_headers, numbers, strict=True))
        stamps = {header.stamp.hash: header.stamp for header in headers}
        logs = sorted((_log(each, stamps) for each in raw_logs), key=lambda log: (log.block.number, log.log_index))
    except (KeyError, TypeError, ValueError) as error:
        raise InconsistentAnswer(f"what the node gives for blocks {first} to {last} does not read: {error!r}") from error
    _require_chained(headers)
    _require_asked_for(logs, frozenset(addresses))
    return Range(headers, tuple(logs))


def _header(raw: dict[str, Any], number: int) -> Header:
    header = Header(block_stamp(raw), Hash32(_bytes(raw["parentHash"])))
    if header.stamp.number != number:
        raise InconsistentAnswer(f"asked for block {number}, the node gave {header.stamp}")
    return header


def _log(raw: dict[str, Any], stamps: dict[Hash32, BlockStamp]) -> ChainLog:
    block = stamps.get(Hash32(_bytes(raw["blockHash"])))
    if block is None or raw.get("removed"):
        raise InconsistentAnswer(f"a log lies in block {raw['blockHash'][:10]}, which is none of the range's headers")
    return ChainLog(
        block=block,
        log_index=int(raw["logIndex"], 16),
        tx_hash=Hash32(_bytes(raw["transactionHash"])),
        tx_index=int(raw["transactionIndex"], 16),
        address=Address(_bytes(raw["address"])),
        topics=tuple(_bytes(topic) for topic in raw["topics"]),
        data=_bytes(raw["data"]),
    )


def _require_chained(headers: Iterable[Header]) -> None:
    for earlier, later in pairwise(headers):
        if later.parent_hash != earlier.stamp.hash:
            raise InconsistentAnswer(f"block {later.stamp} does not follow {earlier.stamp}")


def _require_asked_for(logs: Sequence[ChainLog], addresses: frozenset[Address]) -> None:
    for log in logs:
        if log.address not in addresses:
            raise InconsistentAnswer(f"a log of {checksum(log.address)} in block {log.block}, which was not asked for")
    for earlier, later in pairwise(logs):
        if (earlier.block, earlier.log_index) == (later.block, later.log_index):
            raise InconsistentAnswer(f"log {later.log_index} of block {later.block} was given twice")


def shown(block: BlockStamp) -> dict[str, str | int]:
    """Log fields that name a block."""
    return {"block": block.number, "block_hash": hex0x(block.hash)}
