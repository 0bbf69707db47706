"""An endpoint that refuses everything, or what is too large for it: no call fails while another endpoint, or half, succeeds.

Codes, words and shapes are drawn, because other words will come.
"""

import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import monotonic
from typing import Any

import pytest
from aiohttp import web
from tests.support.chain.stub_node import StubNode, answering, json_response, replying_with, stub_node
from tests.support.faults.refusing_endpoint import SHAPES, Refusal, RefusingEndpoint, draw_refusal, refusing_endpoints

from paimon.domain.chain.endpoint_health import BreakerStatus, EndpointHealth
from paimon.infrastructure.blockchain.rpc import pool as pool_module
from paimon.infrastructure.blockchain.rpc.endpoint import endpoint_name
from paimon.infrastructure.blockchain.rpc.endpoint_selection import EndpointReport
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.blockchain.rpc.pool import Rpc

pytestmark = pytest.mark.integration

ALL: Any = 1_000_000
ADDRESS = "0x" + "11" * 20
RESULTS: dict[str, Any] = {
    "eth_blockNumber": "0x14",
    "eth_chainId": "0x38",
    "eth_gasPrice": "0x1",
    "eth_getBalance": "0x2",
    "eth_getTransactionCount": "0x3",
    "eth_getBlockByNumber": {"number": "0x14"},
    "eth_getBlockReceipts": [],
    "eth_getTransactionReceipt": None,
    "eth_getLogs": [],
    "eth_call": "0x01",
    "eth_estimateGas": "0x5208",
    "eth_sendRawTransaction": "0xaa",
}
PARAMS: dict[str, list[Any]] = {"eth_getLogs": [{"fromBlock": "0x1", "toBlock": "0x10"}]}

SEEN = (
    Refusal(-32011, "no backend is currently healthy to serve traffic"),
    Refusal(-32603, "Internal error"),
    Refusal(19, "Temporary internal error. Please retry"),
    Refusal(-32000, "leveldb: closed"),
    Refusal(-32005, "project ID request rate exceeded"),
    Refusal(-32000, "Too many connections. Please slow down"),
)
TOO_LARGE = (
    Refusal(-32000, "batch limit 100 exceeded (can increase by --rpc.batch.limit). Requested batch of size: 200"),
    Refusal(-32007, "batch limit exceeded"),
    Refusal(-32014, "too many calls in one batch"),
    Refusal(-32010, "The batch request was too large", "Exceeded max limit of 100"),
    Refusal(-32003, "response too large"),
    Refusal(-32011, "The batch response was too large"),
)


@pytest.fixture(autouse=True)
def _no_maintenance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(pool_module, "_MAINTENANCE_SECONDS", 3_600)


@pytest.fixture
async def node() -> AsyncIterator[StubNode]:
    async with stub_node(**RESULTS, eth_echo=lambda params: params[0]) as opened:
        yield opened


def pool(*endpoints: RefusingEndpoint, attempts_max: int = 5) -> Rpc:
    return Rpc(*(endpoint.url for endpoint in endpoints), timeout_seconds=5, attempts_max=attempts_max)


def report(rpc: Rpc, endpoint: RefusingEndpoint) -> EndpointReport:
    return next(shown for shown in rpc.endpoints() if shown.name == endpoint_name(endpoint.url))


@pytest.fixture
def succeeds(node: StubNode, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., Any]) -> Callable[..., Any]:
    """Return a check: a bad endpoint beside a slower good one fails no call, is suspended, and is shown as unwell."""
    monkeypatch.setattr(pool_module, "_MAINTENANCE_SECONDS", 0.01)

    async def check(refusal: Refusal, shape: str, method: str) -> None:
        fields = {"refusal": refusal, "shape": SHAPES[shape]}
        async with refusing_endpoints(node.url, fields, {"calls_max": ALL, "delay_seconds": 0.005}) as (bad, good):
            async with pool(bad, good) as rpc:
                for _ in range(30):
                    assert await rpc.call(method, PARAMS.get(method, [])) == RESULTS[method]

                async def is_suspended() -> bool:
                    return report(rpc, bad).breaker is not BreakerStatus.CLOSED

                await eventually(is_suspended)
                assert not report(rpc, bad).is_healthy
                assert report(rpc, bad).error_rate > 0.2
                assert report(rpc, good).is_healthy
            assert bad.refused <= 10

    return check


@pytest.mark.parametrize("refusal", SEEN, ids=lambda refusal: refusal.message)
@pytest.mark.parametrize("method", ["eth_blockNumber", "eth_getLogs", "eth_call"])
async def test_calls_succeed_while_one_endpoint_refuses_everything(
    succeeds: Callable[..., Any], refusal: Refusal, method: str
) -> None:
    await succeeds(refusal, "an error per call", method)


