"""Several endpoints as one pool: another is asked when one fails, lags or refuses, and each one's limits are learned."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from tests.support.chain.stub_node import KEY, NodeError, StubNode, replying_with, reset, stub_node

from paimon.domain.chain import endpoint_health
from paimon.domain.chain.endpoint_health import BreakerStatus, EndpointUse
from paimon.infrastructure.blockchain.finality import ChainMismatch, require_chain
from paimon.infrastructure.blockchain.rpc import pool as pool_module
from paimon.infrastructure.blockchain.rpc.endpoint import NodeUrl, endpoint_name
from paimon.infrastructure.blockchain.rpc.errors import BlockNotReached, RpcError, RpcUnavailable, StatePruned
from paimon.infrastructure.blockchain.rpc.pool import Rpc

pytestmark = pytest.mark.integration

READ, WRITE = frozenset({EndpointUse.READ}), frozenset({EndpointUse.WRITE})
ARCHIVE = frozenset({EndpointUse.READ, EndpointUse.ARCHIVE})
UNREACHABLE = f"http://127.0.0.1:1/{KEY}"


@pytest.fixture(autouse=True)
def _no_maintenance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use no pauses, and probe no endpoint but by a test's own requests."""
    monkeypatch.setattr(pool_module, "_BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(pool_module, "_MAINTENANCE_SECONDS", 3_600)


@pytest.fixture
async def first() -> AsyncIterator[StubNode]:
    async with node_at(20) as opened:
        yield opened


@pytest.fixture
async def second() -> AsyncIterator[StubNode]:
    async with node_at(20) as opened:
        yield opened


@asynccontextmanager
async def node_at(head: int) -> AsyncIterator[StubNode]:
    async with stub_node(eth_blockNumber=hex(head), eth_chainId="0x38", eth_echo=lambda params: params[0]) as opened:
        yield opened


def pool(*nodes: StubNode | NodeUrl | str, attempts_max: int = 4, **options: Any) -> Rpc:
    urls = (node.url if isinstance(node, StubNode) else node for node in nodes)
    return Rpc(*urls, timeout_seconds=5, attempts_max=attempts_max, **options)


def name(node: StubNode) -> str:
    return endpoint_name(node.url)


def received(node: StubNode, method: str = "eth_echo") -> int:
    return sum(called == method for called, _ in node.received)


def failing(code: int, message: str) -> Callable[[list[Any]], Any]:
    def fail(_params: list[Any]) -> Any:
        raise NodeError(code, message)

    return fail


def breaker_of(rpc: Rpc, node: StubNode) -> BreakerStatus:
    return next(endpoint.breaker for endpoint in rpc.endpoints() if endpoint.name == name(node))


@pytest.mark.parametrize("disturbance", [replying_with(500), replying_with(429), replying_with(200, b"<html>"), reset])
async def test_another_endpoint_answers_at_once_when_one_fails(
    first: StubNode, second: StubNode, disturbance: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for setting in ("_BACKOFF_SECONDS", "_BACKOFF_SECONDS_MAX"):
        monkeypatch.setattr(pool_module, setting, 1e9)  # a pause would outlast the test
    first.disturbances = [disturbance]
    async with asyncio.timeout(60), pool(first, second) as rpc:
        assert await rpc.batch([("eth_echo", [number]) for number in range(3)]) == [0, 1, 2]
    assert (received(first), received(second)) == (3, 3)  # each got the whole batch


async def test_all_endpoints_are_retried_within_the_bounded_tries(first: StubNode, second: StubNode) -> None:
    first.disturbances, second.disturbances = [replying_with(502)] * 2, [replying_with(502)]
    async with pool(first, second) as rpc:
        assert await rpc.call("eth_echo", [1]) == 1
    assert first.requests + second.requests == 4


@pytest.mark.parametrize("seed", range(5))
async def test_every_call_succeeds_while_one_endpoint_is_healthy(seed: int) -> None:
    """The healthy endpoint, the suspended ones and the faults change at random."""
    rng = random.Random(seed)
    faults = [replying_with(500), replying_with(429), replying_with(200, b"<html>"), reset]
    async with node_at(20) as one, node_at(20) as two, node_at(20) as three, pool(one, two, three) as rpc:
        for number in range(40):
            nodes = rng.sample([one, two, three], k=3)
            for failing_node in nodes[: rng.randint(0, 2)]:
                failing_node.disturbances = [rng.choice(faults)]
            assert await rpc.batch([("eth_echo", [number]), ("eth_echo", [-number])]) == [number, -number]
            for node in nodes:
                node.disturbances.clear()


async def test_error_names_each_endpoint_with_its_reason_and_no_key(first: StubNode) -> None:
    first.disturbances = [replying_with(503)] * 10
    async with pool(first, UNREACHABLE) as rpc:
        with structlog.testing.capture_logs() as logged, pytest.raises(RpcUnavailable, match="after 4 tries") as failed:
            await rpc.call("eth_echo", [1])
    assert f"{name(first)}: HTTP 503" in str(failed.value)
    assert "127.0.0.1:1: Client" in str(failed.value)
    assert KEY not in f"{failed.value} {logged}"


async def test_no_message_shows_a_key_that_the_node_repeats(first: StubNode) -> None:
    first.methods["eth_call"] = failing(-32000, f"https://node.example/{KEY} has no such block range")
    async with pool(first) as rpc:
        with pytest.raises(RpcError) as failed:
            await rpc.call("eth_call", [])
    assert "node.example/..." in str(failed.value)
    assert KEY not in str(failed.value)


@pytest.mark.parametrize(
    ("code", "message"),
    [(3, "execution reverted: header not found"), (-32000, "execution reverted"), (-32602, "invalid argument 0")],
)
async def test_request_error_is_not_retried_on_another_endpoint(
    first: StubNode, second: StubNode, code: int, message: str
) -> None:
    first.methods["eth_call"] = failing(code, message)
    async with pool(first, second) as rpc:
        with pytest.raises(RpcError, match=message):
            await rpc.call("eth_call", [])
    assert (received(first, "eth_call"), second.requests) == (1, 0)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (-32000, "header not found"),
        (-32000, "missing trie node d0 (path )"),
        (-32005, "limit exceeded"),
        (-32601, "no such method"),
    ],
)
async def test_another_endpoint_is_asked_when_one_lacks_or_refuses(
    first: StubNode, second: StubNode, code: int, message: str
) -> None:
    first.methods["eth_getLogs"], second.methods["eth_getLogs"] = failing(code, message), []
    async with pool(first, second) as rpc:
        assert await rpc.call("eth_getLogs", [{}]) == []
        second.methods["eth_getLogs"] = failing(code, message)
        with pytest.raises(RpcError, match=message.split("(")[0]):  # all endpoints fail alike: no further retry
            await rpc.call("eth_getLogs", [{}])
    assert received(first, "eth_getLogs") + received(second, "eth_getLogs") <= 4


