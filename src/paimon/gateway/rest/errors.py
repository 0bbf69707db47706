"""Exceptions become HTTP here, in one table. The floors below know no status code."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from paimon.application.approval_workflow.store import TicketNotFound
from paimon.application.common.idempotency import PayloadConflict
from paimon.application.common.signed_action import NonceUsed, SignerMismatch
from paimon.application.identity.sign_in import ChallengeExpired, SignInRefused
from paimon.application.identity.tokens import TokenExpired, TokenInvalid
from paimon.application.identity.users import NotPermitted
from paimon.application.nav.as_of import BlockNotRecorded, NothingYet
from paimon.application.nav.overview import SnapshotNotFound
from paimon.application.nav.publication import TooManyPoints
from paimon.application.nav.ranges import NothingBetween
from paimon.application.quarantine.store import LogNotFound, ReactionNotFound
from paimon.application.redemptions.queries import RedemptionNotFound
from paimon.application.redemptions.settle_one import NothingRecorded
from paimon.application.redemptions.settlement import NotDue, NotSettleable
from paimon.application.risk_control.store import RiskEventNotFound
from paimon.application.transactions.multisig.context import NoSuchSafe
from paimon.application.transactions.multisig.propose import HashMismatch, ProposalConflict
from paimon.application.transactions.multisig.sign import SignatureRefused
from paimon.application.transactions.multisig.store import ProposalNotFound
from paimon.application.transactions.operator.queries import IntentNotFound, WalletNotFound
from paimon.application.transactions.plans.calls import BadPlan
from paimon.application.transactions.plans.queries import PlanNotFound
from paimon.application.transactions.plans.submit import NoWalletMay, PlanDrifted, PlanNotPossible
from paimon.application.transactions.tries import TriesExhausted
from paimon.domain.approval.ticket import AlreadyVoted, TicketClosed, VoterNotAllowed
from paimon.domain.kernel.eip712 import VoteNotAcceptable
from paimon.domain.risk.quarantine_decision import RemedyNotPossible
from paimon.domain.risk.risk_event import NotAnOwner, RiskEventClosed, StillThere
from paimon.domain.transaction.operator_action import DeedNotPossible
from paimon.domain.transaction.safe_proposal import AlreadySigned, MissingExecutions, NotASafeOwner, ProposalClosed
from paimon.domain.user.siwe import MalformedMessage
from paimon.gateway.rest.envelope import ErrorBody, ErrorCode, ErrorDetail, ErrorEnvelope
from paimon.gateway.rest.validation_words import words_of
from paimon.infrastructure.blockchain.rpc import RpcError, RpcUnavailable, StateNotKept
from paimon.infrastructure.blockchain.safe import NotOurSafe
from paimon.infrastructure.keys.signatures import MalformedSignature

log = structlog.get_logger(__name__)


class AuthRequired(Exception):
    """Sign in first: send the header `Authorization: Bearer <access token>`."""


class InvalidInput(Exception):
    """A value of the request is wrong in a way only a handler can tell."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class TooManyFiles(Exception):
    """As many files are being written as this process writes at one time."""


class NotCancellable(Exception):
    """A redemption's ticket closes only by what the chain shows: its owner cancels the request there, or it is rejected."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How one kind of exception is answered. Without `message` its own text is shown, which is written for the caller."""

    status: int
    code: ErrorCode
    field: str | None = None
    message: str | None = None


_DATABASE_DOWN: Final = Rule(503, ErrorCode.SERVICE_UNAVAILABLE, message="the database does not answer; try again shortly")
_REDIS_DOWN: Final = Rule(503, ErrorCode.SERVICE_UNAVAILABLE, message="Redis does not answer; try again shortly")
_NODE_DOWN: Final = Rule(503, ErrorCode.SERVICE_UNAVAILABLE, message="the chain's node does not answer; try again shortly")

