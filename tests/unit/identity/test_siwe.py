"""EIP-4361 messages: what wallets' own libraries write parses to its fields, and no other text parses."""

import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.user.siwe import MalformedMessage, SignInMessage, mismatched_fields, parse, render

pytestmark = pytest.mark.unit

PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F))
VISIBLE = PRINTABLE.replace(" ", "")
times = st.datetimes(datetime(1970, 1, 2), datetime(2900, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 — the strategy adds UTC
uris = st.builds("{}:{}".format, st.sampled_from(["https", "ipfs", "urn", "a+b"]), st.text(VISIBLE, max_size=60))

messages = st.builds(
    SignInMessage,
    domain=st.text(VISIBLE.replace("/", ""), min_size=1, max_size=60),
    address=st.binary(min_size=20, max_size=20).map(Address),
    uri=uris,
    chain_id=st.integers(0, 10**19),
    nonce=st.text(string.ascii_letters + string.digits, min_size=8, max_size=64),
    issued_at=times,
    expires_at=st.none() | times,
    not_before=st.none() | times,
    statement=st.none() | st.text(PRINTABLE, min_size=1, max_size=100),
    scheme=st.none() | st.sampled_from(["https", "http", "a+b"]),
    request_id=st.none() | st.text(string.ascii_letters + "-._~!$&'()*+,;=:@", max_size=30),
    resources=st.none() | st.lists(uris, max_size=4).map(tuple),
)

ONE = SignInMessage(
    domain="fund.example",
    address=Address(bytes.fromhex("f39fd6e51aad88f6f4ce6ab8827279cfffb92266")),
    uri="https://fund.example",
    chain_id=56,
    nonce="0123456789abcdef",
    issued_at=datetime(2026, 1, 31, 12, 0, tzinfo=UTC),
    expires_at=datetime(2026, 1, 31, 12, 5, tzinfo=UTC),
    statement="Sign in.",
)

HEAD = "fund.example wants you to sign in with your Ethereum account:\n0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266\n\n"
FIELDS = "URI: https://fund.example\nVersion: 1\nChain ID: 56\nNonce: 0123456789abcdef\n"
ISSUED = "Issued At: 2026-01-31T12:00:00.123Z"
WITH_MILLISECONDS = datetime(2026, 1, 31, 12, 0, 0, 123_000, tzinfo=UTC)


@given(messages)
def test_sign_in_message_parses_back_to_itself(message: SignInMessage) -> None:
    assert parse(render(message)) == message


def test_sign_in_message_renders_as_the_standard_shows() -> None:
    assert render(ONE) == (
        HEAD + "Sign in.\n\n" + FIELDS + "Issued At: 2026-01-31T12:00:00Z\nExpiration Time: 2026-01-31T12:05:00Z"
    )


BARE = replace(ONE, statement=None, issued_at=WITH_MILLISECONDS, expires_at=None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # viem `createSiweMessage` and siwe `toMessage` with the required fields only
        (f"{HEAD}\n{FIELDS}{ISSUED}", BARE),
        # both, with a statement, and times as JavaScript's `toISOString` writes them
        (
            f"{HEAD}Sign in.\n\n{FIELDS}{ISSUED}\nExpiration Time: 2026-01-31T12:05:00.000Z",
            replace(ONE, issued_at=WITH_MILLISECONDS),
        ),
        # both, with every optional field
        (
            f"https://{HEAD}\n{FIELDS}{ISSUED}\nExpiration Time: 2026-01-31T12:05:00.000Z\n"
            "Not Before: 2026-01-31T11:59:00.000Z\nRequest ID: request-1\nResources:\n- https://fund.example/terms\n- ipfs://Qm1",
            replace(
                BARE,
                scheme="https",
                expires_at=ONE.expires_at,
                not_before=datetime(2026, 1, 31, 11, 59, tzinfo=UTC),
                request_id="request-1",
                resources=("https://fund.example/terms", "ipfs://Qm1"),
            ),
        ),
        # siwe writes an empty list of resources as its heading only, and an empty request id as its name
        (f"{HEAD}\n{FIELDS}{ISSUED}\nRequest ID: \nResources:", replace(BARE, request_id="", resources=())),
        # libraries of other languages: nanoseconds, an offset
        (f"{HEAD}\n{FIELDS}Issued At: 2026-01-31T14:00:00.123000999+02:00", BARE),
    ],
)
def test_message_of_a_wallets_library_parses(text: str, expected: SignInMessage) -> None:
    assert parse(text) == expected


@given(times, st.integers(-14 * 60, 14 * 60), st.sampled_from(["", ".1", ".123", ".123456", ".123456789"]), st.booleans())
def test_time_parses_in_any_offset_and_precision(time: datetime, offset_minutes: int, fraction: str, lower: bool) -> None:
    whole = time.replace(microsecond=0)
    text = whole.astimezone(timezone(timedelta(minutes=offset_minutes))).isoformat()
    text = text[:19] + fraction + text[19:]
    read = parse(f"{HEAD}\n{FIELDS}Issued At: {text.lower() if lower else text}").issued_at
    assert read == whole.replace(microsecond=int((fraction[1:7] or "0").ljust(6, "0")))


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
    # A time has more than one spelling: `t` for `T`, an offset for `Z`.
    assert (read == message) == (changed == text) or changed.upper() == text.upper()


@given(st.binary(min_size=20, max_size=20).map(Address))
def test_address_without_its_checksum_is_refused(address: Address) -> None:
    text = render(replace(ONE, address=address))
    for spelt in (
        checksum(address).lower(),
        "0x" + checksum(address)[2:].upper(),
        checksum(address).swapcase().replace("X", "x"),
    ):
        changed = text.replace(checksum(address), spelt)
        if changed != text:
            with pytest.raises(MalformedMessage):
                parse(changed)


@given(st.text(st.characters(), max_size=200))
def test_other_text_is_refused_and_never_fails(text: str) -> None:
    with pytest.raises(MalformedMessage):
        parse(text)
    with pytest.raises(MalformedMessage):
        parse(render(ONE) + "\n" + text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        render(ONE) + "\n",
        render(ONE) + "\nResources:\n- no uri",
        render(ONE) + "\nResources:\n- https://a.example\nRequest ID: 1",
        render(ONE).replace("Version: 1", "Version: 2"),
        render(ONE).replace("0xf39Fd6e5", "0xF39Fd6e5"),
        render(ONE).replace("Chain ID: 56", "Chain ID: 056"),
        render(ONE).replace("2026-01-31T12:00:00Z", "2026-02-31T12:00:00Z"),
        render(ONE).replace("2026-01-31T12:00:00Z", "0001-01-01T00:00:00+14:00"),
        render(ONE).replace("2026-01-31T12:00:00Z", "2026-01-31T12:00:00"),
        render(ONE).replace("2026-01-31T12:00:00Z", "2026-01-31 12:00:00Z"),
        render(ONE).replace("Nonce: 0123456789abcdef", "Nonce: 0123"),
        render(ONE).replace("Sign in.\n\n", "Sign in.\n"),
        render(ONE).replace("Sign in.\n\n", "\n\n"),
        render(ONE).replace("Sign in.", "Sign\nin."),
        render(ONE).replace("Sign in.", "Sign in…"),
    ],
)
def test_parse_refuses_what_the_standard_does_not_allow(text: str) -> None:
    with pytest.raises(MalformedMessage):
        parse(text)


@given(messages)
def test_message_fits_its_site_with_any_optional_fields(message: SignInMessage) -> None:
    expected = SignInMessage(
        domain=message.domain,
        address=message.address,
        uri=message.uri,
        chain_id=message.chain_id,
        nonce="another1",
        issued_at=ONE.issued_at,
        scheme=message.scheme or "https",
    )
    assert mismatched_fields(message, expected) == []


def test_mismatched_fields_names_every_field_that_differs() -> None:
    foreign = replace(
        ONE, chain_id=97, domain="evil.example", uri="https://evil.example", scheme="http", address=Address(bytes(20))
    )
    expected = replace(ONE, scheme="https")
    assert mismatched_fields(foreign, expected) == ["domain", "address", "uri", "chain_id", "scheme"]