@pytest.mark.parametrize("seed", range(24))
async def test_unseen_refusals_of_one_endpoint_fail_no_call(succeeds: Callable[..., Any], seed: int) -> None:
    rng = random.Random(seed)
    method, shape = rng.choice(list(RESULTS)), rng.choice(list(SHAPES))
    await succeeds(draw_refusal(rng), shape, method)


async def test_single_endpoint_that_refuses_is_asked_within_the_tries(node: StubNode) -> None:
    async with refusing_endpoints(node.url, {"refusal": SEEN[0]}) as (bad,), pool(bad) as rpc:
        with pytest.raises(RpcError, match="no backend"):
            await rpc.call("eth_blockNumber", [])
        assert bad.requests == 5


async def assert_batch_is_answered_in_pieces(node: StubNode, refusal: Refusal, shape: str, *, limit: int, sent: int) -> None:
    fields = {"calls_max": limit, "refusal": refusal, "shape": SHAPES[shape]}
    requests = [("eth_echo", [number]) for number in range(sent)]
    async with refusing_endpoints(node.url, fields) as (endpoint,), pool(endpoint) as rpc:
        assert await rpc.batch(requests) == list(range(sent))
        refused = endpoint.refused
        assert refused <= sent.bit_length() + 2
        assert await rpc.batch(requests) == list(range(sent))
        assert endpoint.refused == refused, "the size was learnt"
        assert report(rpc, endpoint).breaker is BreakerStatus.CLOSED


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("refusal", TOO_LARGE, ids=lambda refusal: f"{refusal.code} {refusal.message[:24]}")
async def test_batch_too_large_is_sent_in_pieces_however_it_is_said(node: StubNode, refusal: Refusal, shape: str) -> None:
    node.methods["eth_echo"] = lambda params: params[0]
    await assert_batch_is_answered_in_pieces(node, refusal, shape, limit=100, sent=200)


@pytest.mark.parametrize("seed", range(16))
async def test_unseen_refusal_of_a_batch_halves_it(node: StubNode, seed: int) -> None:
    rng = random.Random(seed)
    sent, shape = rng.randint(2, 120), rng.choice(list(SHAPES))
    await assert_batch_is_answered_in_pieces(node, draw_refusal(rng), shape, limit=rng.randint(1, sent), sent=sent)


NAMED = (
    Refusal(-32000, "batch limit 70 exceeded"),
    Refusal(-32010, "The batch request was too large", "Exceeded max limit of 70"),
)


@pytest.mark.parametrize("refusal", NAMED, ids=["in the message", "in the data"])
async def test_named_batch_limit_is_kept_at_the_first_refusal(node: StubNode, refusal: Refusal) -> None:
    fields = {"calls_max": 70, "refusal": refusal, "shape": SHAPES["one object"]}
    async with refusing_endpoints(node.url, fields) as (endpoint,), pool(endpoint) as rpc:
        assert await rpc.batch([("eth_echo", [number]) for number in range(200)]) == list(range(200))
        assert (endpoint.requests, endpoint.refused, endpoint.largest_answered) == (4, 1, 70)
        for _ in range(3):
            await rpc.batch([("eth_echo", [number]) for number in range(200)])
        assert endpoint.refused == 1, "it does not grow beyond what the endpoint named"


async def test_batch_size_that_no_cap_reduced_grows_back(node: StubNode) -> None:
    fields = {"calls_max": 8, "refusal": Refusal(-32055, "words that no table knows"), "shape": SHAPES["one object"]}
    requests = [("eth_echo", [number]) for number in range(64)]
    async with refusing_endpoints(node.url, fields) as (endpoint,), pool(endpoint) as rpc:
        await rpc.batch(requests)
        assert endpoint.largest_answered == 8
        endpoint.calls_max = ALL
        for _ in range(3):
            await rpc.batch(requests)
        assert endpoint.largest_answered == 10


async def test_endpoint_that_refused_everything_keeps_its_batch_size(node: StubNode) -> None:
    async with refusing_endpoints(node.url, {"refusal": SEEN[1]}) as (endpoint,), pool(endpoint) as rpc:
        with pytest.raises(RpcError):
            await rpc.batch([("eth_echo", [number]) for number in range(64)])
        endpoint.calls_max, endpoint.requests = ALL, 0
        assert await rpc.batch([("eth_echo", [number]) for number in range(64)]) == list(range(64))
        assert endpoint.requests == 1