async def test_endpoint_that_refused_a_method_ranks_behind_others_for_it(first: StubNode, second: StubNode) -> None:
    first.methods["eth_getLogs"], second.methods["eth_getLogs"] = failing(-32005, "limit exceeded"), []
    async with pool(first, second) as rpc:
        await make_costly(rpc, second)
        for _ in range(5):
            assert await rpc.call("eth_getLogs", [{}]) == []
    assert (received(first, "eth_getLogs"), received(second, "eth_getLogs")) == (1, 5)


async def bring_down(rpc: Rpc, node: StubNode) -> None:
    """Let the node fail three requests in a row."""
    node.disturbances = [replying_with(500)] * 3
    for _ in range(3):
        with pytest.raises(RpcUnavailable):
            await rpc.only_endpoint(name(node)).call("eth_echo", [0], attempts_max=1)
    assert breaker_of(rpc, node) is BreakerStatus.OPEN


async def make_costly(rpc: Rpc, node: StubNode) -> None:
    """Give a healthy node a worse record than any suspended one, so that its cost never makes it preferred."""
    for _ in range(6):
        node.disturbances = [replying_with(500)] * 2
        for _ in range(2):
            with pytest.raises(RpcUnavailable):
                await rpc.only_endpoint(name(node)).call("eth_costly", [], attempts_max=1)
        assert await rpc.only_endpoint(name(node)).call("eth_echo", [0]) == 0
    assert breaker_of(rpc, node) is BreakerStatus.CLOSED
    node.received.clear()


