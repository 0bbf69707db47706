"""The AsyncAPI document of the WebSocket: `docs/reference/asyncapi.json` is made from it (`make reference`).

All messages share one connection, so the document has one channel. The names to subscribe to (`fund:nav`) are part of the
messages. `receive` and `send` are the server's.
"""

import json
from importlib.metadata import version
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from paimon.gateway.websocket.messages import (
    CLIENT_MESSAGES,
    LIVE_MESSAGES,
    LIVE_SUMMARIES,
    SERVER_MESSAGES,
    Auth,
    Authenticated,
    Error,
    Ping,
    Pong,
    Resync,
    Subscribe,
    Subscribed,
    Unsubscribe,
)
from paimon.gateway.websocket.protocol import FRAME_CHARS_MAX, CloseCode

_CHANNEL: Final = "live"
_OPERATIONS: Final[dict[str, tuple[type[BaseModel], tuple[type[BaseModel], ...]]]] = {
    "authenticate": (Auth, (Authenticated, Error)),
    "subscribe": (Subscribe, (Subscribed, Error)),
    "unsubscribe": (Unsubscribe, (Subscribed, Error)),
    "ping": (Ping, (Pong,)),
}
"""The requests of a client, with their replies."""

_CLOSE_CODES: Final[dict[CloseCode, str]] = {
    CloseCode.TOO_BIG: f"a frame of more than {FRAME_CHARS_MAX} characters",
    CloseCode.TRY_AGAIN_LATER: "the client reads too slowly, or a component does not answer: connect again later",
    CloseCode.RATE_LIMITED: "too many messages or access tokens on this connection, or too many connections of this person",
    CloseCode.UNAUTHORISED: "no token in time, an invalid one, or one that has expired; an error message says which",
}
_DESCRIPTION: Final = "Text frames of JSON in both directions. The server closes a connection with these codes: " + "; ".join(
    f"{code.value}, {reason}" for code, reason in _CLOSE_CODES.items()
)


def asyncapi_document() -> dict[str, Any]:
    """Make the document."""
    messages = [*CLIENT_MESSAGES, *SERVER_MESSAGES, *LIVE_MESSAGES.values()]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Paimon Prime Fund: live messages",
            "version": version("paimon"),
            "description": "Live messages of the fund over one WebSocket. Shapes and words are those of the REST API.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "api": {"host": "localhost:8000", "protocol": "ws", "description": "as deployed: the host of the REST API, wss"}
        },
        "channels": {
            _CHANNEL: {
                "address": "/api/v1/ws",
                "description": _DESCRIPTION,
                "messages": {model.__name__: {"$ref": _message_ref(model)} for model in messages},
                "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
            }
        },
        "operations": _operations(),
        "components": {
            "messages": {model.__name__: _message(model) for model in messages},
            "schemas": _schemas(messages),
        },
    }


def asyncapi_reference() -> str:
    """Return the document as JSON of one line per value."""
    return json.dumps(asyncapi_document(), indent=1, ensure_ascii=False) + "\n"


def _operations() -> dict[str, Any]:
    channel = {"$ref": f"#/channels/{_CHANNEL}"}
    requests = {
        name: {
            "action": "receive",
            "channel": channel,
            "summary": request.__doc__,
            "messages": [_in_channel(request)],
            "reply": {"channel": channel, "messages": [_in_channel(reply) for reply in replies]},
        }
        for name, (request, replies) in _OPERATIONS.items()
    }
    live = {
        f"publish{model.__name__.removesuffix('Message')}": {
            "action": "send",
            "channel": channel,
            "summary": LIVE_SUMMARIES[channel_name],
            "messages": [_in_channel(model)],
        }
        for channel_name, model in LIVE_MESSAGES.items()
    }
    notify = {
        "action": "send",
        "channel": channel,
        "summary": "Say that messages may be lost, or why the connection is about to close",
        "messages": [_in_channel(model) for model in (Resync, Error)],
    }
    return requests | live | {"notify": notify}


def _message(model: type[BaseModel]) -> dict[str, Any]:
    return {"name": model.__name__, "summary": model.__doc__, "payload": {"$ref": f"#/components/schemas/{model.__name__}"}}


def _message_ref(model: type[BaseModel]) -> str:
    return f"#/components/messages/{model.__name__}"


def _in_channel(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/channels/{_CHANNEL}/messages/{model.__name__}"}


def _schemas(models: list[type[BaseModel]]) -> dict[str, Any]:
    inputs: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "serialization") for model in models]
    _, definitions = models_json_schema(inputs, ref_template="#/components/schemas/{model}")
    schemas: dict[str, Any] = definitions["$defs"]
    return schemas
