"""The OpenAPI document: a recorded example for every response, every error it can give, and 400 where FastAPI says 422.

The examples are responses recorded in the integration tests. One test compares them with the schemas; the integration tests
compare the live responses with them.
"""

from collections.abc import Mapping
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
        message="a page holds at most 100 items, 500 were requested",
        details=[ErrorDetail(field="pageSize", message="a page holds at most 100 items, 500 were requested")],
    ),
    401: ErrorBody(code=ErrorCode.AUTH_EXPIRED, message="The access token has expired; sign in again."),
    403: ErrorBody(
        code=ErrorCode.FORBIDDEN,
        message="0x70997970C51812dc3A010C7d01b50e0d17dc79C8 does not hold VIP_APPROVER_ROLE on the RedemptionManager",
    ),
    404: ErrorBody(code=ErrorCode.NOT_FOUND, message="there is no redemption request 4711"),
    405: ErrorBody(code=ErrorCode.METHOD_NOT_ALLOWED, message="DELETE is not allowed here"),
    409: ErrorBody(code=ErrorCode.CONFLICT, message="ticket TKT-R000001 is APPROVED; it takes no more decisions"),
    413: ErrorBody(code=ErrorCode.PAYLOAD_TOO_LARGE, message="the request's body is larger than 65536 bytes"),
    415: ErrorBody(
        code=ErrorCode.UNSUPPORTED_MEDIA_TYPE, message="the body must be JSON, sent with Content-Type: application/json"
    ),
    429: ErrorBody(code=ErrorCode.RATE_LIMITED, message="too many requests of this person; try again in 3 s"),
    503: ErrorBody(code=ErrorCode.SERVICE_UNAVAILABLE, message="the database does not answer; try again shortly"),
}
_FAILURE_DESCRIPTIONS: Final = {
    400: "A value of the request is invalid; `details` lists each",
    401: "No access token, one that is not valid, or one that has expired",
    403: "The signed-in wallet may not do this",
    404: "Not found",
    405: "The path has no such method; `Allow` lists those it has",
    409: "The request does not fit the present state",
    413: "The body is too large",
    415: "The body is not JSON",
    429: "Too many requests of this address or person; `Retry-After` says when to try again",
    503: "The database, Redis or the node does not answer",
}
_EXAMPLE_TIME: Final = "2026-11-22T12:00:00Z"
_REQUEST_ID: Final = "3f0c2f4e9a7b4d0f8f5d1c2b3a495867"


_EXAMPLE_KEY: Final = "recorded"
"""Key of the placeholder that names an example until the document is made: FastAPI would drop every null of the example."""


_TABLES: Final[dict[str, CsvTable[Any]]] = {}
"""CSV tables by the name of their example."""


@cache
def examples() -> dict[str, Any]:
    """Load the recorded responses by name."""
    recorded: dict[str, Any] = orjson.loads(files(__package__).joinpath("examples.json").read_bytes())
    return recorded


def documented_responses(example: str, *failures: int, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """Document an endpoint's recorded success and its errors.

    Two are everyone's: 400, because an unknown query parameter is refused, and 429. With 401 comes 403.
    """
    responses: dict[int | str, dict[str, Any]] = {
        status: {"content": {"application/json": {"example": {_EXAMPLE_KEY: example}}}},
    }
    refusals = {401, 403} if 401 in failures else set()  # a right may be denied to anyone who signed in
    for failure in sorted({400, 429, *refusals, *failures}):
        responses[failure] = {
            "model": ErrorEnvelope,
            "description": _FAILURE_DESCRIPTIONS[failure],
            "content": {"application/json": {"example": _failure_example(failure)}},
        }
    return responses


def _failure_example(status: int) -> dict[str, Any]:
    body = ErrorEnvelope.model_validate({"error": _FAILURES[status], "timestamp": _EXAMPLE_TIME, "requestId": _REQUEST_ID})
    return body.model_dump(mode="json", by_alias=True, exclude_none=True)


_OTHER_METHODS: Final = "x-other-methods"
"""A path's response to every method that it does not list. OpenAPI has no place for it: responses belong to operations."""


def _document_other_methods(document: dict[str, Any]) -> None:
    """Describe 405 once, and refer to it from every path."""
    schema = {"$ref": "#/components/schemas/ErrorEnvelope"}
    document["components"]["responses"] = {
        "MethodNotAllowed": {
            "description": _FAILURE_DESCRIPTIONS[405],
            "headers": {"Allow": {"description": "the path's methods", "schema": {"type": "string"}, "example": "GET, HEAD"}},
            "content": {"application/json": {"schema": schema, "example": _failure_example(405)}},
        }
    }
    for path in document["paths"].values():
        path[_OTHER_METHODS] = {"$ref": "#/components/responses/MethodNotAllowed"}


def with_csv(table: CsvTable[Any], responses: dict[int | str, dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """Add the CSV form to the documented responses of a list."""
    content = responses[200]["content"]
    recorded = content["application/json"]["example"]
    _TABLES[recorded[_EXAMPLE_KEY]] = table
    content[MEDIA_TYPE] = {"schema": {"type": "string", "description": "all rows of the filter, RFC 4180"}, "example": recorded}
    return responses


def with_files(
    files: Mapping[str, dict[str, Any]], responses: dict[int | str, dict[str, Any]]
) -> dict[int | str, dict[str, Any]]:
    """Add files by media type, each with its own schema, to the documented responses of an endpoint."""
    responses[200]["content"] |= files
    return responses


def conditional(responses: dict[int | str, dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """Add 304 to the documented responses of an endpoint whose response has an ETag."""
    tag = {"ETag": {"description": "for If-None-Match; weak, of `data`", "schema": {"type": "string"}}}
    responses[200]["headers"] = tag
    responses[304] = {"description": "The client holds the present data; there is no body", "headers": tag}
    return responses


def _insert_examples(content: dict[str, Any]) -> None:
    """Replace an example's name by the recorded response, and add the CSV file of a list."""
    if (name := content.get("application/json", {}).get("example", {}).get(_EXAMPLE_KEY)) is None:
        return
    content["application/json"]["example"] = examples()[name]
    if name in _TABLES and (file := content.get(MEDIA_TYPE)) is not None:
        table = _TABLES[name]
        file["example"] = table.text(table.envelope.model_validate(examples()[name]).data)


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Make the OpenAPI document once. An invalid request gets 400 here, so 422 is removed."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            for response in operation["responses"].values():
                _insert_examples(response.get("content", {}))
    _document_other_methods(document)
    for unused in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(unused, None)
    app.openapi_schema = document
    return document
