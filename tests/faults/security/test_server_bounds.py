"""What strangers and users can make the API's server keep or do: each has a bound, and others are served meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest
from eth_account import Account
from prometheus_client import REGISTRY
from tests.support.api_client import seed_users
from tests.support.api_server import ApiServer, receive_message, receive_until_close, running_api_server, send_message
from tests.support.chain.fund import TestFund
from tests.support.sign_in import personal_sign
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from paimon.application.identity.api_keys import KEY_PREFIX
from paimon.gateway.rest import request_limits
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings

pytestmark = pytest.mark.fault

ServerWith = Callable[..., Any]


@pytest.fixture
def server_with(settings: Settings, fund: TestFund, database: Database, eventually: Callable[..., Any]) -> Callable[..., Any]:
    """Return a context manager of a server with other limits."""

    @asynccontextmanager
    async def running(**limits: Any) -> AsyncIterator[ApiServer]:
        await seed_users(database, fund)
        changed = settings.model_copy(update={"api": settings.api.model_copy(update=limits)})
        async with running_api_server(changed, fund, eventually) as opened:
            yield opened

    return running


async def send_raw(server: ApiServer, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(data)
    return reader, writer


async def answer_of(reader: asyncio.StreamReader) -> bytes:
    """Return all that the server sends until it closes."""
    async with asyncio.timeout(20):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


async def read_response(reader: asyncio.StreamReader) -> bytes:
    """Return one response with a declared length."""
    async with asyncio.timeout(20):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return head + await reader.readexactly(length)


def ended_connections(limit: str) -> float:
    return REGISTRY.get_sample_value("paimon_http_connections_refused_total", {"limit": limit}) or 0.0


@asynccontextmanager
async def http_client(server: ApiServer, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}/api/v1", headers=headers) as client:
        yield client


async def signed_challenge(client: httpx.AsyncClient) -> dict[str, str]:
    """Return a sign-in that is right in all but its wallet, which is no user's: it is judged in the database."""
    stranger = Account.create()
    message = (await client.post("/auth/challenge", json={"address": stranger.address})).json()["data"]["message"]
    return {"message": message, "signature": personal_sign(stranger, message)}


@dataclass(frozen=True)
class StrangersRequest:
    """What a stranger sends without end."""

    path: str
    body: Callable[[httpx.AsyncClient], Awaitable[dict[str, str]]] | None = None
    headers: dict[str, str] = field(default_factory=dict)


async def _of_a_wallet(_client: httpx.AsyncClient) -> dict[str, str]:
    return {"address": "0x" + "11" * 20}


async def _of_a_session(_client: httpx.AsyncClient) -> dict[str, str]:
    return {"refreshToken": "paimon_rt_" + "A" * 43}


STRANGERS: Final = {
    "challenge": StrangersRequest("/auth/challenge", _of_a_wallet),
    "sign in": StrangersRequest("/auth/verify", signed_challenge),
    "refresh": StrangersRequest("/auth/refresh", _of_a_session),
    "made-up API key": StrangersRequest("/redemptions", headers={"Authorization": f"Bearer {KEY_PREFIX}{'A' * 43}"}),
    "ready": StrangersRequest("/health/ready"),
    "health": StrangersRequest("/system/health"),
}


@pytest.mark.parametrize("request_of", STRANGERS.values(), ids=STRANGERS)
async def test_strangers_do_not_take_the_database_from_users(server_with: ServerWith, request_of: StrangersRequest) -> None:
    """Forty strangers ask at once, for ever; a user is served each time."""
    database = {"sign_ins_burst_per_address": 10_000, "requests_burst_per_address": 10_000}
    async with server_with(**database) as server, http_client(server, **request_of.headers) as client:
        ended = asyncio.Event()
        body = None if request_of.body is None else await request_of.body(client)

        async def ask() -> None:
            while not ended.is_set():
                path = request_of.path
                await (client.get(path, timeout=30) if body is None else client.post(path, json=body, timeout=30))

        strangers = [asyncio.create_task(ask()) for _ in range(40)]
        try:
            for _ in range(10):
                answer = await server.api_client.get("/redemptions")
                assert answer.status_code == 200
                pool = server.app.state.context.database.engine.pool
                assert pool.checkedout() <= 4 + 1 + 1, "strangers hold the pool's connections"
        finally:
            ended.set()
            await asyncio.gather(*strangers)


