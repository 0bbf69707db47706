"""A value that is refused is refused in words, whatever pydantic and Python would call it."""

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


@router.get("/asked")
async def asked(
    status: Literal[Status.IN, Status.OUT] = Status.IN,
    any_status: Annotated[Status, Query()] = Status.IN,
    number: Annotated[str, Query(pattern=REQUEST_ID)] = "1",
    event: Annotated[str, Query(pattern=EVENT_NAME)] = "Deposit",
    owner: AddressText | None = None,
) -> None:
    raise AssertionError


@router.post("/tickets/{ticketId}")
async def told(ticket_id: TicketId, reason: Annotated[str, StringConstraints(pattern=ONE_LINE), Body(embed=True)]) -> None:
    raise AssertionError


async def refusals(method: str, path: str, **more: Any) -> dict[str, str]:
    app = FastAPI()
    app.include_router(router)
    errors.install_error_handlers(app)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://localhost") as client:
        answer = await client.request(method, path, **more)
    assert answer.status_code == 400
    return {each["field"]: each["message"] for each in answer.json()["error"]["details"]}


async def test_a_query_that_is_no_use_hears_what_would_be() -> None:
    query = {"status": "gone", "any_status": "lost", "number": "one", "event": "no event", "owner": "0x12"}
    said = await refusals("GET", "/asked", params=query)
    assert said["status"] == "must be 'in' or 'out'"
    assert said["any_status"] == "must be 'in', 'out' or 'gone'"
    assert said["number"] == "must be a decimal number of at most 78 digits, as a request's id is"
    assert said["event"].startswith("must be an event's name: letters, digits")
    assert not said["owner"].startswith("Value error")
    assert not any(sign in each for each in said.values() for sign in ("<", "^", "pattern"))


async def test_a_body_that_is_no_use_hears_what_would_be() -> None:
    said = await refusals("POST", "/tickets/R1", json={"reason": "two\nlines"})
    assert said["ticketId"].startswith("must be a ticket's id: TKT-")
    assert said["reason"].startswith("must be one line of text")
    said = await refusals("POST", "/tickets/TKT-1", content=b"{no", headers={"Content-Type": "application/json"})
    assert said == {"body": "the body is not JSON: Expecting property name enclosed in double quotes, at character 1"}
