"""Floods of one caller on the API: with its limits, and with the limits set so high that there are none (the baseline).

The API runs in a process of its own, on the services of a demo. Counts do not depend on the machine: what of a flood is served.
The wait of a signed-in person at another address does; the flood comes from a process of its own.
"""

import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
from tests.support.cli_processes import CliRunner
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from bench.figures import Figure
from paimon.settings import ApiSettings
from paimon_devkit.stack.api_client import DemoApiClient
from paimon_devkit.stack.demo_stack import DemoStack
from paimon_devkit.stack.ports import free_port
from paimon_devkit.stack.supervisor import Supervisor

CHALLENGES: Final = 400
AT_ONCE: Final = 40
SOCKETS: Final = 200
PINGS: Final = 1_000
TOKENS: Final = 100
READS: Final = 100
READ_PAUSE_SECONDS: Final = 0.05
FLOODERS: Final = ("127.0.0.2", "127.0.0.3")
"""Addresses of the floods of challenges. The reads and the sockets come from another one, which has limits of its own."""
FLOOD_SECONDS_MAX: Final = 300
_LIMITS: Final = (
    "connections_per_address_max",
    "requests_per_second_per_address",
    "requests_burst_per_address",
    "sign_ins_per_minute_per_address",
    "sign_ins_burst_per_address",
    "ws_sockets_per_address_max",
    "ws_messages_per_second",
    "ws_messages_burst",
    "ws_auth_messages_per_minute",
    "ws_auth_messages_burst",
)
_DEFAULTS: Final = {f"PAIMON_API__{name.upper()}": str(ApiSettings.model_fields[name].default) for name in _LIMITS}
_UNLIMITED: Final = dict.fromkeys(_DEFAULTS, "1000000")


async def measure() -> list[Figure]:
    """Flood both APIs in the same ways."""
    with tempfile.TemporaryDirectory(prefix="paimon-bench-", ignore_cleanup_errors=True) as folder:
        stack = DemoStack(Path(folder), print_line=lambda _line: None, fast=True, environment={})
        with Supervisor(Path(folder)) as supervisor, CliRunner() as cli:
            await asyncio.to_thread(stack.start, supervisor)
            found = [await _flooded(stack, cli, environment) for environment in (_UNLIMITED, _DEFAULTS)]
    unlimited, limited = found
    return [Figure(f"attack.{name}", limited[name], name.rpartition(".")[2], unlimited[name]) for name in unlimited]


async def _flooded(stack: DemoStack, cli: CliRunner, environment: dict[str, str]) -> dict[str, float]:
    port = free_port()
    settings = stack.data / "settings" / "api.env"
    process = cli.start("--env-file", str(settings), "api", env=environment | {"PAIMON_API__PORT": str(port)})
    url = f"http://127.0.0.1:{port}"
    try:
        await _serves(url)
        async with DemoApiClient(url, stack.accounts.account("willa")) as person:
            token = await person.sign_in()  # before the flood takes the address's share
            waits = {"read_without_flood_p95.ms": await _read_p95_ms(person)}
            with _challenge_flood(url):
                waits["read_in_challenge_flood_p95.ms"] = await _read_p95_ms(person)
        return waits | {
            "challenge_flood.answered": float(await _answered_challenges(url)),
            "sockets_of_one_address.open": float(await _open_sockets(url)),
            "pings_of_one_socket.answered": float(await _answers(url, PINGS, {"type": "ping"}, "pong")),
            "tokens_of_one_socket.checked": float(
                await _answers(url, TOKENS, {"type": "auth", "token": token}, "authenticated")
            ),
        }
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)


async def _serves(url: str) -> None:
    async with asyncio.timeout(120), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"{url}/health/live") as answer:
                    if answer.ok:
                        return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.2)


async def _read_p95_ms(person: DemoApiClient) -> float:
    """Return what 95 of 100 reads of the fund's overview take at most, one after another."""
    waits: list[float] = []
    for _ in range(READS):
        began = time.perf_counter()
        await person.get("/fund/overview")
        waits.append((time.perf_counter() - began) * 1_000)
        await asyncio.sleep(READ_PAUSE_SECONDS)
    return round(statistics.quantiles(waits, n=20)[-1], 1)


@contextmanager
def _challenge_flood(url: str) -> Iterator[None]:
    """Ask for challenges without end from another address, as many at once, in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    flooding = spawn.Event()
    process = spawn.Process(target=_flood, args=(url, flooding), daemon=True)
    process.start()
    try:
        if not flooding.wait(60):
            raise TimeoutError("the flood has not begun after 60 s")
        yield
    finally:
        process.terminate()
        process.join()


def _flood(url: str, flooding: Any) -> None:
    asyncio.run(_ask_for_challenges(url, flooding))


async def _ask_for_challenges(url: str, flooding: Any) -> None:
    end = time.monotonic() + FLOOD_SECONDS_MAX
    connector = aiohttp.TCPConnector(limit=AT_ONCE, local_addr=(FLOODERS[0], 0))
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ask() -> None:
            while time.monotonic() < end:
                async with session.post(f"{url}/api/v1/auth/challenge", json={"address": "0x" + "11" * 20}):
                    flooding.set()

        await asyncio.gather(*(ask() for _ in range(AT_ONCE)))


async def _answered_challenges(url: str) -> int:
    body = {"address": "0x" + "11" * 20}
    limit = aiohttp.TCPConnector(limit=AT_ONCE, local_addr=(FLOODERS[1], 0))
    async with aiohttp.ClientSession(connector=limit) as session:

        async def ask() -> bool:
            async with session.post(f"{url}/api/v1/auth/challenge", json=body) as answer:
                return answer.status == 200

        return sum(await asyncio.gather(*(ask() for _ in range(CHALLENGES))))


async def _open_sockets(url: str) -> int:
    async with AsyncExitStack() as stack:
        for opened in range(SOCKETS):
            try:
                await stack.enter_async_context(_socket(url))
            except InvalidStatus:
                return opened
    return SOCKETS


def _socket(url: str) -> connect:
    return connect(f"{url.replace('http', 'ws', 1)}/api/v1/ws")


async def _answers(url: str, count: int, message: dict[str, str], kind: str) -> int:
    """Send a message so often, as fast as the answers come. Return how many were answered before the API ended it."""
    async with _socket(url) as socket:
        for answered in range(count):
            try:
                await socket.send(json.dumps(message))
                if not await _is_next(socket, kind):
                    return answered
            except ConnectionClosed:
                return answered
    return count


async def _is_next(socket: ClientConnection, kind: str) -> bool:
    """Report whether an answer of this kind comes before an error; live messages between them do not count."""
    while True:
        received: dict[str, Any] = json.loads(await socket.recv())
        if received.get("type") in (kind, "error"):
            return bool(received["type"] == kind)