async def test_endpoint_is_suspended_after_three_failures(first: StubNode, second: StubNode) -> None:
    async with pool(first, second) as rpc:
        await make_costly(rpc, second)
        await bring_down(rpc, first)
        for _ in range(5):
            assert await rpc.call("eth_echo", [1]) == 1
    assert (received(first), received(second)) == (3, 5)


async def test_suspended_endpoint_is_probed_and_returns_in_the_background(
    first: StubNode, second: StubNode, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., Any]
) -> None:
    monkeypatch.setattr(pool_module, "_MAINTENANCE_SECONDS", 0.01)
    monkeypatch.setattr(endpoint_health, "_OPEN_SECONDS", 0.01)
    first.disturbances = [replying_with(500)] * 10_000
    async with pool(first, second) as rpc:

        async def is_closed() -> bool:
            return breaker_of(rpc, first) is BreakerStatus.CLOSED

        async def is_open() -> bool:
            return not await is_closed()

        await eventually(is_open)
        first.disturbances.clear()
        await eventually(is_closed)
        second.disturbances = [replying_with(500)] * 10_000
        assert await rpc.call("eth_echo", [2]) == 2
    assert received(first) == 1


async def test_suspended_endpoint_is_asked_when_no_other_is_left(first: StubNode) -> None:
    async with pool(first, UNREACHABLE) as rpc:
        await bring_down(rpc, first)
        assert await rpc.call("eth_echo", [1]) == 1
        assert breaker_of(rpc, first) is BreakerStatus.CLOSED


@pytest.mark.parametrize("is_http", [True, False])
async def test_overloaded_endpoint_gets_fewer_concurrent_requests(first: StubNode, second: StubNode, is_http: bool) -> None:
    if is_http:
        first.disturbances = [replying_with(429)]
    else:
        first.methods["eth_echo"] = failing(-32007, "50/second request limit reached - reduce calls per second")
    async with pool(first, second) as rpc:
        before = {endpoint.name: endpoint.concurrency for endpoint in rpc.endpoints()}
        assert await rpc.call("eth_echo", [1]) == 1
        after = {endpoint.name: endpoint.concurrency for endpoint in rpc.endpoints()}
    assert after[name(first)] == before[name(first)] // 2
    assert after[name(second)] == before[name(second)]


async def test_rate_limit_of_the_only_endpoint_is_waited_out_within_the_tries(first: StubNode) -> None:
    first.methods["eth_call"] = failing(429, "Your app has exceeded its compute units per second capacity")
    async with pool(first, attempts_max=3) as rpc:
        with pytest.raises(RpcError, match="compute units"):
            await rpc.call("eth_call", [])
    assert received(first, "eth_call") == 3


async def test_endpoint_is_not_asked_above_its_known_head(first: StubNode, second: StubNode) -> None:
    first.methods["eth_blockNumber"] = hex(10)
    async with pool(first, second) as rpc:
        for _ in range(3):
            assert await rpc.at_height(15).call("eth_echo", [1]) == 1
        assert (received(first), received(second)) == (0, 3)
        with pytest.raises(BlockNotReached, match="at block 25") as failed:
            await rpc.at_height(25).call("eth_echo", [1])
        assert f"{name(first)}: at block 10" in str(failed.value)
        assert f"{name(second)}: at block 20" in str(failed.value)
        first.methods["eth_blockNumber"] = hex(30)
        assert await rpc.at_height(25).call("eth_echo", [2]) == 2
    assert (received(first), received(second)) == (1, 3)


