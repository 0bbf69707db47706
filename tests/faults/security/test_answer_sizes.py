"""Answers of other servers that would fill the memory: gzip and deflate bombs, endless bodies, JSON of millions of values."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
import orjson
import pytest
from aiohttp import WSMsgType, web
from tests.support.api_server import ApiServer
from tests.support.chain.stub_node import StubNode, json_response, rpc_endpoint, stub_node
from tests.support.faults.bombs import compressed, long_text, many_values

from paimon.application.event_listener.ingest.new_heads import NewHeadsSubscription
from paimon.domain.chain.answer_sizes import ANSWER_BYTES_MAX, BATCH_BYTES_MAX, OTHER_ANSWER_BYTES_MAX, answer_bytes_max
from paimon.domain.notification.message import Occasion, Outcome, OutgoingMessage
from paimon.domain.risk.risk_event import Severity
from paimon.infrastructure.blockchain.rpc.endpoint import endpoint_name
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.keys.client import SignerClient, SignerUnavailable
from paimon.infrastructure.keys.key import KeyUnavailable
from paimon.infrastructure.keys.kms_key import KmsKey, kms_client
from paimon.infrastructure.keys.link import SocketLink
from paimon.infrastructure.notifications.apprise_service import send_by_apprise
from paimon.infrastructure.storage.objects import OBJECT_BYTES_MAX, ObjectStorage, ObjectTooLarge, StorageUnavailable
from paimon.settings.secret_stores import SecretUnavailable, read_secret

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


@pytest.mark.parametrize(("is_compressed", "close_code"), [(False, 1009), (True, 1002)], ids=["plain", "compressed"])
async def test_head_too_long_ends_the_subscription_only(
    is_compressed: bool, close_code: int, eventually: Callable[..., Any]
) -> None:
    """The listener wakes by polling meanwhile, and subscribes again. The server leaves each connection open."""
    closed: list[int | None] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response()

    async def listen(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        with suppress(ConnectionError):  # the connection may end while it is still being written
            await socket.send_str("0" * 5 * MB, compress=15 if is_compressed else None)
        message = await socket.receive()
        closed.append(message.data if message.type is WSMsgType.CLOSE else None)
        return socket

    async with rpc_endpoint(handle, listen=listen) as url:
        heads = NewHeadsSubscription(url.replace("http://", "ws://"), poll_seconds=0.05, silence_seconds=300)
        listening = asyncio.create_task(heads.listen())

        async def ended_twice() -> bool:
            return len(closed) >= 2

        await eventually(ended_twice, seconds_max=60)
        await heads.wait()
        assert not listening.done()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    assert set(closed) == {close_code}


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


@asynccontextmanager
async def endless_server() -> AsyncIterator[tuple[str, list[int]]]:
    """Serve every request with a body that does not end. Yield the URL, and the megabytes that were taken of each answer."""
    taken: list[int] = []

    async def endless(request: web.Request) -> web.StreamResponse:
        taken.append(0)
        at = len(taken) - 1
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * MB)
            taken[at] += 1

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", endless)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}", taken
    finally:
        await runner.cleanup()
    assert taken, "no one asked"
    assert max(taken) < 50, "it read far more than the limit"


@pytest.fixture
def aws_credentials(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the credentials of the first client
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    return monkeypatch


@pytest.mark.usefixtures("aws_credentials")
async def test_endless_answer_of_kms_is_no_answer() -> None:
    async with endless_server() as (url, _):
        client = await asyncio.to_thread(kms_client, "eu-central-1", url)
        with pytest.raises(KeyUnavailable, match="262144 bytes"):
            await KmsKey.open(client, "alias/keeper")


async def test_endless_answer_of_secrets_manager_is_no_secret(aws_credentials: pytest.MonkeyPatch) -> None:
    async with endless_server() as (url, _):
        aws_credentials.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(SecretUnavailable, match="AWS Secrets Manager cannot be asked: HTTPClientError"):
            await asyncio.to_thread(read_secret, "secret://aws/prod/endless")


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise imports it with its first service
async def test_endless_answer_of_a_notified_service_is_a_failure() -> None:
    message = OutgoingMessage(7, "a key", "apprise", Occasion.TEST, Severity.WARNING, "a title", "a body", "an alarm")
    async with endless_server() as (url, taken):
        attempt = await asyncio.to_thread(send_by_apprise, url.replace("http://", "json://"), message)
        assert attempt.outcome is Outcome.RETRY
        assert len(taken) == 1, "it reached the service"


async def test_object_that_is_too_large_is_neither_read_nor_written(tmp_path: Path) -> None:
    objects = ObjectStorage(f"file://{tmp_path}", timeout_seconds=60)
    with (tmp_path / "planted").open("wb") as file:
        file.truncate(OBJECT_BYTES_MAX + 1)
    with pytest.raises(StorageUnavailable, match="more than the 67108864 bytes"):
        await objects.find("planted")
    with pytest.raises(ObjectTooLarge):
        await objects.create("own", bytes(OBJECT_BYTES_MAX + 1))
    assert await objects.find("own") is None
    await objects.create("small", b"content")
    assert await objects.find("small") == b"content"


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