@pytest.mark.parametrize("refusal", [TOO_LARGE[4], TOO_LARGE[5], Refusal(-32055, "words that no table knows")])
async def test_answers_too_large_in_the_middle_of_a_batch_halve_it(node: StubNode, refusal: Refusal) -> None:
    """The first two receipts fit; the third and all later ones of the same batch do not."""
    requests = [("eth_getBlockReceipts", [hex(number)]) for number in range(5)]

    async def after_the_second(_request: Any, calls: list[Any], _refusal: Refusal) -> Any:
        fitting = [{"jsonrpc": "2.0", "id": sent["id"], "result": []} for sent in calls[:2]]
        return fitting + [{"jsonrpc": "2.0", "id": sent["id"], "error": refusal.error} for sent in calls[2:]]

    async with refusing_endpoints(node.url, {"calls_max": 2, "shape": after_the_second}) as (endpoint,), pool(endpoint) as rpc:
        assert await rpc.batch(requests) == [[]] * 5
        assert endpoint.refused == 1


# Pauses, and shapes of answers


def asking_for_a_pause(node: StubNode, kind: str, seconds: float) -> None:
    """Let the node refuse one request and ask for a pause."""
    error = {"code": -32005, "message": "rate limited", "data": {"rate": {"backoff_seconds": seconds}}}
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)

    async def refuse(_request: web.Request, answers: list[dict[str, Any]]) -> web.StreamResponse:
        if kind.startswith("data"):
            status = 429 if kind == "data with HTTP 429" else 200
            return json_response({"jsonrpc": "2.0", "id": answers[0]["id"], "error": error}, status=status)
        return web.Response(status=429, headers={"Retry-After": date if kind == "date" else str(seconds)})

    node.disturbances = [refuse]


PAUSES = ("seconds", "date", "data", "data with HTTP 429")


@pytest.mark.parametrize("kind", PAUSES)
async def test_pause_that_the_only_endpoint_asks_for_is_kept(
    node: StubNode, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    asking_for_a_pause(node, kind, 3)
    monkeypatch.setattr("asyncio.sleep", sleep)
    async with Rpc(node.url, timeout_seconds=5, attempts_max=2) as rpc:
        assert await rpc.call("eth_blockNumber", []) == "0x14"
    assert 1 < max(slept) <= 3
    assert node.requests == 2


@pytest.mark.parametrize("kind", PAUSES)
@pytest.mark.parametrize("seconds", [30, 10**9])
async def test_long_pause_ends_the_call_and_is_bounded(node: StubNode, kind: str, seconds: int) -> None:
    asking_for_a_pause(node, kind, seconds)
    async with Rpc(node.url, timeout_seconds=5, attempts_max=5) as rpc:
        for _ in range(3):
            with pytest.raises((RpcUnavailable, RpcError)):
                await rpc.call("eth_blockNumber", [])
        (endpoint,) = rpc._endpoints
        assert 20 < endpoint.health.pause_seconds(monotonic()) <= 60
    assert node.requests == 1


@pytest.mark.parametrize("kind", PAUSES)
async def test_other_endpoints_answer_while_one_pauses(node: StubNode, kind: str) -> None:
    asking_for_a_pause(node, kind, 30)
    async with (
        stub_node(eth_blockNumber="0x15") as other,
        Rpc(node.url, other.url, timeout_seconds=5, attempts_max=5) as rpc,
    ):
        assert [await rpc.call("eth_blockNumber", []) for _ in range(5)] == ["0x15"] * 5
        other.disturbances = [replying_with(502)]
        assert await rpc.call("eth_blockNumber", []) == "0x15"
    assert node.requests == 1


async def test_endpoint_is_not_asked_for_its_head_while_it_pauses(node: StubNode) -> None:
    asking_for_a_pause(node, "seconds", 30)
    async with (
        stub_node(eth_blockNumber="0x14", eth_getBlockByNumber=RESULTS["eth_getBlockByNumber"]) as other,
        Rpc(node.url, other.url, timeout_seconds=5, attempts_max=3) as rpc,
    ):
        for number in (1, 2, 3):
            rpc._endpoints[1].health = EndpointHealth()  # its head is not known, so that both must be asked
            assert await rpc.at_height(number).call("eth_getBlockByNumber", [hex(number), False]) is not None
    assert node.requests == 1


async def test_null_for_no_logs_is_no_logs(node: StubNode) -> None:
    node.methods["eth_getLogs"] = None
    async with Rpc(node.url, timeout_seconds=5, attempts_max=1) as rpc:
        assert await rpc.batch([("eth_getLogs", PARAMS["eth_getLogs"]), ("eth_blockNumber", [])]) == [[], "0x14"]


async def test_ids_echoed_as_text_are_ids(node: StubNode) -> None:
    node.disturbances = [answering(lambda answers: [answer | {"id": str(answer["id"])} for answer in answers[::-1]])]
    async with Rpc(node.url, timeout_seconds=5, attempts_max=1) as rpc:
        assert await rpc.batch([("eth_echo", [number]) for number in range(5)]) == list(range(5))
    assert node.requests == 1
