"""One table that maps exceptions to HTTP responses. The layers below know no status code."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from paimon.application.audit.refusals import record_refused_permission
from paimon.domain.kernel.chain import checksum
from paimon.errors import (
    AuthenticationExpired,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    PaimonError,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from paimon.gateway.rest.allowed_methods import allowed_methods
from paimon.gateway.rest.envelope import ErrorBody, ErrorCode, ErrorDetail, ErrorEnvelope
from paimon.gateway.rest.validation_messages import describe_problem
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable, StatePruned
from paimon.infrastructure.cache.availability import refuses_for_now
from paimon.infrastructure.database.availability import DatabaseFault, DatabaseUnavailable, database_fault, is_away
from paimon.infrastructure.observability.metrics import REFUSALS_NOT_RECORDED

log = structlog.get_logger(__name__)


class AuthRequired(Unauthenticated):
    """Sign in first: send the header `Authorization: Bearer <access token>`."""


class InvalidInput(InvalidRequest):
    """A value of the request is invalid in a way that only the endpoint can check."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class TooManyCsvExports(Unavailable):
    """The process already writes as many CSV files as it may at one time."""


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """The response to one kind of exception. Without `message`, the response has the exception's own text."""

    status: int
    code: ErrorCode
    message: str | None = None


_DATABASE_DOWN: Final = ErrorRule(503, ErrorCode.SERVICE_UNAVAILABLE, "the database does not answer; try again shortly")
_DATABASE_AWAY: Final = ErrorRule(
    503, ErrorCode.SERVICE_UNAVAILABLE, "the database does not answer or takes no writes; try again shortly"
)
_DATABASE_BUSY: Final = ErrorRule(503, ErrorCode.SERVICE_UNAVAILABLE, "the database is busy; try again shortly")
_REDIS_DOWN: Final = ErrorRule(503, ErrorCode.SERVICE_UNAVAILABLE, "Redis does not answer; try again shortly")
_REDIS_REFUSES: Final = ErrorRule(503, ErrorCode.SERVICE_UNAVAILABLE, "Redis takes no writes; try again shortly")
_NODE_DOWN: Final = ErrorRule(503, ErrorCode.SERVICE_UNAVAILABLE, "the chain's node does not answer; try again shortly")

ERROR_RULES: Final[Mapping[type[Exception], ErrorRule]] = {
    InvalidRequest: ErrorRule(400, ErrorCode.VALIDATION_ERROR),
    AuthRequired: ErrorRule(401, ErrorCode.AUTH_REQUIRED),
    AuthenticationExpired: ErrorRule(401, ErrorCode.AUTH_EXPIRED),
    Unauthenticated: ErrorRule(401, ErrorCode.AUTH_INVALID),
    Forbidden: ErrorRule(403, ErrorCode.FORBIDDEN),
    NotFound: ErrorRule(404, ErrorCode.NOT_FOUND),
    Conflict: ErrorRule(409, ErrorCode.CONFLICT),
    RateLimited: ErrorRule(429, ErrorCode.RATE_LIMITED),
    Unavailable: ErrorRule(503, ErrorCode.SERVICE_UNAVAILABLE),
    DatabaseUnavailable: _DATABASE_AWAY,
    DBAPIError: _DATABASE_DOWN,
    PoolTimeout: _DATABASE_DOWN,
    RedisConnectionError: _REDIS_DOWN,
    RedisTimeoutError: _REDIS_DOWN,
    ResponseError: _REDIS_REFUSES,
    RpcUnavailable: _NODE_DOWN,
    StatePruned: ErrorRule(503, ErrorCode.STATE_PRUNED, StatePruned.__doc__),
    RpcError: ErrorRule(503, ErrorCode.SERVICE_UNAVAILABLE, "the chain's node could not answer; try again shortly"),
}
"""The rule of each exception class; the rule of the nearest base class applies."""

_HTTP_CODES: Final[Mapping[int, ErrorCode]] = {
    400: ErrorCode.VALIDATION_ERROR,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    413: ErrorCode.PAYLOAD_TOO_LARGE,
    415: ErrorCode.UNSUPPORTED_MEDIA_TYPE,
}
_PATH_CHARACTERS_MAX: Final = 200
_EXTRA_HEADERS: Final[Mapping[int, Mapping[str, str]]] = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "5"}}