TABLE: Final[Mapping[type[Exception], Rule]] = {
    InvalidInput: Rule(400, ErrorCode.VALIDATION_ERROR),
    BadPlan: Rule(400, ErrorCode.VALIDATION_ERROR),
    BlockNotRecorded: Rule(400, ErrorCode.VALIDATION_ERROR),
    MalformedMessage: Rule(400, ErrorCode.VALIDATION_ERROR, field="message"),
    NotAnOwner: Rule(400, ErrorCode.VALIDATION_ERROR, field="owner"),
    NothingBetween: Rule(400, ErrorCode.VALIDATION_ERROR, field="to"),
    TooManyPoints: Rule(400, ErrorCode.VALIDATION_ERROR, field="interval"),
    MalformedSignature: Rule(400, ErrorCode.VALIDATION_ERROR, field="signature"),
    VoteNotAcceptable: Rule(400, ErrorCode.VALIDATION_ERROR, field="expiresAt"),
    AuthRequired: Rule(401, ErrorCode.AUTH_REQUIRED, message=AuthRequired.__doc__),
    SignInRefused: Rule(401, ErrorCode.AUTH_INVALID),
    TokenInvalid: Rule(401, ErrorCode.AUTH_INVALID),
    ChallengeExpired: Rule(401, ErrorCode.AUTH_EXPIRED),
    TokenExpired: Rule(401, ErrorCode.AUTH_EXPIRED),
    NotASafeOwner: Rule(403, ErrorCode.FORBIDDEN, field="owner"),
    NotPermitted: Rule(403, ErrorCode.FORBIDDEN),
    SignatureRefused: Rule(403, ErrorCode.FORBIDDEN, field="signature"),
    SignerMismatch: Rule(403, ErrorCode.FORBIDDEN),
    VoterNotAllowed: Rule(403, ErrorCode.FORBIDDEN),
    IntentNotFound: Rule(404, ErrorCode.NOT_FOUND),
    PlanNotFound: Rule(404, ErrorCode.NOT_FOUND),
    LogNotFound: Rule(404, ErrorCode.NOT_FOUND),
    ProposalNotFound: Rule(404, ErrorCode.NOT_FOUND),
    ReactionNotFound: Rule(404, ErrorCode.NOT_FOUND),
    WalletNotFound: Rule(404, ErrorCode.NOT_FOUND),
    RedemptionNotFound: Rule(404, ErrorCode.NOT_FOUND),
    RiskEventNotFound: Rule(404, ErrorCode.NOT_FOUND),
    SnapshotNotFound: Rule(404, ErrorCode.NOT_FOUND),
    TicketNotFound: Rule(404, ErrorCode.NOT_FOUND),
    AlreadySigned: Rule(409, ErrorCode.CONFLICT),
    AlreadyVoted: Rule(409, ErrorCode.CONFLICT),
    DeedNotPossible: Rule(409, ErrorCode.CONFLICT),
    NoWalletMay: Rule(409, ErrorCode.CONFLICT),
    NoSuchSafe: Rule(409, ErrorCode.CONFLICT),
    NonceUsed: Rule(409, ErrorCode.CONFLICT, field="nonce"),
    NotCancellable: Rule(409, ErrorCode.CONFLICT, message=NotCancellable.__doc__),
    NotDue: Rule(409, ErrorCode.CONFLICT),
    NotSettleable: Rule(409, ErrorCode.CONFLICT),
    PayloadConflict: Rule(409, ErrorCode.CONFLICT),
    PlanDrifted: Rule(409, ErrorCode.CONFLICT),
    PlanNotPossible: Rule(409, ErrorCode.CONFLICT),
    ProposalClosed: Rule(409, ErrorCode.CONFLICT),
    ProposalConflict: Rule(409, ErrorCode.CONFLICT),
    RemedyNotPossible: Rule(409, ErrorCode.CONFLICT),
    RiskEventClosed: Rule(409, ErrorCode.CONFLICT),
    StillThere: Rule(409, ErrorCode.CONFLICT),
    TriesExhausted: Rule(409, ErrorCode.CONFLICT),
    TicketClosed: Rule(409, ErrorCode.CONFLICT),
    HashMismatch: Rule(503, ErrorCode.SERVICE_UNAVAILABLE),
    MissingExecutions: Rule(503, ErrorCode.SERVICE_UNAVAILABLE),
    NotOurSafe: Rule(503, ErrorCode.SERVICE_UNAVAILABLE),
    NothingRecorded: Rule(503, ErrorCode.SERVICE_UNAVAILABLE),
    NothingYet: Rule(503, ErrorCode.SERVICE_UNAVAILABLE),
    TooManyFiles: Rule(503, ErrorCode.SERVICE_UNAVAILABLE),
    OperationalError: _DATABASE_DOWN,
    InterfaceError: _DATABASE_DOWN,
    PoolTimeout: _DATABASE_DOWN,
    RedisConnectionError: _REDIS_DOWN,
    RedisTimeoutError: _REDIS_DOWN,
    RpcUnavailable: _NODE_DOWN,
    StateNotKept: Rule(503, ErrorCode.STATE_NOT_KEPT, message=StateNotKept.__doc__),
    RpcError: Rule(503, ErrorCode.SERVICE_UNAVAILABLE, message="the chain's node could not answer; try again shortly"),
}

