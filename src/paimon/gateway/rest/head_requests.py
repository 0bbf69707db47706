"""HEAD on every endpoint that has GET: the application handles the request as GET, and only the headers are sent.

One place before all routes, so that no route declares HEAD, and status and headers cannot differ from its GET.
"""

from collections.abc import MutableMapping
from typing import Any

from starlette.types import Message, Scope, Send


class HeadAnswered(OSError):
    """The headers are sent. It ends a response that would go on to make its body, like a client that has gone away."""


def is_head_answered(error: Exception) -> bool:
    """Return whether the error only ends an answered HEAD. Starlette makes its own error of one while it streams."""
    return isinstance(error, HeadAnswered) or isinstance(error.__context__, HeadAnswered)


def scope_as_get(scope: Scope) -> MutableMapping[str, Any]:
    """Copy the scope with GET as its method. The server keeps its own, by which it knows that no body follows."""
    return {**scope, "method": "GET"}


def without_body(send: Send) -> Send:
    """Send an empty body after the headers, and drop the response's own."""

    async def send_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        elif message.get("more_body"):
            raise HeadAnswered

    return send_headers
