"""Tests of CSV files: cells hold the values of the JSON response, and no cell is a formula."""

import csv
import io
import re
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paimon.domain.kernel.units import UINT256_MAX
from paimon.gateway.rest.csv_text import cell, cells, columns_of, csv_text, excel_cell, heading
from paimon.gateway.rest.list_responses import prefers_csv
from paimon.gateway.rest.schema import ApiModel, BigInt
from paimon.gateway.rest.views.approvals import TicketView
from paimon.gateway.rest.views.nav import NavComponentRowView, SignedInt
from paimon.gateway.rest.views.redemptions import AwaitingApprovalView

pytestmark = pytest.mark.unit


class Inner(ApiModel):
    some_text: str | None
    change: SignedInt


class Sample(ApiModel):
    gross_amount: BigInt
    is_active: bool
    inner: Inner | None
    places: list[Inner]
    free: dict[str, Any]
    reason: str


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
INNERS = st.fixed_dictionaries(
    {"some_text": st.none() | TEXTS, "change": st.integers(-UINT256_MAX, UINT256_MAX)},
).map(lambda values: Inner(**values))
SAMPLES = st.fixed_dictionaries(
    {
        "gross_amount": st.integers(0, UINT256_MAX),
        "is_active": st.booleans(),
        "inner": st.none() | INNERS,
        "places": st.lists(INNERS, max_size=2),
        "free": st.dictionaries(TEXTS, TEXTS, max_size=2),
        "reason": TEXTS,
    }
).map(lambda values: Sample(**values))


def parsed(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def unquoted(text: str) -> str:
    """Remove the leading apostrophe, as a reader of the file does."""
    return text.removeprefix("'")


@given(st.lists(SAMPLES, max_size=4))
def test_csv_reads_back_as_the_json_values(samples: list[Sample]) -> None:
    columns = columns_of(Sample)
    text = csv_text([[heading(path) for path in columns], *(cells(sample, columns) for sample in samples)])
    header, *rows = parsed(text)
    assert header == ["grossAmount", "isActive", "inner.someText", "inner.change", "places", "free", "reason"]
    for sample, row in zip(samples, rows, strict=True):
        expected = sample.model_dump(mode="json", by_alias=True)
        amount, active, inner_text, change, places, free, reason = row
        assert (amount, active) == (expected["grossAmount"], "true" if expected["isActive"] else "false")
        inner = expected["inner"] or {"someText": None, "change": ""}
        assert (unquoted(inner_text), change) == (inner["someText"] or "", inner["change"])
        assert (orjson.loads(places), orjson.loads(free)) == (expected["places"], expected["free"])
        assert unquoted(reason) == expected["reason"]


@given(TEXTS)
@example("'=1")
@example("=1+1")
@example("-2+3+cmd|' /C calc'!A0")
@example("@SUM(A1)")
@example("\t=1")
@example("+49 170 0000")
@example("\uff1d1+1")
def test_no_text_becomes_a_formula(text: str) -> None:
    shown = cell(text)
    assert not shown.startswith(("=", "+", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"))
    assert not shown.startswith("-") or shown[1:].replace(".", "", 1).isdecimal()
    assert shown in (text, f"'{text}")


@given(st.integers(-UINT256_MAX, UINT256_MAX))
def test_amount_is_written_as_plain_digits(amount: int) -> None:
    assert cell(str(amount)) == cell(amount) == str(amount)
    assert cell(f"{amount}.000000000000000001") == f"{amount}.000000000000000001"


def test_lines_follow_rfc_4180() -> None:
    assert csv_text([["a", 'b"c', "d,e", "f\ng", ""]]) == 'a,"b""c","d,e","f\ng",\r\n'


def test_nested_views_become_columns_even_when_nullable() -> None:
    names = [heading(path) for path in columns_of(AwaitingApprovalView)]
    assert names[0] == "redemption.requestId"
    assert "ticket.sla.stage" in names
    assert [heading(path) for path in columns_of(TicketView)][:3] == ["id", "type", "requestId"]
    assert [heading(path) for path in columns_of(NavComponentRowView)] == [
        "fromBlock",
        "toBlock",
        "group",
        "kind",
        "token",
        "amount",
        "perShare",
        "eventCount",
        "events",
    ]


@pytest.mark.parametrize(
    ("accept", "is_csv"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("text/csv", True),
        ("Text/CSV; charset=utf-8", True),
        ("text/csv;q=0.9, */*;q=0.1", True),
        ("text/csv, application/json;q=0.5", True),
        ("application/json, text/csv", False),
        ("text/csv;q=0", False),
        ("text/csv;q=many", False),
        (",;,", False),
    ],
)
def test_csv_is_chosen_when_the_accept_header_prefers_it(accept: str, is_csv: bool) -> None:
    assert prefers_csv(accept) is is_csv


@given(st.text())
def test_any_accept_header_is_accepted(accept: str) -> None:
    assert prefers_csv(accept) in (True, False)


@given(st.integers(-UINT256_MAX, UINT256_MAX) | st.decimals(allow_nan=False, allow_infinity=False, places=18))
@example(10**15 - 1)
@example(10**15)
def test_excel_keeps_every_digit_of_a_number(number: int | Decimal) -> None:
    """A float, which is what Excel makes of a number, agrees with each number that stays a number."""
    text = f"{number:f}" if isinstance(number, Decimal) else str(number)
    shown = excel_cell(text)
    if shown == text:
        assert Decimal(format(float(text), ".15g")) == Decimal(text)
    else:
        assert shown == f'="{text}"'


@given(TEXTS)
def test_excel_cells_make_no_formula_of_text(text: str) -> None:
    shown = excel_cell(cell(text))
    assert shown == cell(text) or re.fullmatch(r'="-?[0-9.]+"', shown, re.ASCII)