async def test_chain_is_not_reported_too_short_while_an_endpoint_is_down(first: StubNode) -> None:
    async with pool(first, UNREACHABLE) as rpc:
        with pytest.raises(RpcUnavailable) as failed:
            await rpc.at_height(25).call("eth_echo", [1])
    assert not isinstance(failed.value, BlockNotReached)


async def test_returned_block_raises_the_known_head(first: StubNode) -> None:
    first.methods |= {"eth_getBlockByNumber": {"number": hex(50)}, "eth_blockNumber": hex(20)}
    async with pool(first) as rpc:
        await rpc.call("eth_getBlockByNumber", ["finalized", False])
        assert await rpc.at_height(50).call("eth_echo", [1]) == 1
    assert received(first, "eth_blockNumber") == 0


@pytest.mark.parametrize("answer", [None, failing(-32000, "header not found")])
async def test_another_endpoint_is_asked_when_a_node_turns_out_to_lag(first: StubNode, second: StubNode, answer: Any) -> None:
    """As behind a load balancer: the reported head is 20, but the block is missing."""
    first.methods["eth_getBlockByNumber"], second.methods["eth_getBlockByNumber"] = answer, {"number": hex(20)}
    async with pool(first, second) as rpc:
        assert await rpc.only_endpoint(name(first)).call("eth_blockNumber", []) == hex(20)
        found = await rpc.at_height(20).call("eth_getBlockByNumber", [hex(20), False])
        assert found == {"number": hex(20)}
        assert {endpoint.name: endpoint.head for endpoint in rpc.endpoints()} == {name(first): 19, name(second): 20}


async def test_only_broadcasts_go_to_write_endpoints() -> None:
    async with node_at(20) as reader, node_at(20) as writer, node_at(20) as other_writer:
        for node in (reader, writer, other_writer):
            node.methods["eth_sendRawTransaction"] = "0x01"
        writer.disturbances = [replying_with(502)]
        nodes = NodeUrl(reader.url, READ), NodeUrl(writer.url, WRITE), NodeUrl(other_writer.url, WRITE)
        async with pool(*nodes) as rpc:
            assert await rpc.call("eth_sendRawTransaction", ["0x00"]) == "0x01"
            assert await rpc.call("eth_echo", [1]) == 1
            assert rpc.excluding(name(reader)) is None
        assert [node.requests for node in (reader, writer, other_writer)] == [1, 1, 1]


async def test_old_state_is_read_from_an_archive_endpoint() -> None:
    async with (
        node_at(1_000) as full,
        node_at(1_000) as archive,
        pool(NodeUrl(full.url, READ), NodeUrl(archive.url, ARCHIVE)) as rpc,
    ):
        await make_costly(rpc, archive)
        for node in (full, archive):
            await rpc.only_endpoint(name(node)).call("eth_blockNumber", [])
        for _ in range(3):
            assert await rpc.state_at(10).call("eth_echo", [1]) == 1
        assert (received(full), received(archive)) == (0, 3)


PRUNED = ("missing trie node dd8f96 (path )", "state 0xdd8f96 is not available", "header not found", "unknown block")


@pytest.mark.parametrize("message", PRUNED)
async def test_pruned_state_is_read_from_an_archive_or_raises_state_pruned(message: str) -> None:
    async with node_at(1_000) as full, node_at(1_000) as archive:
        full.methods["eth_call"] = failing(-32000, message)
        archive.methods["eth_call"] = "0x01"
        async with pool(full, NodeUrl(archive.url, ARCHIVE)) as rpc:
            await make_costly(rpc, full)
            await rpc.only_endpoint(name(full)).call("eth_blockNumber", [])
            assert await rpc.state_at(10).call("eth_call", []) == "0x01"
        async with pool(full) as rpc:
            with pytest.raises(StatePruned, match=r"the state of block 10 .*PAIMON_CHAIN__EXTRA_RPC_URLS=read,archive="):
                await rpc.state_at(10).call("eth_call", [])
            (answer,) = await rpc.state_at(10).try_batch([("eth_call", [])])
            assert isinstance(answer, StatePruned)


