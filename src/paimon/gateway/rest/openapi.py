"""The API's own description: a real example for every answer, every failure it can give, and 400 where FastAPI says 422.

The examples are answers recorded from the integration tests' fund; a test holds them against the schemas, and others hold
the live answers against them.
"""

from functools import cache
from importlib.resources import files
from typing import Any, Final

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from paimon.gateway.rest.envelope import ErrorBody, ErrorCode, ErrorDetail, ErrorEnvelope
from paimon.gateway.rest.list_responses import MEDIA_TYPE, CsvTable

_FAILURES: Final[dict[int, ErrorBody]] = {
    400: ErrorBody(
        code=ErrorCode.VALIDATION_ERROR,
        message="a page holds at most 100 items, 500 were asked for",
        details=[ErrorDetail(field="pageSize", message="a page holds at most 100 items, 500 were asked for")],
    ),
    401: ErrorBody(code=ErrorCode.AUTH_EXPIRED, message="The access token has expired; sign in again."),
    403: ErrorBody(
        code=ErrorCode.FORBIDDEN,
        message="0x70997970C51812dc3A010C7d01b50e0d17dc79C8 does not hold VIP_APPROVER_ROLE on the RedemptionManager",
    ),
    404: ErrorBody(code=ErrorCode.NOT_FOUND, message="there is no redemption request 4711"),
    409: ErrorBody(code=ErrorCode.CONFLICT, message="ticket TKT-R000001 is APPROVED; it takes no more decisions"),
    413: ErrorBody(code=ErrorCode.PAYLOAD_TOO_LARGE, message="the request's body is larger than 65536 bytes"),
    415: ErrorBody(
        code=ErrorCode.UNSUPPORTED_MEDIA_TYPE, message="the body must be JSON, sent with Content-Type: application/json"
    ),
    503: ErrorBody(code=ErrorCode.SERVICE_UNAVAILABLE, message="the database does not answer; try again shortly"),
}
_FAILURE_DESCRIPTIONS: Final = {
    400: "A value of the request is wrong; `details` names each",
    401: "No access token, one that is not valid, or one that has expired",
    403: "The signed-in wallet may not do this",
    404: "Not here",
    409: "What is asked does not fit the present state",
    413: "The body is too large",
    415: "The body is not JSON",
    503: "The database, Redis or the node does not answer",
}
_EXAMPLE_TIME: Final = "2026-11-22T12:00:00Z"
_REQUEST_ID: Final = "3f0c2f4e9a7b4d0f8f5d1c2b3a495867"


_EXAMPLE_KEY: Final = "recorded"
"""Stands for an example by its name until the document is made: FastAPI would leave out every null inside it."""


_TABLES: Final[dict[str, CsvTable[Any]]] = {}
"""Lists by the name of their example."""


@cache
def examples() -> dict[str, Any]:
    """Recorded answers by name."""
    recorded: dict[str, Any] = orjson.loads(files(__package__).joinpath("examples.json").read_bytes())
    return recorded


def answers(example: str, *failures: int, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """What an endpoint answers: its recorded success, and the failures it can give; of a query that it does not have, 400."""
    responses: dict[int | str, dict[str, Any]] = {
        status: {"content": {"application/json": {"example": {_EXAMPLE_KEY: example}}}},
    }
    for failure in sorted({400, *failures}):
        body = ErrorEnvelope.model_validate({"error": _FAILURES[failure], "timestamp": _EXAMPLE_TIME, "requestId": _REQUEST_ID})
        content = body.model_dump(mode="json", by_alias=True, exclude_none=True)
        responses[failure] = {
            "model": ErrorEnvelope,
            "description": _FAILURE_DESCRIPTIONS[failure],
            "content": {"application/json": {"example": content}},
        }
    return responses


def with_csv(table: CsvTable[Any], responses: dict[int | str, dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """The same for a list, which is also given as CSV."""
    content = responses[200]["content"]
    recorded = content["application/json"]["example"]
    _TABLES[recorded[_EXAMPLE_KEY]] = table
    content[MEDIA_TYPE] = {"schema": {"type": "string", "description": "all rows of the filter, RFC 4180"}, "example": recorded}
    return responses


def _insert_examples(content: dict[str, Any]) -> None:
    """The recorded answer in place of its name; of a list also as the file it would be."""
    if (name := content["application/json"]["example"].get(_EXAMPLE_KEY)) is None:
        return
    content["application/json"]["example"] = examples()[name]
    if (file := content.get(MEDIA_TYPE)) is not None:
        table = _TABLES[name]
        file["example"] = table.text(table.envelope.model_validate(examples()[name]).data)


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once. A request that is not valid is answered by 400 here, so 422 is taken out."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            for answer in operation["responses"].values():
                _insert_examples(answer["content"])
    for unused in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(unused, None)
    app.openapi_schema = document
    return document