async def test_unfinished_head_and_idle_connection_end(server_with: ServerWith) -> None:
    async with server_with(head_seconds_max=0.5) as server:
        half = [await send_raw(server, b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: ") for _ in range(20)]
        idle = [await send_raw(server, b"") for _ in range(20)]
        for answer in await asyncio.gather(*(answer_of(reader) for reader, _ in half)):
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b'"REQUEST_REFUSED"' in answer
        assert set(await asyncio.gather(*(answer_of(reader) for reader, _ in idle))) == {b""}
        for _, writer in (*half, *idle):
            writer.close()


async def test_head_that_trickles_in_ends_at_the_same_deadline(server_with: ServerWith) -> None:
    """Each byte comes in time; the whole head does not."""
    async with server_with(head_seconds_max=0.5) as server:
        reader, writer = await send_raw(server, b"GET /health/live HTTP/1.1\r\n")

        async def trickle() -> None:
            while not writer.is_closing():
                writer.write(b"X-A: b\r\n")
                await asyncio.sleep(0.05)

        trickling = asyncio.create_task(trickle())
        assert (await answer_of(reader)).startswith(b"HTTP/1.1 408 ")
        trickling.cancel()
        writer.close()


async def test_body_that_does_not_come_ends(server_with: ServerWith) -> None:
    async with server_with(body_seconds_max=0.5) as server:
        reader, writer = await send_raw(
            server,
            b"POST /api/v1/auth/challenge HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60\r\n\r\n{",
        )
        assert (await answer_of(reader)).startswith(b"HTTP/1.1 408 ")
        writer.close()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health/live HTTP/1.1\r\nX-Long: %s\r\n\r\n",
        b"GET /health/live?%s HTTP/1.1\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\n%s: a\r\n\r\n",
    ],
    ids=["value", "target", "name"],
)
async def test_long_head_is_refused_before_it_is_read(server_with: ServerWith, head: bytes) -> None:
    """A head of 60 MB costs next to nothing: the server stops reading it at the limit."""
    async with server_with() as server:
        cpu = time.process_time()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        before, after = head.split(b"%s")
        writer.write(before)

        async def send() -> None:
            try:
                for _ in range(60):
                    writer.write(b"a" * 1_000_000)
                    await writer.drain()
                writer.write(after)
            except (ConnectionResetError, BrokenPipeError):
                pass

        sending = asyncio.create_task(send())
        answer = await answer_of(reader)
        await sending
        writer.close()
        assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")  # a reset may overtake the answer
        assert time.process_time() - cpu < 1.0, "7 s before there was a limit"


@pytest.mark.parametrize("size", [100, 16_000, 30_000])
async def test_usual_heads_are_served_in_any_pieces(server_with: ServerWith, size: int) -> None:
    async with server_with() as server:
        request = b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * size + b"\r\n\r\n"
        reader, writer = await send_raw(server, b"")
        for _ in range(3):  # on one connection, in pieces of growing size
            sent = 0
            while sent < len(request):
                piece = request[sent : sent + max(1, sent)]
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
                sent += len(piece)
            assert (await read_response(reader)).startswith(b"HTTP/1.1 200 ")
        writer.write(request * 2 + request.replace(b"Host", b"Connection: close\r\nHost"))  # pipelined
        assert (await answer_of(reader)).count(b"HTTP/1.1 200 ") == 3
        writer.close()


async def test_body_of_the_largest_size_in_one_write_is_no_long_head(server_with: ServerWith) -> None:
    async with server_with() as server:
        body = b'{"address":"' + b"x" * (60 * 1024) + b'"}'
        head = (
            b"POST /api/v1/auth/challenge HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)
        )
        reader, writer = await send_raw(server, head + body)
        assert (await answer_of(reader)).startswith(b"HTTP/1.1 400 ")
        writer.close()


