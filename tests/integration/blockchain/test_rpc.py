"""The RPC pool against one faulty node: bounded retries, distinct errors, and no key in any message."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from aiohttp import web
from tests.support.chain.stub_node import (
    KEY,
    Disturbance,
    NodeError,
    StubNode,
    answering,
    json_response,
    no_answer,
    non_http_server,
    replying_with,
    reset,
    stub_node,
)

from paimon.infrastructure.blockchain.rpc import pool as pool_module
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.blockchain.rpc.pool import Rpc

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_BACKOFF_SECONDS", 0.001)


@pytest.fixture
async def node() -> AsyncIterator[StubNode]:
    async with stub_node(eth_chainId="0x38", eth_echo=lambda params: params[0]) as opened:
        yield opened


def client(url: str, *, attempts_max: int = 3, timeout_seconds: float = 5) -> Rpc:
    return Rpc(url, timeout_seconds=timeout_seconds, attempts_max=attempts_max)


def traceback_text(error: BaseException) -> str:
    """Return everything that a logged traceback of the error shows."""
    return "".join(logging.Formatter().formatException((type(error), error, error.__traceback__)))


# Each fault with a text that its error must contain.
FAULTS: dict[str, tuple[Disturbance, str]] = {
    "overloaded": (replying_with(429), "HTTP 429"),
    "broken": (replying_with(500, b"<html>oops"), "HTTP 500"),
    "gateway": (replying_with(502), "HTTP 502"),
    "forbidden": (replying_with(403, f"key {KEY} is revoked".encode()), "HTTP 403"),
    "not_json": (replying_with(200, b"<html>welcome"), "HTTP 200"),
    "empty": (replying_with(200), "HTTP 200"),
    "half_an_answer": (replying_with(200, b'{"jsonrpc":"2.0","id":1,"result":"0x'), "HTTP 200"),
    "a_number": (replying_with(200, b"5"), "no JSON-RPC"),
    "null": (replying_with(200, b"null"), "no JSON-RPC"),
    "a_list_of_text": (replying_with(200, b'["0x38"]'), "no JSON-RPC"),
    "an_empty_list": (replying_with(200, b"[]"), "in part"),
    "reset": (reset, "Server"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_rpc_retries_a_failing_node(node: StubNode, fault: str) -> None:
    node.disturbances = [FAULTS[fault][0]] * 2
    async with client(node.url) as rpc:
        assert await rpc.call("eth_chainId", []) == "0x38"
    assert node.requests == 3


@pytest.mark.parametrize("fault", FAULTS)
async def test_rpc_retries_are_bounded_and_the_error_hides_the_key(node: StubNode, fault: str) -> None:
    disturbance, text = FAULTS[fault]
    node.disturbances = [disturbance] * 10
    async with client(node.url) as rpc:
        with structlog.testing.capture_logs() as logged, pytest.raises(RpcUnavailable, match="after 3 tries") as failed:
            await rpc.call("eth_chainId", [])
    assert node.requests == 3
    assert text in str(failed.value)
    assert KEY not in traceback_text(failed.value)
    assert KEY not in str(logged)


async def test_rpc_times_out_when_the_node_is_silent(node: StubNode) -> None:
    node.disturbances = [no_answer, no_answer]
    async with client(node.url, attempts_max=2, timeout_seconds=0.1) as rpc:
        with pytest.raises(RpcUnavailable, match="TimeoutError") as failed:
            await rpc.call("eth_chainId", [])
    assert KEY not in traceback_text(failed.value)


async def test_rpc_call_may_have_fewer_tries(node: StubNode) -> None:
    node.disturbances = [replying_with(500)]
    async with client(node.url) as rpc:
        with pytest.raises(RpcUnavailable):
            await rpc.call("eth_chainId", [], attempts_max=1)
    assert node.requests == 1


@pytest.mark.parametrize("url", [f"http://127.0.0.1:1/{KEY}", f"http://user:{KEY}@127.0.0.1:1/", f"http://bad host/{KEY}"])
async def test_unreachable_address_error_hides_the_key(url: str) -> None:
    async with client(url, attempts_max=2) as rpc:
        with pytest.raises(RpcUnavailable) as failed:
            await rpc.call("eth_chainId", [])
    assert rpc.endpoint in str(failed.value)
    assert KEY not in traceback_text(failed.value)


async def test_non_http_server_error_hides_the_key() -> None:
    async with non_http_server() as url, client(url, attempts_max=2) as rpc:
        with pytest.raises(RpcUnavailable) as failed:
            await rpc.call("eth_chainId", [])
    assert KEY not in traceback_text(failed.value)


async def test_rpc_follows_no_redirect_with_the_key(node: StubNode) -> None:
    async def redirect(_request: Any, _answers: Any) -> Any:
        return web.Response(status=307, headers={"Location": node.url})

    node.disturbances = [redirect] * 5
    async with client(node.url, attempts_max=2) as rpc:
        with pytest.raises(RpcUnavailable, match="HTTP 307") as failed:
            await rpc.call("eth_chainId", [])
    assert node.requests == 2
    assert KEY not in traceback_text(failed.value)


async def test_batch_results_are_in_request_order(node: StubNode) -> None:
    node.disturbances = [answering(lambda answers: answers[::-1])]
    async with client(node.url) as rpc:
        assert await rpc.batch([("eth_echo", [number]) for number in range(7)]) == list(range(7))
        assert await rpc.batch([]) == []
    assert node.requests == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda answers: answers[:-1],
        lambda answers: [answers[0] | {"id": 10**9}, *answers[1:]],
        lambda answers: [answers[0] | {"id": [1]}, *answers[1:]],
        lambda answers: [*answers[:-1], None],
    ],
)
async def test_batch_is_repeated_whole_when_answered_in_part(node: StubNode, change: Any) -> None:
    node.disturbances = [answering(change)]
    async with client(node.url) as rpc:
        assert await rpc.batch([("eth_echo", [number]) for number in range(3)]) == [0, 1, 2]
    assert node.requests == 2


@pytest.mark.parametrize("shape", ["an_object", "a_list_with_the_first_id"])  # the second is geth's
async def test_batch_size_is_reduced_when_the_node_rejects_it(node: StubNode, shape: str) -> None:
    async def reject_more_than_two(_request: Any, answers: list[dict[str, Any]]) -> Any:
        rejection = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "batch too large"}}
        if len(answers) <= 2:
            return json_response(answers if len(answers) > 1 else answers[0])
        return json_response(rejection if shape == "an_object" else [rejection | {"id": answers[0]["id"]}])

    node.disturbances = [reject_more_than_two] * 20
    async with client(node.url) as rpc:
        assert await rpc.batch([("eth_echo", [number]) for number in range(8)]) == list(range(8))
        assert node.requests == 6  # 8 rejected, 4 rejected, then 2 each
        assert await rpc.batch([("eth_echo", [number]) for number in range(3)]) == list(range(3))
        assert node.requests == 8


async def test_rejection_of_the_whole_batch_raises_rpc_error(node: StubNode) -> None:
    rejection = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "no batches on Sundays"}}
    node.disturbances = [answering(lambda _answers: rejection)] * 10
    async with client(node.url) as rpc:
        with pytest.raises(RpcError, match="on Sundays"):
            await rpc.batch([("eth_echo", [number]) for number in range(3)])
    assert node.requests == 6  # three tries, each with the batch and with a single request


async def test_error_answer_raises_without_a_retry(node: StubNode) -> None:
    def fail(_params: list[Any]) -> Any:
        raise NodeError(-32000, "header not found")

    node.methods["eth_call"] = fail
    async with client(node.url) as rpc:
        with pytest.raises(RpcError, match=r"eth_call: header not found \(code -32000\)") as failed:
            await rpc.batch([("eth_echo", [1]), ("eth_call", [])])
    assert not failed.value.is_revert
    assert failed.value.revert_data is None
    assert node.requests == 1


@pytest.mark.parametrize(
    ("code", "message", "data", "is_revert", "revert_data"),
    [
        (3, "execution reverted: Use Redemption", "0x08c379a0", True, bytes.fromhex("08c379a0")),
        (-32000, "execution reverted", None, True, None),
        (-32015, "VM execution error", {"data": "0xdeadbeef"}, False, bytes.fromhex("deadbeef")),
        (-32015, "revert", "Reverted 0x08c379a0", True, None),
        (3, "execution reverted", "0xnothex", True, None),
        (3, "execution reverted", {"data": ["0x00"]}, True, None),
    ],
)
async def test_reverts_are_distinguished_from_other_errors(
    node: StubNode, code: int, message: str, data: Any, is_revert: bool, revert_data: bytes | None
) -> None:
    def fail(_params: list[Any]) -> Any:
        raise NodeError(code, message, data)

    node.methods["eth_call"] = fail
    async with client(node.url) as rpc:
        with pytest.raises(RpcError) as failed:
            await rpc.call("eth_call", [])
    assert failed.value.is_revert is is_revert
    assert failed.value.revert_data == revert_data


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"error": "not today"}, "not today"),
        ({"error": {"code": "E1", "message": None}}, "code 0"),
        ({"error": {}}, "code 0"),
        ({}, "neither result nor error"),
        ({"message": "no upstream"}, "no upstream"),
        ({"result": None}, "not one of eth_chainId"),
        ({"result": 56}, "not one of eth_chainId"),
    ],
)
async def test_answer_that_violates_the_protocol_raises_a_readable_error(node: StubNode, answer: Any, text: str) -> None:
    node.disturbances = [answering(lambda answers: {"jsonrpc": "2.0", "id": answers[0]["id"], **answer})] * 3
    async with client(node.url) as rpc:
        with pytest.raises(RpcError, match=text):
            await rpc.call("eth_chainId", [])
    assert node.requests == 3


async def test_rpc_raises_when_used_outside_its_context(node: StubNode) -> None:
    with pytest.raises(RuntimeError, match="outside its `async with` block"):
        await client(node.url).call("eth_chainId", [])
