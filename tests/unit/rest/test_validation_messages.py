"""Tests that errors about request values are plain sentences without names of the code."""

from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from fastapi import APIRouter, Body, FastAPI, Query
from httpx import ASGITransport, AsyncClient
from pydantic import StringConstraints

from paimon.gateway.rest import errors
from paimon.gateway.rest.dependencies import TicketId
from paimon.gateway.rest.schema import AddressText
from paimon.gateway.rest.validation_messages import EVENT_NAME, ONE_LINE, REQUEST_ID

pytestmark = pytest.mark.unit

router = APIRouter()


class Status(StrEnum):
    IN = "in"
    OUT = "out"
    GONE = "gone"


@router.get("/query")
async def read_query(
    status: Literal[Status.IN, Status.OUT] = Status.IN,
    any_status: Annotated[Status, Query()] = Status.IN,
    number: Annotated[str, Query(pattern=REQUEST_ID)] = "1",
    event: Annotated[str, Query(pattern=EVENT_NAME)] = "Deposit",
    owner: AddressText | None = None,
) -> None:
    raise AssertionError


@router.post("/tickets/{ticketId}")
async def read_body(ticket_id: TicketId, reason: Annotated[str, StringConstraints(pattern=ONE_LINE), Body(embed=True)]) -> None:
    raise AssertionError


async def messages_of(method: str, path: str, **more: Any) -> dict[str, str]:
    app = FastAPI()
    app.include_router(router)
    errors.install_error_handlers(app)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://localhost") as client:
        response = await client.request(method, path, **more)
    assert response.status_code == 400
    return {detail["field"]: detail["message"] for detail in response.json()["error"]["details"]}


async def test_invalid_query_gets_messages_that_say_what_is_valid() -> None:
    query = {"status": "gone", "any_status": "lost", "number": "one", "event": "no event", "owner": "0x12"}
    messages = await messages_of("GET", "/query", params=query)
    assert messages["status"] == "must be 'in' or 'out'"
    assert messages["any_status"] == "must be 'in', 'out' or 'gone'"
    assert messages["number"] == "must be a decimal number of at most 78 digits, like a request's id"
    assert messages["event"].startswith("must be an event's name: letters, digits")
    assert not messages["owner"].startswith("Value error")
    assert not any(sign in text for text in messages.values() for sign in ("<", "^", "pattern"))


async def test_invalid_body_gets_messages_that_say_what_is_valid() -> None:
    messages = await messages_of("POST", "/tickets/R1", json={"reason": "two\nlines"})
    assert messages["ticketId"].startswith("must be a ticket's id: TKT-")
    assert messages["reason"].startswith("must be one line of text")
    messages = await messages_of("POST", "/tickets/TKT-1", content=b"{no", headers={"Content-Type": "application/json"})
    assert messages == {"body": "the body is not JSON: Expecting property name enclosed in double quotes, at character 1"}
