"""Answers of other servers that would fill the memory: gzip and deflate bombs, endless bodies, JSON of millions of values."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import orjson
import pytest
from aiohttp import web
from tests.support.api_server import ApiServer
from tests.support.chain.stub_node import StubNode, json_response, rpc_endpoint, stub_node
from tests.support.faults.bombs import compressed, long_text, many_values

from paimon.application.event_listener.ingest.new_heads import NewHeadsSubscription
from paimon.domain.chain.answer_sizes import ANSWER_BYTES_MAX, BATCH_BYTES_MAX, OTHER_ANSWER_BYTES_MAX, answer_bytes_max
from paimon.infrastructure.blockchain.rpc.endpoint import endpoint_name
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.keys.client import SignerClient, SignerUnavailable
from paimon.infrastructure.keys.key import KeyUnavailable
from paimon.infrastructure.keys.kms_key import KmsKey, kms_client
from paimon.infrastructure.keys.link import SocketLink

pytestmark = pytest.mark.fault

MB = 1_000_000


@pytest.fixture(scope="module")
def bombs() -> dict[str, tuple[str, bytes]]:
    """Return bodies by name, with their encodings. 400 MB are 400 kB on the wire."""
    return {
        "gzip": ("gzip", compressed(long_text(), "gzip")),
        "deflate": ("deflate", compressed(long_text(), "deflate")),
        "br": ("br", compressed(long_text(10), "gzip")),
        "values": ("gzip", compressed(many_values(60), "gzip")),
    }


def answering_with(encoding: str, body: bytes) -> Callable[[web.Request], Any]:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(body=body, headers={"Content-Encoding": encoding, "Content-Type": "application/json"})

    return answer


async def peak_megabytes(url: str, method: str) -> tuple[float, str]:
    """Let a process of its own ask; return by how much its memory grew, and what it said."""
    arguments = ["-m", "tests.support.faults.bombs", url, method]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=-1, stderr=-1)
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return float(out), err.decode()


@pytest.mark.parametrize(
    ("bomb", "method", "megabytes_max"),
    [
        ("gzip", "eth_blockNumber", 15),
        ("deflate", "eth_blockNumber", 15),
        ("br", "eth_blockNumber", 15),
        ("gzip", "eth_call", 25),
        ("gzip", "eth_getLogs", 140),
        ("values", "eth_getLogs", 140),
    ],
)
async def test_bomb_of_an_endpoint_takes_bounded_memory(
    bombs: dict[str, tuple[str, bytes]], bomb: str, method: str, megabytes_max: float
) -> None:
    """It took 823 MB for 389 kB. The table `answer_sizes` says what an answer may take."""
    encoding, body = bombs[bomb]
    assert len(body) < 500_000
    async with rpc_endpoint(answering_with(encoding, body)) as url:
        grown, said = await peak_megabytes(url, method)
    assert "RpcUnavailable" in said or "RpcError" in said
    assert grown < megabytes_max


async def test_body_without_an_end_takes_bounded_memory() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while True:
            await response.write(b" " * MB)

    async with rpc_endpoint(endless) as url:
        grown, said = await peak_megabytes(url, "eth_blockNumber")
    assert "1048576 bytes" in said
    assert grown < 15


@pytest.mark.parametrize("bomb", ["gzip", "deflate", "br", "values"])
async def test_good_endpoint_answers_beside_a_bombing_one(bombs: dict[str, tuple[str, bytes]], bomb: str) -> None:
    encoding, body = bombs[bomb]
    logs: list[Any] = []
    async with stub_node(eth_chainId="0x1", eth_blockNumber="0x10", eth_getLogs=logs, eth_call="0x01") as good:
        bombing = StubNode(dict(good.methods))

        async def answer(request: web.Request) -> web.StreamResponse:
            content = orjson.loads(await request.read())
            asked = [item["method"] for item in (content if isinstance(content, list) else [content])]
            if set(asked) <= {"eth_chainId", "eth_blockNumber"}:
                answers = [bombing.answer(item) for item in (content if isinstance(content, list) else [content])]
                return json_response(answers if isinstance(content, list) else answers[0])
            return web.Response(body=body, headers={"Content-Encoding": encoding})

        async with rpc_endpoint(answer) as url, Rpc(url, good.url, timeout_seconds=20, attempts_max=4, chain_id=1) as rpc:
            for _ in range(6):
                assert await rpc.call("eth_call", []) == "0x01"
                assert await rpc.call("eth_getLogs", [{"fromBlock": "0x1", "toBlock": "0x5"}]) == logs
            reports = {report.name: report for report in rpc.endpoints()}
            assert reports[endpoint_name(good.url)].is_healthy


async def test_answer_of_the_largest_size_is_read() -> None:
    largest = "0x" + "0" * (OTHER_ANSWER_BYTES_MAX - 100)
    async with (
        stub_node(eth_gasPrice=largest, eth_call="0x" + "0" * (2 * MB)) as node,
        Rpc(node.url, timeout_seconds=10, attempts_max=1) as rpc,
    ):
        assert await rpc.call("eth_gasPrice", []) == largest
        assert len(await rpc.call("eth_call", [])) == 2 * MB + 2
        node.methods["eth_gasPrice"] = largest + "0" * 100
        with pytest.raises(RpcUnavailable, match="1048576 bytes"):
            await rpc.call("eth_gasPrice", [])


async def test_batch_and_range_with_too_long_answers_are_split() -> None:
    """Each answer is small enough by itself."""
    log = {"topics": ["0x" + "0" * 64] * 4, "data": "0x" + "0" * (5 * MB)}

    def logs_of(params: list[Any]) -> list[Any]:
        return [log] * (int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) + 1)

    async with (
        stub_node(eth_blockNumber="0x1000", eth_getBlockReceipts=["0" * 30 * MB], eth_getLogs=logs_of) as node,
        Rpc(node.url, timeout_seconds=20, attempts_max=3) as rpc,
    ):
        assert len(await rpc.batch([("eth_getBlockReceipts", [])] * 3)) == 3
        before = rpc.range_blocks()
        with pytest.raises((RpcError, RpcUnavailable)):
            await rpc.call("eth_getLogs", [{"fromBlock": "0x1", "toBlock": hex(20)}])
        assert rpc.range_blocks() < min(before, 20)


def test_every_answer_has_a_limit_and_a_batch_has_one() -> None:
    assert answer_bytes_max(["eth_blockNumber"]) == OTHER_ANSWER_BYTES_MAX
    assert answer_bytes_max(["eth_blockNumber", "eth_call"]) == OTHER_ANSWER_BYTES_MAX + ANSWER_BYTES_MAX["eth_call"]
    assert answer_bytes_max(["eth_getLogs"] * 1_000) == BATCH_BYTES_MAX == max(ANSWER_BYTES_MAX.values())


@pytest.mark.parametrize("is_compressed", [False, True], ids=["plain", "compressed"])
async def test_head_too_long_ends_the_subscription_only(is_compressed: bool, eventually: Callable[..., Any]) -> None:
    """The listener wakes by polling meanwhile, and subscribes again."""
    subscriptions = 0

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response()

    async def listen(request: web.Request) -> web.StreamResponse:
        nonlocal subscriptions
        subscriptions += 1
        socket = web.WebSocketResponse(compress=is_compressed)
        await socket.prepare(request)
        await socket.receive()
        await socket.send_str("0" * 50 * MB)
        await socket.close()
        return socket

    async with rpc_endpoint(handle, listen=listen) as url:
        heads = NewHeadsSubscription(url.replace("http://", "ws://"), poll_seconds=0.05, silence_seconds=10)
        listening = asyncio.create_task(heads.listen())

        async def subscribed_again() -> bool:
            return subscriptions >= 2

        await eventually(subscribed_again)
        await heads.wait()
        assert not listening.done()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


@pytest.mark.parametrize("bomb", ["gzip", "values"])
async def test_bomb_of_the_signer_is_no_answer(bombs: dict[str, tuple[str, bytes]], bomb: str, tmp_path: Path) -> None:
    app = web.Application()
    app.router.add_get("/health", answering_with(*bombs[bomb]))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "signer.sock")).start()
    try:
        with pytest.raises(SignerUnavailable, match="no usable answer"):
            await SignerClient(SocketLink(tmp_path / "signer.sock"), 10).health()
    finally:
        await runner.cleanup()


async def test_endless_answer_of_kms_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the credentials of the first client
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * MB)
            sent += MB

    app = web.Application()
    app.router.add_post("/", endless)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        client = await asyncio.to_thread(kms_client, "eu-central-1", f"http://{host}:{port}")
        with pytest.raises(KeyUnavailable, match="262144 bytes"):
            await KmsKey.open(client, "alias/keeper")
    finally:
        await runner.cleanup()
    assert sent < 50 * MB, "it read far more than the limit"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_compressed_upload_is_not_decoded(api_server: ApiServer, encoding: str) -> None:
    """The API takes JSON as it is: a body that decodes to 50 MB is 50 kB of no JSON."""
    body = compressed(long_text(50), encoding)
    assert len(body) < api_server.api_client.settings.api.body_bytes_max
    answer = await api_server.api_client.client.post(
        "/api/v1/auth/challenge", content=body, headers={"Content-Encoding": encoding, "Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "VALIDATION_ERROR"
