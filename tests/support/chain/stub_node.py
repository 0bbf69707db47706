"""A node that speaks JSON-RPC over HTTP and answers, or fails, as a test specifies."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiohttp import web

from paimon.domain.kernel.chain import BlockStamp, Hash32, hex0x

KEY: Final = "s3cr3t-provider-key"
"""Part of every stub's URL, as with real providers. No message may show it."""


class NodeError(Exception):
    """The error that a method of the node answers instead of a result."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.answer = {"code": code, "message": message} | ({} if data is None else {"data": data})


Disturbance = Callable[[web.Request, list[dict[str, Any]]], Awaitable[web.StreamResponse]]
"""Answer one HTTP request in place of the node. The second argument is what the node would have answered."""


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class StubNode:
    """A node. `methods` maps a method's name to its result, or to a function of its parameters."""

    methods: dict[str, Any] = field(default_factory=dict)
    disturbances: list[Disturbance] = field(default_factory=list)
    received: list[tuple[str, list[Any]]] = field(default_factory=list)
    requests: int = 0
    url: str = ""

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        method, params = body["method"], body["params"]
        self.received.append((method, params))
        head = {"jsonrpc": "2.0", "id": body["id"]}
        if method not in self.methods:
            return head | {"error": {"code": -32601, "message": f"the method {method} does not exist/is not available"}}
        result = self.methods[method]
        try:
            return head | {"result": result(params) if callable(result) else result}
        except NodeError as error:
            return head | {"error": error.answer}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        content = orjson.loads(await request.read())
        answers = [self.answer(body) for body in (content if isinstance(content, list) else [content])]
        if self.disturbances:
            return await self.disturbances.pop(0)(request, answers)
        return json_response(answers if isinstance(content, list) else answers[0])


def json_response(content: Any, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")


def replying_with(status: int, body: bytes = b"") -> Disturbance:
    async def reply(_request: web.Request, _answers: list[dict[str, Any]]) -> web.StreamResponse:
        return web.Response(status=status, body=body)

    return reply


def answering(change: Callable[[list[dict[str, Any]]], Any]) -> Disturbance:
    """Return a disturbance that changes the node's answers."""

    async def reply(_request: web.Request, answers: list[dict[str, Any]]) -> web.StreamResponse:
        return json_response(change(answers))

    return reply


async def reset(request: web.Request, _answers: list[dict[str, Any]]) -> web.StreamResponse:
    """Abort the connection in the middle of the exchange."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def no_answer(_request: web.Request, _answers: list[dict[str, Any]]) -> web.StreamResponse:
    """Answer only after every timeout of a test."""
    await asyncio.sleep(30)
    return web.Response()


@asynccontextmanager
async def stub_node(**methods: Any) -> AsyncIterator[StubNode]:
    node = StubNode(methods)
    async with rpc_endpoint(node.handle) as node.url:
        yield node


@asynccontextmanager
async def rpc_endpoint(handle: Handler, *, listen: Handler | None = None) -> AsyncIterator[str]:
    """Open an endpoint whose requests `handle` answers, and whose WebSockets `listen` accepts. Yield its URL."""
    app = web.Application()
    app.router.add_post("/{key}", handle)
    if listen is not None:
        app.router.add_get("/{key}", listen)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/{KEY}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def non_http_server() -> AsyncIterator[str]:
    """Open a port with a server that does not speak HTTP. Yield its URL."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(b"220 mail.example ESMTP\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/{KEY}"


def header_of(block: BlockStamp, parent: Hash32) -> dict[str, Any]:
    """Return a block as `eth_getBlockByNumber` returns it, with the fields that tests need."""
    return {
        "number": hex(block.number),
        "hash": hex0x(block.hash),
        "parentHash": hex0x(parent),
        "timestamp": hex(int(block.timestamp.timestamp())),
    }