_HTTP_CODES: Final[Mapping[int, ErrorCode]] = {
    400: ErrorCode.VALIDATION_ERROR,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    413: ErrorCode.PAYLOAD_TOO_LARGE,
    415: ErrorCode.UNSUPPORTED_MEDIA_TYPE,
}
_EXTRA_HEADERS: Final[Mapping[int, Mapping[str, str]]] = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "5"}}


def failure(
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


def rule_for(error: Exception) -> Rule | None:
    """The table's rule for this exception or the nearest class it descends from."""
    return next((TABLE[kind] for kind in type(error).__mro__ if kind in TABLE), None)


async def _on_known(request: Request, error: Exception) -> Response:
    rule = rule_for(error)
    if rule is None:
        raise error
    if rule.status >= 500:
        log.error("request.unavailable", path=request.url.path, reason=f"{type(error).__name__}: {error}"[:500])
    message = rule.message or str(error)
    field = error.field if isinstance(error, InvalidInput | BadPlan | BlockNotRecorded) else rule.field
    detail = error.code if isinstance(error, BadPlan) else None
    details = [ErrorDetail(field=field, code=detail, message=message)] if field else None
    return failure(rule.status, rule.code, message, details=details)


async def _on_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    code = _HTTP_CODES.get(error.status_code, ErrorCode.INTERNAL_ERROR)
    messages = {
        404: f"there is no endpoint {request.url.path[:200]}",
        405: f"{request.method} is not allowed here",
        413: "the request's body is too large",
    }
    return failure(error.status_code, code, messages.get(error.status_code, str(error.detail)), headers=error.headers)


async def _on_invalid(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    if isinstance(error.body, bytes):
        # FastAPI leaves a body of another media type as bytes, and then finds fault with the bytes.
        message = "the body must be JSON, sent with Content-Type: application/json"
        return failure(415, ErrorCode.UNSUPPORTED_MEDIA_TYPE, message)
    details = [ErrorDetail(field=_field(problem["loc"]), message=words_of(problem)) for problem in error.errors()]
    named = ", ".join(dict.fromkeys(each.field for each in details))
    return failure(400, ErrorCode.VALIDATION_ERROR, f"the request is not valid: {named}", details=details)


def _field(location: Sequence[int | str]) -> str:
    """`("body", "expiresAt")` → `expiresAt`; the body as a whole, or a place in text that is no JSON, is `body`."""
    return ".".join(str(part) for part in location[1:] if isinstance(part, str)) or str(location[0])


Handler = Callable[[Request, Exception], Awaitable[Response]]


def install(app: FastAPI) -> None:
    handlers: dict[type[Exception], Handler] = {
        **dict.fromkeys(TABLE, _on_known),
        HTTPException: _on_http,
        RequestValidationError: _on_invalid,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