async def test_connections_of_one_address_are_bounded(server_with: ServerWith) -> None:
    async with server_with(connections_per_address_max=5) as server:
        opened = [await send_raw(server, b"") for _ in range(5)]
        reader, refused = await send_raw(server, b"GET /health/live HTTP/1.1\r\n\r\n")
        answer = await answer_of(reader)
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"Retry-After: 5\r\n" in answer
        assert b'"RATE_LIMITED"' in answer
        refused.close()
        for _, writer in opened:
            writer.close()
        async with http_client(server) as client:
            for _ in range(20):  # as connections end, others are served
                try:
                    assert (await client.get("/health/live")).status_code in (200, 429)
                except httpx.TransportError:
                    continue
            assert (await client.get("/health/live")).status_code == 200


async def test_requests_of_one_address_are_bounded(server_with: ServerWith) -> None:
    limits = {"requests_per_second_per_address": 0.01, "requests_burst_per_address": 20, "refusal_pause_seconds": 0}
    async with server_with(**limits) as server, http_client(server) as client:
        answers = [await client.get("/health/live") for _ in range(25)]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429] * 5
        refused = answers[-1]
        assert refused.json()["error"]["code"] == "RATE_LIMITED"
        assert 1 <= int(refused.headers["Retry-After"]) <= 100
        forged = await client.get("/health/live", headers={"X-Forwarded-For": "192.0.2.1"})
        assert forged.status_code == 429, "without a trusted proxy no caller may name another address"


async def test_trusted_proxy_names_the_address_that_counts(server_with: ServerWith) -> None:
    limits = {"requests_per_second_per_address": 0.01, "requests_burst_per_address": 3, "refusal_pause_seconds": 0}
    async with (
        server_with(**limits, trusted_proxies="127.0.0.0/8", connections_per_address_max=1) as server,
        http_client(server) as client,
    ):

        async def statuses(forwarded: list[str]) -> list[int]:
            answers = [await client.get("/health/live", headers={"X-Forwarded-For": address}) for address in forwarded]
            return [answer.status_code for answer in answers]

        assert await statuses(["192.0.2.1"] * 4 + ["192.0.2.2"]) == [200, 200, 200, 429, 200]
        assert await statuses([f"2001:db8::{number}" for number in range(1, 5)]) == [200, 200, 200, 429]
        assert await statuses(["203.0.113.9, 192.0.2.1"]) == [429], (
            "what a client writes before its own address is not believed"
        )


