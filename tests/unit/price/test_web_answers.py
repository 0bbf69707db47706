"""Answers of web sources: where the price stands, what is no price, and whose signature counts."""

import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.prices import wad

from paimon.domain.price.observation import PriceFault
from paimon.infrastructure.prices.http_source import is_signed, read_quote
from paimon.settings.price_sources import HttpSourceSettings

pytestmark = pytest.mark.unit

KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\x01")
PUBLIC_KEY: Final = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def source(price_at: str = "fund.nav", time_at: str | None = "fund.at") -> HttpSourceSettings:
    values: dict[str, Any] = {"name": "issuer", "kind": "http", "url": "https://issuer.example", "public_key": PUBLIC_KEY}
    return HttpSourceSettings(**values, price_at=price_at, time_at=time_at)


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        ("1.05", wad("1.05")),
        ('"1.05"', wad("1.05")),
        ("0.1", wad("0.1")),  # 0.1 as a float is more than 0.1
        ("123456789.123456789123456789", wad("123456789.123456789123456789")),
        ("-3", wad(-3)),
        ("1e-30", 0),
    ],
)
def test_price_is_read_to_its_last_digit(price: str, expected: int) -> None:
    quote = read_quote(f'{{"fund": {{"nav": {price}, "at": "2026-03-04"}}}}'.encode(), source())
    assert (quote.price, quote.valued_at, quote.fault) == (expected, datetime(2026, 3, 4, tzinfo=UTC), None)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html>", b"[]", b'{"fund": 1}', b'{"fund": {"nav": null, "at": 1}}', b'{"fund": {"nav": true, "at": 1}}'),
        *(b'{"fund": {"nav": NaN, "at": 1}}', b'{"fund": {"nav": "Infinity", "at": 1}}', b'{"fund": {"nav": [1], "at": 1}}'),
        *(b'{"fund": {"nav": 1, "at": "soon"}}', b'{"fund": {"nav": 1, "at": 1e40}}', b'{"fund": {"nav": 1}}'),
        b'{"fund": {"nav": ' + b"9" * 101 + b', "at": 1}}',
        b"[" * 60_000,
        b"\xff\xfe",
    ],
)
def test_answer_without_a_price_is_unreadable(body: bytes) -> None:
    quote = read_quote(body, source())
    assert (quote.price, quote.fault) == (None, PriceFault.UNREADABLE)
    assert quote.detail is not None
    assert len(quote.detail) < 200


def test_number_without_room_for_its_digits_is_too_large() -> None:
    assert read_quote(b'{"nav": 1e999999999}', source("nav", None)).fault is PriceFault.TOO_LARGE


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("1772582400", datetime(2026, 3, 4, tzinfo=UTC)),
        ("1772582400123", datetime(2026, 3, 4, tzinfo=UTC)),
        ('"2026-03-04T02:00:00+02:00"', datetime(2026, 3, 4, tzinfo=UTC)),
        ('"2026-03-04T00:00:00"', datetime(2026, 3, 4, tzinfo=UTC)),
    ],
)
def test_time_is_read_in_its_usual_forms(at: str, expected: datetime) -> None:
    assert read_quote(f'{{"nav": 1, "at": {at}}}'.encode(), source("nav", "at")).valued_at == expected


def test_path_leads_through_lists() -> None:
    body = b'{"data": [{"px": "7"}, {"px": "8"}]}'
    assert read_quote(body, source("data.1.px", None)).price == wad(8)
    assert read_quote(body, source("data.2.px", None)).fault is PriceFault.UNREADABLE
    assert read_quote(body, source("data.-1.px", None)).fault is PriceFault.UNREADABLE


def test_signature_counts_for_exactly_the_bytes_it_was_made_over() -> None:
    body = b'{"nav": 1}'
    signature = KEY.sign(body).hex()
    assert is_signed(body, signature, PUBLIC_KEY)
    assert not is_signed(b'{"nav": 2}', signature, PUBLIC_KEY)
    other = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\x02")
    for wrong in (other.sign(body).hex(), "", "00", "no hex", signature + "00"):
        assert not is_signed(body, wrong, PUBLIC_KEY)


VALUES: Final = st.none() | st.booleans() | st.floats() | st.integers() | st.text()


@given(st.recursive(VALUES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_json_is_a_price_or_a_fault(document: Any) -> None:
    quote = read_quote(json.dumps({"nav": document}).encode(), source("nav", None))
    assert (quote.price is None) == (quote.fault is not None)
