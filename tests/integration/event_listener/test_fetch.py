"""A fetched range of blocks is consistent, or the fetch fails: inconsistent answers are never recorded."""

from collections.abc import AsyncIterator, Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.chain.stub_chain import StubChain
from tests.support.chain.stub_node import StubNode, stub_node
from tests.support.factories.headers import bare_header
from tests.support.factories.strategies import address, stamp

from paimon.application.event_listener.fetch.block_range import BlockRange, ChainLog, InconsistentResponse, fetch_range
from paimon.application.event_listener.fetch.log_filter import LogQuery
from paimon.domain.kernel.chain import Hash32, hex0x
from paimon.infrastructure.blockchain.contracts.fund import FundAddresses
from paimon.infrastructure.blockchain.proof.headers import header_hash
from paimon.infrastructure.blockchain.rpc.pool import Rpc

pytestmark = pytest.mark.integration

FUND = FundAddresses(address(1), address(2), address(3))
TRACKED = frozenset(FUND.names())


@pytest.fixture
def chain() -> StubChain:
    chain = StubChain(head=12)
    for block in (3, 5, 5, 8):
        chain.emit(block, FUND.vault, [b"\x11" * 32])
    return chain


@pytest.fixture
async def node(chain: StubChain) -> AsyncIterator[StubNode]:
    async with stub_node() as opened:
        chain.serve(opened)
        yield opened


@pytest.fixture
async def rpc(node: StubNode) -> AsyncIterator[Rpc]:
    async with Rpc(node.url, timeout_seconds=5, attempts_max=1) as opened:
        yield opened


async def test_fetch_range_returns_chained_headers_and_ordered_logs(chain: StubChain, rpc: Rpc) -> None:
    chain.logs.reverse()
    found = await fetch_range(rpc, 2, 9, [LogQuery(TRACKED, 2, 9)])
    assert [header.stamp for header in found.headers] == [chain.stamp(number) for number in range(2, 10)]
    assert found.parent_hash == chain.stamp(1).hash
    assert found.last == chain.stamp(9)
    assert [(log.block.number, log.log_index) for log in found.logs] == [(3, 0), (5, 0), (5, 1), (8, 0)]


def foreign_hash(number: int) -> str:
    return hex0x(Hash32(bytes([0xEE]) + number.to_bytes(31, "big")))


def set_other_parent(chain: StubChain, number: int) -> None:
    """Give the block another parent and a correct hash: only the links to its neighbours contradict it."""
    header = chain.headers[number] | {"parentHash": foreign_hash(number - 1)}
    chain.headers[number] = header | {"hash": hex0x(header_hash(header))}


INCONSISTENCIES: dict[str, Callable[[StubChain], object]] = {
    "a block is missing": lambda chain: chain.headers.pop(5),
    "the last block is missing": lambda chain: chain.headers.pop(9),
    "a header does not follow": lambda chain: chain.headers[6].update(parentHash=foreign_hash(5)),
    "a whole header is of another fork": lambda chain: set_other_parent(chain, 6),
    "a header is of another fork": lambda chain: chain.headers[6].update(hash=foreign_hash(6)),
    "another block is returned": lambda chain: chain.headers[4].update(number=hex(40)),
    "a header has no hash": lambda chain: chain.headers[4].update(hash=None),
    "a header is text": lambda chain: chain.headers.update({4: "0x4"}),  # type: ignore[dict-item]
    "a header is cut off": lambda chain: chain.headers[4].pop("parentHash"),
    "a header was changed": lambda chain: chain.headers[4].update(receiptsRoot=foreign_hash(4)),
    "a log is of another fork": lambda chain: chain.logs[0].update(blockHash=foreign_hash(3)),
    "a log is of a block outside": lambda chain: chain.logs[0].update(blockHash=hex0x(chain.stamp(11).hash)),
    "a log was removed": lambda chain: chain.logs[0].update(removed=True),
    "a log is pending": lambda chain: chain.logs[0].update(blockHash=None),
    "a log has no index": lambda chain: chain.logs[0].pop("logIndex"),
    "a log is of another contract": lambda chain: chain.emit(4, address(9), [b"\x11" * 32], unrequested=True),
    "a log is returned twice": lambda chain: chain.logs.append(dict(chain.logs[0])),
}


@pytest.mark.parametrize("inconsistency", INCONSISTENCIES)
async def test_fetch_range_rejects_inconsistent_answers(chain: StubChain, rpc: Rpc, inconsistency: str) -> None:
    INCONSISTENCIES[inconsistency](chain)
    with pytest.raises(InconsistentResponse):
        await fetch_range(rpc, 2, 9, [LogQuery(TRACKED, 2, 9)])


@given(st.lists(st.integers(0, 4), min_size=1, max_size=10), st.integers(1, 8))
def test_block_range_splits_between_blocks_and_loses_nothing(logs_of_blocks: list[int], logs_max: int) -> None:
    headers = tuple(bare_header(number) for number in range(len(logs_of_blocks)))
    logs = tuple(
        ChainLog(stamp(number), index, Hash32(bytes(32)), 0, FUND.vault, (), b"")
        for number, count in enumerate(logs_of_blocks)
        for index in range(count)
    )
    pieces = list(BlockRange(headers, logs).pieces(logs_max))
    assert [header for piece in pieces for header in piece.headers] == list(headers)
    assert [log for piece in pieces for log in piece.logs] == list(logs)
    assert [piece.first for piece in pieces[1:]] == [piece.last.number + 1 for piece in pieces[:-1]]
    assert [piece.parent_hash for piece in pieces[1:]] == [piece.last.hash for piece in pieces[:-1]]
    for piece, following in pairwise([*pieces, None]):
        assert piece is not None
        assert all(log.block <= piece.last for log in piece.logs)
        assert len(piece.logs) <= logs_max or len(piece.headers) == 1
        if following is not None:  # the next piece's first block would not have fitted
            next_block = sum(log.block == following.headers[0].stamp for log in following.logs)
            assert len(piece.logs) + next_block > logs_max
