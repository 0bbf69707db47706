"""EIP-4361 messages: a rendered message parses back to itself, and no other text parses."""

import string
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.kernel.chain import Address
from paimon.domain.user.siwe import MalformedMessage, SignInMessage, differing_fields, parse, render

pytestmark = pytest.mark.unit

PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F))
seconds = st.integers(946_684_800, 4_102_444_800).map(lambda value: datetime.fromtimestamp(value, UTC))

messages = st.builds(
    SignInMessage,
    domain=st.text(PRINTABLE.replace(" ", ""), min_size=1, max_size=60),
    address=st.binary(min_size=20, max_size=20).map(Address),
    statement=st.text(PRINTABLE, min_size=1, max_size=100),
    uri=st.text(PRINTABLE.replace(" ", ""), min_size=1, max_size=60),
    chain_id=st.integers(0, 10**19),
    nonce=st.text(string.ascii_letters + string.digits, min_size=8, max_size=64),
    issued_at=seconds,
    expires_at=seconds,
)

ONE = SignInMessage(
    domain="fund.example",
    address=Address(bytes.fromhex("f39fd6e51aad88f6f4ce6ab8827279cfffb92266")),
    statement="Sign in.",
    uri="https://fund.example",
    chain_id=56,
    nonce="0123456789abcdef",
    issued_at=datetime(2026, 1, 31, 12, 0, tzinfo=UTC),
    expires_at=datetime(2026, 1, 31, 12, 5, tzinfo=UTC),
)


@given(messages)
def test_sign_in_message_parses_back_to_itself(message: SignInMessage) -> None:
    assert parse(render(message)) == message


def test_sign_in_message_renders_as_the_standard_shows() -> None:
    assert render(ONE) == (
        "fund.example wants you to sign in with your Ethereum account:\n"
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266\n"
        "\n"
        "Sign in.\n"
        "\n"
        "URI: https://fund.example\n"
        "Version: 1\n"
        "Chain ID: 56\n"
        "Nonce: 0123456789abcdef\n"
        "Issued At: 2026-01-31T12:00:00Z\n"
        "Expiration Time: 2026-01-31T12:05:00Z"
    )


@given(messages, st.data())
def test_changed_character_is_refused_or_shows_in_a_field(message: SignInMessage, data: st.DataObject) -> None:
    text = render(message)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from(PRINTABLE + "\n"))
    changed = text[:at] + other + text[at + 1 :]
    try:
        read = parse(changed)
    except MalformedMessage:
        return
    assert (differing_fields(read, message) == []) == (changed == text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        render(ONE) + "\n",
        render(ONE) + "\nResources:\n- https://elsewhere.example",
        render(ONE).replace("Version: 1", "Version: 2"),
        render(ONE).replace("0xf39Fd6e5", "0xF39Fd6e5"),
        render(ONE).replace("Chain ID: 56", "Chain ID: 056"),
        render(ONE).replace("2026-01-31T12:00:00Z", "2026-02-31T12:00:00Z"),
        render(ONE).replace("Nonce: 0123456789abcdef", "Nonce: 0123"),
    ],
)
def test_parse_refuses_other_spellings(text: str) -> None:
    with pytest.raises(MalformedMessage):
        parse(text)


def test_differing_fields_names_every_field_that_differs() -> None:
    assert differing_fields(replace(ONE, chain_id=97, domain="evil.example"), ONE) == ["domain", "chain_id"]
