"""The envelope of every response: `{success, data, timestamp, requestId}` or `{success, error, timestamp, requestId}`."""

from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

import orjson
from fastapi import Response
from pydantic import BeforeValidator, Field, PrivateAttr

from paimon.domain.kernel.chain import BlockStamp
from paimon.errors import DetailCode
from paimon.gateway.rest.schema import ApiModel, HashText, Time, iso_z
from paimon.infrastructure.database.paging import Page, Position
from paimon.infrastructure.text import encodable

Data = TypeVar("Data")

current_request_id: ContextVar[str] = ContextVar("current_request_id", default="-")
"""The id of the request being handled. RequestMiddleware sets it."""


def _now() -> datetime:
    return datetime.now(UTC)


def _request_id() -> str:
    return current_request_id.get()


class ErrorCode(StrEnum):
    AUTH_REQUIRED = "AUTH_REQUIRED"
    AUTH_INVALID = "AUTH_INVALID"
    AUTH_EXPIRED = "AUTH_EXPIRED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    VALIDATION_ERROR = "VALIDATION_ERROR"
    CONFLICT = "CONFLICT"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    RATE_LIMITED = "RATE_LIMITED"
    REQUEST_REFUSED = "REQUEST_REFUSED"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    STATE_PRUNED = "STATE_PRUNED"


class Envelope(ApiModel, Generic[Data]):
    """A successful response."""

    success: Literal[True] = True
    data: Data
    timestamp: Time = Field(default_factory=_now)
    request_id: str = Field(default_factory=_request_id)


EchoedText = Annotated[str, BeforeValidator(encodable)]
"""Text that may repeat a part of the request, which may hold what UTF-8 cannot. An error must be written in every case."""


class ErrorDetail(ApiModel):
    """The problem with one field of the request. `code` is stable, for those errors that have codes of their own."""

    field: EchoedText
    code: DetailCode | None = None
    message: EchoedText


class ErrorBody(ApiModel):
    code: ErrorCode
    message: EchoedText
    details: list[ErrorDetail] | None = None


class ErrorEnvelope(ApiModel):
    """A failed response."""

    success: Literal[False] = False
    error: ErrorBody
    timestamp: Time = Field(default_factory=_now)
    request_id: str = Field(default_factory=_request_id)


class Pagination(ApiModel):
    """The place of a page in its list. A page by cursor has no number, and its list is not counted."""

    total: int | None = Field(description="of all pages; null with a cursor")
    page: int | None = Field(description="null with a cursor")
    page_size: int
    total_pages: int | None = Field(description="null with a cursor")
    next_cursor: str | None = Field(None, description="`cursor` of the next page; null on the last one")
    _next: Position | None = PrivateAttr(None)

    @classmethod
    def of(cls, page: Page[Any]) -> Self:
        size, total = page.request.size, page.counted
        pagination = cls(
            total=total,
            page=None if total is None else page.request.number,
            page_size=size,
            total_pages=None if total is None else -(-total // size),
        )
        pagination._next = page.next
        return pagination

    @property
    def next(self) -> Position | None:
        """The position of the next page; None on the last one."""
        return self._next


class Listing(ApiModel, Generic[Data]):
    """One page of a list."""

    items: list[Data]
    pagination: Pagination

    @classmethod
    def page(cls, page: Page[Data], **more: Any) -> Self:
        return cls(items=page.items, pagination=Pagination.of(page), **more)


class BlockStampView(ApiModel):
    """A block with its hash and time."""

    number: int
    hash: HashText
    timestamp: Time

    @classmethod
    def of(cls, at: BlockStamp) -> Self:
        return cls(number=at.number, hash=at.hash, timestamp=at.timestamp)


class Dated(ApiModel):
    """A response as of one block: the requested one, or that of the last snapshot before it."""

    as_of: BlockStampView


class DatedListing(Listing[Data], Dated, Generic[Data]):
    """One page of a list as of one block."""


def wrap_encoded(data: bytes) -> Response:
    """Wrap JSON that is encoded already. Decoding and encoding it again would be the whole cost of the response."""
    head = orjson.dumps({"timestamp": iso_z(_now()), "requestId": current_request_id.get()})
    return Response(b'{"success":true,"data":' + data + b"," + head[1:], media_type="application/json")
