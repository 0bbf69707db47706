"""Attacks of a stranger on the API's HTTP server: uvicorn as it comes, and with our bounds, with the same small application.

The server runs in a process of its own; its CPU time and memory are read from /proc. The baseline of each figure is uvicorn
as it comes. Floods of requests and messages go to the whole API (bench/suites/floods.py).
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI

from bench.figures import Figure
from bench.suites import floods
from paimon.gateway.http.server import create_server
from paimon.settings import ApiSettings

HEAD_MEGABYTES: Final = 60
CONNECTIONS: Final = 150
MANY: Final = 1_000
HEAD_SECONDS: Final = 2.0
_UNITS: Final = {"cpu_s": "s", "memory_mb": "MB", "open": "connections"}
_TICKS: Final = os.sysconf("SC_CLK_TCK")


async def measure() -> list[Figure]:
    """Attack both servers in the same ways."""
    found: list[dict[str, float]] = []
    for kind in ("plain", "bounded"):
        print(f"  {kind}", flush=True)
        with _server(kind) as (pid, port):
            found.append(await _attack(pid, port))
    plain, bounded = found
    figures = [Figure(f"attack.{name}", bounded[name], _UNITS[name.partition(".")[2]], plain[name]) for name in plain]
    print("  floods", flush=True)
    return figures + await floods.measure()


async def _attack(pid: int, port: int) -> dict[str, float]:
    await _ask(port)
    memory = _peak_megabytes(pid)
    before = _cpu_seconds(pid)
    await _send_long_head(port)
    await _ask(port)
    figures = {"long_head.cpu_s": _cpu_seconds(pid) - before, "long_head.memory_mb": _peak_megabytes(pid) - memory}
    half = [await _open(port, b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ") for _ in range(CONNECTIONS)]
    idle = [await _open(port, b"") for _ in range(CONNECTIONS // 3)]
    await asyncio.sleep(2 * HEAD_SECONDS)
    figures["half_sent_heads.open"] = sum([not await _has_ended(reader) for reader, _ in half])
    figures["idle_connections.open"] = sum([not await _has_ended(reader) for reader, _ in idle])
    for _, writer in (*half, *idle):
        writer.close()
    await asyncio.sleep(0.5)
    many = [await _open(port, b"") for _ in range(MANY)]
    await asyncio.sleep(0.5)
    figures["connections_of_one_address.open"] = sum([not await _has_ended(reader) for reader, _ in many])
    for _, writer in many:
        writer.close()
    return figures


async def _open(port: int, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    return reader, writer


async def _has_ended(reader: asyncio.StreamReader) -> bool:
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(0.001):
            await reader.read(65_536)
    return reader.at_eof() or reader.exception() is not None or reader._transport.is_closing()  # type: ignore[attr-defined]


async def _ask(port: int) -> None:
    reader, writer = await _open(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 200")
    writer.close()


async def _send_long_head(port: int) -> None:
    reader, writer = await _open(port, b"GET / HTTP/1.1\r\nX-Long: ")
    with suppress(ConnectionError):
        for _ in range(HEAD_MEGABYTES):
            writer.write(b"a" * 1_000_000)
            await writer.drain()
        writer.write(b"\r\n\r\n")
        await reader.read(100)
    writer.close()


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _peak_megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmHWM")


@contextmanager
def _server(kind: str) -> Iterator[tuple[int, int]]:
    listening = socket.create_server(("127.0.0.1", 0), backlog=2_048)
    port, descriptor = listening.getsockname()[1], listening.fileno()
    process = subprocess.Popen([sys.executable, "-m", "bench.suites.attacks", kind, str(descriptor)], pass_fds=[descriptor])
    listening.close()
    try:
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(20)


def serve(kind: str, descriptor: int) -> None:
    """Serve a small application on an inherited socket."""
    app = FastAPI()

    @app.get("/")
    async def root() -> str:
        return "ok"

    if kind == "plain":
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    else:
        server = create_server(app, ApiSettings(head_seconds_max=HEAD_SECONDS))
    server.run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
