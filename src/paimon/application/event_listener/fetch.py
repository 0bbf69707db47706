"""A range of blocks as one consistent answer: headers chained by parent hash, every log inside one of those blocks."""

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


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


async def fetch_range(rpc: Rpc, addresses: list[Address], first: int, last: int) -> Range:
    """Blocks `first` to `last` and the logs of `addresses` in them.

    Raises:
        InconsistentAnswer: headers do not chain, or a log lies in a block that is not one of them.
        RpcUnavailable, RpcError.
    """
    numbers = range(first, last + 1)
    raw_headers = await rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
    if any(header is None for header in raw_headers):
        raise InconsistentAnswer(f"the node does not have all of blocks {first} to {last} yet")
    headers = tuple(Header(block_stamp(each), Hash32(_bytes(each["parentHash"]))) for each in raw_headers)
    for earlier, later in pairwise(headers):
        if later.parent_hash != earlier.stamp.hash:
            raise InconsistentAnswer(f"block {later.stamp} does not follow {earlier.stamp}")
    query = {"fromBlock": hex(first), "toBlock": hex(last), "address": [checksum(each) for each in addresses]}
    raw_logs = await rpc.call("eth_getLogs", [query])
    stamps = {header.stamp.hash: header.stamp for header in headers}
    logs = sorted((_log(each, stamps) for each in raw_logs), key=lambda log: (log.block.number, log.log_index))
    return Range(headers, tuple(logs))


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


def shown(block: BlockStamp) -> dict[str, str | int]:
    """Log fields that name a block."""
    return {"block": block.number, "block_hash": hex0x(block.hash)}
