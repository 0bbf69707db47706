"""Logs of more blocks than a provider returns at once: every log is fetched once, at any provider's cap and error."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from tests.support.chain.stub_chain import StubChain
from tests.support.chain.stub_node import NodeError, StubNode, stub_node
from tests.support.factories.strategies import address

from paimon.application.event_listener.fetch.block_range import BlockRange, InconsistentResponse, fetch_range
from paimon.application.event_listener.fetch.log_filter import LogQuery
from paimon.infrastructure.blockchain.contracts.fund import FundAddresses
from paimon.infrastructure.blockchain.rpc import pool as pool_module
from paimon.infrastructure.blockchain.rpc.errors import RpcError
from paimon.infrastructure.blockchain.rpc.pool import Rpc

pytestmark = pytest.mark.integration

FUND = FundAddresses(address(1), address(2), address(3))
TRACKED = list(FUND.names())
LAST = 60
BLOCKS_WITH_LOGS = (2, 3, 17, 17, 17, 18, 40, 41, 60)


@pytest.fixture(autouse=True)
def _no_maintenance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(pool_module, "_MAINTENANCE_SECONDS", 3_600)


@pytest.fixture
def chain() -> StubChain:
    chain = StubChain(head=LAST)
    for block in BLOCKS_WITH_LOGS:
        chain.emit(block, FUND.vault, [b"\x11" * 32])
    return chain


@pytest.fixture
async def nodes(chain: StubChain) -> AsyncIterator[list[StubNode]]:
    """Three nodes of one chain."""
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(stub_node()) for _ in range(3)]
        for node in opened:
            chain.serve(node)
        yield opened


def pool(*nodes: StubNode, attempts_max: int = 3) -> Rpc:
    return Rpc(*(node.url for node in nodes), timeout_seconds=5, attempts_max=attempts_max)


Limit = Callable[[int, int, int], None]
"""Raise the provider's error, given a range's first and last block and its number of logs."""


def apply_limit(node: StubNode, limit: Limit) -> None:
    answer = node.methods["eth_getLogs"]

    def get_logs(params: list[Any]) -> Any:
        logs = answer(params)
        limit(int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16), len(logs))
        return logs

    node.methods["eth_getLogs"] = get_logs


def blocks_at_most(cap: int, code: int, message: str) -> Limit:
    def limit(first: int, last: int, _logs: int) -> None:
        if last - first + 1 > cap:
            raise NodeError(code, message.format(first=hex(first), last=hex(first + cap - 1), cap=cap))

    return limit


def logs_at_most(cap: int, code: int, message: str) -> Limit:
    def limit(_first: int, _last: int, logs: int) -> None:
        if logs > cap:
            raise NodeError(code, message)

    return limit


def requested_ranges(node: StubNode) -> list[int]:
    queries = (params[0] for method, params in node.received if method == "eth_getLogs")
    return [int(query["toBlock"], 16) - int(query["fromBlock"], 16) + 1 for query in queries]


def is_whole(found: BlockRange) -> bool:
    return [log.block.number for log in found.logs] == list(BLOCKS_WITH_LOGS) and found.last.number == LAST


NAMED = {
    "geth-bsc": (-32000, "exceed maximum block range: {cap}"),
    "quicknode": (-32614, "eth_getLogs is limited to a {cap} range"),
    "alchemy": (-32600, "up to a {cap} block range. Based on your parameters, this block range should work: [{first}, {last}]"),
    "erigon": (-32000, "query block range exceeds server limit, narrow your filter: {cap}"),
    "infura": (-32602, "range 1000000 exceeds limit of {cap}"),
}


@pytest.mark.parametrize("provider", NAMED)
async def test_named_range_cap_is_learned_at_the_first_rejection(nodes: list[StubNode], provider: str) -> None:
    apply_limit(nodes[0], blocks_at_most(25, *NAMED[provider]))
    async with pool(nodes[0]) as rpc:
        assert is_whole(await fetch_range(rpc, 1, LAST, [LogQuery(frozenset(TRACKED), 1, LAST)]))
        assert requested_ranges(nodes[0]) == [60, 25, 25, 10]
        nodes[0].received.clear()
        assert is_whole(await fetch_range(rpc, 1, LAST, [LogQuery(frozenset(TRACKED), 1, LAST)]))
        assert requested_ranges(nodes[0]) == [25, 25, 10]
        assert rpc.endpoints()[0].range_blocks == 25


@pytest.mark.parametrize("message", ["block range is too wide", "Block range limit exceeded. See more details at https://…"])
async def test_unnamed_range_cap_is_found_by_halving_and_kept(nodes: list[StubNode], message: str) -> None:
    apply_limit(nodes[0], blocks_at_most(25, -32602, message))
    async with pool(nodes[0]) as rpc:
        for _ in range(3):
            assert is_whole(await fetch_range(rpc, 1, LAST, [LogQuery(frozenset(TRACKED), 1, LAST)]))
    assert requested_ranges(nodes[0]) == [60, 30, *[15] * 4 * 3]


async def test_range_with_too_many_results_is_split_and_grows_back(nodes: list[StubNode]) -> None:
    apply_limit(nodes[0], logs_at_most(3, -32005, "query returned more than 3 results"))
    async with pool(nodes[0]) as rpc:
        assert is_whole(await fetch_range(rpc, 1, LAST, [LogQuery(frozenset(TRACKED), 1, LAST)]))
        assert (learned := rpc.range_blocks()) < 20
        for _ in range(20):
            await fetch_range(rpc, 20, 39, [LogQuery(frozenset(TRACKED), 20, 39)])  # blocks without logs
        assert rpc.range_blocks() > max(learned, 20)
        assert is_whole(await fetch_range(rpc, 1, LAST, [LogQuery(frozenset(TRACKED), 1, LAST)]))


async def test_single_block_with_too_many_logs_raises_unless_another_endpoint_answers(nodes: list[StubNode]) -> None:
    narrow, wide = nodes[:2]
    apply_limit(narrow, logs_at_most(2, -32000, "query returns too many logs, narrow your filter: 2"))
    async with pool(narrow) as rpc:
        with pytest.raises(RpcError, match="too many logs"):
            await fetch_range(rpc, 1, LAST, [LogQuery(frozenset(TRACKED), 1, LAST)])
    async with pool(narrow, wide) as rpc:
        assert is_whole(await fetch_range(rpc, 1, LAST, [LogQuery(frozenset(TRACKED), 1, LAST)]))


async def test_endpoints_have_their_own_range_caps_and_no_log_is_lost(nodes: list[StubNode]) -> None:
    for node, cap in zip(nodes, (7, 25, 1_000), strict=True):
        apply_limit(node, blocks_at_most(cap, -32614, "eth_getLogs is limited to a {cap} range"))
    async with pool(*nodes, attempts_max=3) as rpc:
        for _ in range(8):
            assert is_whole(await fetch_range(rpc, 1, LAST, [LogQuery(frozenset(TRACKED), 1, LAST)]))
        learned = {endpoint.name: endpoint.range_blocks for endpoint in rpc.endpoints()}
    rejected = [sum(blocks > cap for blocks in requested_ranges(node)) for node, cap in zip(nodes, (7, 25, 1_000), strict=True)]
    assert all(blocks in (cap, 2_000) for blocks, cap in zip(learned.values(), (7, 25, 1_000), strict=True))
    assert rejected[0] <= 2
    assert rejected[1] <= 2
    assert rejected[2] == 0


async def test_logs_of_a_node_without_the_last_block_are_rejected(chain: StubChain, nodes: list[StubNode]) -> None:
    """Such a node silently omits the logs of newer blocks. Here all headers come from the time before it fell back."""
    node, headers = nodes[0], chain.headers
    original = node.methods["eth_getBlockByNumber"]

    def get_logs(_params: list[Any]) -> list[Any]:
        chain.headers = {number: header for number, header in headers.items() if number < LAST - 3}
        return []

    def get_block(params: list[Any]) -> Any:
        return original(params) if len(node.received) <= LAST + 1 else None  # the headers, then nothing

    node.methods |= {"eth_getLogs": get_logs, "eth_getBlockByNumber": get_block}
    async with pool(node) as rpc:
        with pytest.raises(InconsistentResponse, match="another block 60, or none"):
            await fetch_range(rpc, 1, LAST, [LogQuery(frozenset(TRACKED), 1, LAST)])


async def test_another_endpoint_serves_the_logs_when_one_lags(chain: StubChain, nodes: list[StubNode]) -> None:
    behind, healthy = nodes[:2]
    behind.methods["eth_getLogs"] = []
    behind.methods["eth_getBlockByNumber"] = lambda params: chain.headers.get(n) if (n := int(params[0], 16)) < LAST else None
    async with pool(behind, healthy) as rpc:
        assert is_whole(await fetch_range(rpc, 1, LAST, [LogQuery(frozenset(TRACKED), 1, LAST)]))
        assert is_whole(await fetch_range(rpc, 1, LAST, [LogQuery(frozenset(TRACKED), 1, LAST)]))