async def test_refusals_of_an_address_wait_and_others_are_served(
    server_with: ServerWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause never ends here. Two refusals may wait, and the next one is answered at once."""
    monkeypatch.setattr(request_limits, "_REFUSALS_PAUSED_MAX", 2)
    limits = {"requests_per_second_per_address": 0.01, "requests_burst_per_address": 1, "refusal_pause_seconds": 86_400}
    async with server_with(**limits, trusted_proxies="127.0.0.0/8") as server, AsyncExitStack() as stack:
        client, crowd = [await stack.enter_async_context(http_client(server)) for _ in range(2)]

        async def status(client: httpx.AsyncClient, address: str) -> int:
            return (await client.get("/health/live", headers={"X-Forwarded-For": address}, timeout=None)).status_code

        assert await status(client, "192.0.2.1") == 200
        refused = [asyncio.create_task(status(crowd, "192.0.2.1")) for _ in range(3)]
        try:
            assert await status(client, "192.0.2.2") == 200
            done, _ = await asyncio.wait(refused, timeout=60, return_when=asyncio.FIRST_COMPLETED)
            assert [answered.result() for answered in done] == [429]
            assert await status(client, "192.0.2.3") == 200
            assert sum(task.done() for task in refused) == 1
        finally:
            for task in refused:
                task.cancel()
            await asyncio.gather(*refused, return_exceptions=True)


async def test_requests_of_one_person_are_bounded_and_others_are_served(server_with: ServerWith) -> None:
    limits = {"requests_per_second_per_person": 0.01, "requests_burst_per_person": 5}
    async with server_with(**limits) as server:
        answers = [await server.api_client.get("/auth/me", by="willa") for _ in range(7)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
        assert answers[-1].json()["error"]["code"] == "RATE_LIMITED"
        assert int(answers[-1].headers["Retry-After"]) >= 1
        assert (await server.api_client.get("/auth/me", by="vera")).status_code == 200


async def test_challenges_of_one_address_are_bounded(server_with: ServerWith) -> None:
    limits = {"sign_ins_per_minute_per_address": 1, "sign_ins_burst_per_address": 3}
    async with server_with(**limits) as server:
        body = {"address": "0x" + "11" * 20}
        answers = [await server.api_client.post("/auth/challenge", body) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
        assert (await server.api_client.get("/auth/me")).status_code == 200


async def test_sockets_of_one_address_and_of_one_person_are_bounded(server_with: ServerWith) -> None:
    async with server_with(ws_sockets_per_address_max=4, ws_sockets_per_person_max=2) as server, AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(server.client("willa"))
        async with connect(server.url) as third:
            await send_message(third, type="auth", token=server.api_client.token("willa"))
            closed, messages = await receive_until_close(third)
        assert (closed, messages[-1]["code"]) == (4429, "RATE_LIMITED")
        for name in ("vera", "ada"):
            await stack.enter_async_context(server.client(name))
        with pytest.raises(InvalidStatus) as refused:
            async with connect(server.url):
                pass
        assert refused.value.response.status_code == 429
        assert refused.value.response.headers["Retry-After"] == "5"
        assert b"RATE_LIMITED" in refused.value.response.body
    async with server_with(ws_sockets_per_address_max=1, ws_sockets_per_person_max=1) as server:
        for _ in range(5):  # one that has ended counts no more
            async with server.client("willa"):
                pass


@pytest.mark.parametrize(
    ("limits", "messages"),
    [
        ({"ws_messages_per_second": 0.01, "ws_messages_burst": 10}, [{"type": "ping"}] * 12),
        ({"ws_messages_per_second": 0.01, "ws_messages_burst": 10}, [{"type": "nonsense"}] * 12),
        ({"ws_auth_messages_per_minute": 0.1, "ws_auth_messages_burst": 3}, [{"type": "auth"}] * 5),
    ],
    ids=["pings", "invalid", "tokens"],
)
async def test_messages_of_one_socket_are_bounded(
    server_with: ServerWith, limits: dict[str, float], messages: list[dict[str, str]]
) -> None:
    async with server_with(**limits) as server, server.client() as client:
        for message in messages:
            if message["type"] == "auth":
                message = message | {"token": server.api_client.token("willa")}
            await send_message(client, **message)
        closed, received = await receive_until_close(client)
        assert (closed, received[-1]["code"]) == (4429, "RATE_LIMITED")


@pytest.mark.parametrize("kind", ["ping", "pong", "fragment"])
async def test_control_frames_of_one_socket_are_bounded(server_with: ServerWith, kind: str) -> None:
    async with server_with(ws_bytes_per_second=100.0, ws_bytes_burst=65_536) as server, server.client() as client:

        async def flood() -> None:
            for number in range(5_000):
                if kind == "ping":
                    await client.ping(f"{number:100}".encode())
                elif kind == "pong":
                    await client.pong(b"x" * 100)
                else:
                    await client.send([b"x" * 100 for _ in range(50)])

        with suppress(ConnectionClosed):
            await flood()
        async with asyncio.timeout(30):
            await client.wait_closed()
        async with server.client() as other:
            await send_message(other, type="ping")
            assert await receive_message(other) == {"type": "pong"}


async def test_client_that_reads_nothing_of_its_response_is_ended(
    server_with: ServerWith, eventually: Callable[..., Any]
) -> None:
    async with server_with(stalled_seconds_max=0.5, requests_burst_per_address=100_000) as server:
        before = ended_connections("stalled")
        token = server.api_client.token("willa")
        request = f"GET /api/openapi.json HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1_024)
        writer.write(request * 200)  # far more than the kernel buffers

        async def is_ended() -> bool:
            return ended_connections("stalled") > before

        await eventually(is_ended)
        writer.close()