def error_response(
    status: int,
    code: ErrorCode,
    message: str,
    *,
    details: Sequence[ErrorDetail] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    body = ErrorEnvelope(error=ErrorBody(code=code, message=message, details=list(details) if details else None))
    return Response(
        body.model_dump_json(by_alias=True, exclude_none=True),
        status_code=status,
        headers={**_EXTRA_HEADERS.get(status, {}), **(headers or {})},
        media_type="application/json",
    )


def rule_for(error: Exception) -> ErrorRule | None:
    """Return the rule of the exception's class or of its nearest base class; None for a defect of ours.

    An error of the database counts by its SQLSTATE and one of Redis by its code, not by its class: each has defects too.
    """
    if isinstance(error, ResponseError) and not refuses_for_now(error):
        return None
    if isinstance(error, DBAPIError):
        if database_fault(error.orig) is DatabaseFault.BUSY:
            return _DATABASE_BUSY
        if not isinstance(error, DatabaseUnavailable) and not is_away(error.orig, writes=False):
            return None
    return next((ERROR_RULES[kind] for kind in type(error).__mro__ if kind in ERROR_RULES), None)


async def _on_error_rule(request: Request, error: Exception) -> Response:
    rule = rule_for(error)
    if rule is None:
        raise error
    if rule.status >= 500:
        log.error("request.unavailable", path=request.url.path, reason=f"{type(error).__name__}: {error}"[:500])
    message = rule.message or str(error)
    field, code = (error.field, error.code) if isinstance(error, PaimonError) else (None, None)
    details = [ErrorDetail(field=field, code=code, message=message)] if field else None
    headers = {"Retry-After": str(error.retry_after_seconds)} if isinstance(error, RateLimited) else None
    if isinstance(error, Forbidden):
        await _record_refusal(request, str(error))
    return error_response(rule.status, rule.code, message, details=details, headers=headers)


async def _record_refusal(request: Request, reason: str) -> None:
    """Record in the audit trail what was refused to a person; a stranger has no name for the trail.

    A person who is refused many times a minute is in the trail already; the rest is counted, so that no one fills it.
    """
    if (person := getattr(request.state, "person", None)) is not None:
        if not request.app.state.limits.records_refusal(person):
            REFUSALS_NOT_RECORDED.inc()
            return
        database = request.app.state.context.database
        path = request.url.path[:_PATH_CHARACTERS_MAX]
        try:
            await record_refused_permission(database, person, method=request.method, path=path, reason=reason)
        except (DBAPIError, PoolTimeout) as error:  # the answer to the request stays the same
            log.error("audit.refusal_not_recorded", person=checksum(person), path=path, reason=type(error).__name__)


async def _on_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    code = _HTTP_CODES.get(error.status_code, ErrorCode.INTERNAL_ERROR)
    messages = {
        404: f"there is no endpoint {request.url.path[:_PATH_CHARACTERS_MAX]}",
        405: f"{request.method} is not allowed here",
        413: "the request's body is too large",
    }
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(allowed_methods(request.app.routes, request.url.path))
    return error_response(error.status_code, code, messages.get(error.status_code, str(error.detail)), headers=headers)


async def _on_invalid(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    if isinstance(error.body, bytes):
        # FastAPI passes a body of another media type as bytes, and then reports the bytes as invalid.
        message = "the body must be JSON, sent with Content-Type: application/json"
        return error_response(415, ErrorCode.UNSUPPORTED_MEDIA_TYPE, message)
    details = [ErrorDetail(field=_field(problem["loc"]), message=describe_problem(problem)) for problem in error.errors()]
    fields = ", ".join(dict.fromkeys(detail.field for detail in details))
    return error_response(400, ErrorCode.VALIDATION_ERROR, f"the request is not valid: {fields}", details=details)


def _field(location: Sequence[int | str]) -> str:
    """Name the field of a location: `("body", "expiresAt")` gives `expiresAt`, the body as a whole gives `body`."""
    return ".".join(str(part) for part in location[1:] if isinstance(part, str)) or str(location[0])


Handler = Callable[[Request, Exception], Awaitable[Response]]


def install_error_handlers(app: FastAPI) -> None:
    handlers: dict[type[Exception], Handler] = {
        **dict.fromkeys(ERROR_RULES, _on_error_rule),
        HTTPException: _on_http,
        RequestValidationError: _on_invalid,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