async def test_lagging_node_is_not_reported_as_pruned(first: StubNode) -> None:
    first.methods["eth_call"] = failing(-32000, "header not found")
    async with pool(first) as rpc:
        with pytest.raises(RpcError, match="header not found") as failed:
            await rpc.state_at(20).call("eth_call", [])
        assert not isinstance(failed.value, StatePruned)


async def test_endpoint_of_another_chain_is_never_asked(first: StubNode, second: StubNode) -> None:
    second.methods["eth_chainId"] = hex(97)
    async with pool(first, second, chain_id=56) as rpc:
        with pytest.raises(ChainMismatch) as raised:
            await require_chain(rpc, 56)
        assert f"node {name(second)} serves chain 97" in str(raised.value)
        assert KEY not in str(raised.value)
        for _ in range(5):
            await rpc.call("eth_echo", [1])
        assert {endpoint.name: endpoint.serves_our_chain for endpoint in rpc.endpoints()} == {
            name(first): True,
            name(second): False,
        }
    assert (received(first), received(second)) == (5, 0)


async def test_endpoint_down_at_the_start_is_asked_only_after_reporting_its_chain(first: StubNode, second: StubNode) -> None:
    second.disturbances = [replying_with(502)]
    async with pool(first, second, chain_id=56) as rpc:
        await require_chain(rpc, 56)
        second.methods["eth_chainId"] = hex(97)  # it comes back with another chain
        first.disturbances = [replying_with(502)] * 9
        with pytest.raises(RpcUnavailable, match="serves chain 97, not 56"):
            await rpc.call("eth_echo", [1])
    assert received(second) == 0


async def test_chain_ids_raise_when_no_endpoint_answers() -> None:
    async with pool(UNREACHABLE, UNREACHABLE.replace(":1/", ":2/"), chain_id=56) as rpc:
        with pytest.raises(RpcUnavailable) as failed:
            await require_chain(rpc, 56)
    assert "127.0.0.1:1" in str(failed.value)
    assert "127.0.0.1:2" in str(failed.value)
    assert KEY not in str(failed.value)


async def test_excluding_view_asks_another_endpoint(first: StubNode, second: StubNode) -> None:
    first.methods["eth_who"], second.methods["eth_who"] = "first", "second"
    async with pool(first, second) as rpc:
        one = await rpc.at_height(20).preferred()
        other = one.excluding(one.endpoint)
        assert other is not None
        assert {await one.call("eth_who", []), await other.call("eth_who", [])} == {"first", "second"}
        assert other.endpoint != one.endpoint
        with pytest.raises(KeyError, match="no endpoint elsewhere"):
            rpc.only_endpoint("elsewhere")
    async with pool(first) as single:
        assert single.excluding(name(first)) is None


async def test_view_asks_only_its_named_endpoints_even_when_they_fail(first: StubNode, second: StubNode) -> None:
    first.disturbances = [replying_with(500)] * 9
    async with pool(first, second) as rpc:
        with pytest.raises(RpcUnavailable, match=f"node {name(first)} gave"):
            await rpc.only_endpoint(name(first)).call("eth_echo", [1])
    assert second.requests == 0


async def test_heads_are_refreshed_without_requests(
    first: StubNode, second: StubNode, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., Awaitable[None]]
) -> None:
    monkeypatch.setattr(pool_module, "_MAINTENANCE_SECONDS", 0.01)
    monkeypatch.setattr(pool_module, "_PROBE_AFTER_SECONDS", 0.0)
    async with pool(first, second) as rpc:

        async def at(head: int) -> bool:
            return [endpoint.head for endpoint in rpc.endpoints()] == [head, head]

        await eventually(lambda: at(20))
        first.methods["eth_blockNumber"] = second.methods["eth_blockNumber"] = hex(21)
        await eventually(lambda: at(21))
