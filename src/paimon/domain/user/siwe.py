"""EIP-4361, "Sign-In with Ethereum": render, and parse, the text that a wallet shows and signs.

`parse` accepts any message of the standard, as wallets' own libraries write it. `render` writes the one that this system
offers to sign, and is the inverse: a parsed message renders to the same text but for how its times are spelt.

    [scheme://]domain wants you to sign in with your Ethereum account:
    address

    [statement]

    URI: …
    Version: 1
    Chain ID: …
    Nonce: …
    Issued At: …
    [Expiration Time: …]  [Not Before: …]  [Request ID: …]  [Resources:]  [- URI, one a line]

Without a statement its line is absent and both empty lines stay. Source: EIP-4361, "ABNF Message Format".
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from paimon.domain.kernel.chain import Address, InvalidAddress, checksum, parse_address
from paimon.errors import InvalidRequest

VERSION: Final = "1"

_TIME: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,18})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
"""RFC 3339."""

_URI: Final = r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]*"
_PCHARS: Final = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*"

_FORM: Final = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,31})://)?(?P<domain>[!-.0-~]{1,255})"
    r" wants you to sign in with your Ethereum account:\n"
    r"(?P<address>0x[0-9a-fA-F]{40})\n"
    r"\n"
    r"(?:(?P<statement>[ -~]{1,500})\n)?"
    r"\n"
    rf"URI: (?P<uri>{_URI})\n"
    rf"Version: {VERSION}\n"
    r"Chain ID: (?P<chain_id>0|[1-9][0-9]{0,19})\n"
    r"Nonce: (?P<nonce>[a-zA-Z0-9]{8,64})\n"
    rf"Issued At: (?P<issued_at>{_TIME})"
    rf"(?:\nExpiration Time: (?P<expires_at>{_TIME}))?"
    rf"(?:\nNot Before: (?P<not_before>{_TIME}))?"
    rf"(?:\nRequest ID: (?P<request_id>{_PCHARS}))?"
    rf"(?:\nResources:(?P<resources>(?:\n- {_URI})*))?",
    re.ASCII,
)


class MalformedMessage(InvalidRequest, ValueError):
    """The text is not a sign-in message of EIP-4361."""

    field = "message"


@dataclass(frozen=True, slots=True)
class SignInMessage:
    """The fields of a sign-in message. None stands for a field that is absent, which is not the same as an empty one."""

    domain: str
    address: Address
    uri: str
    chain_id: int
    nonce: str
    issued_at: datetime
    expires_at: datetime | None = None
    not_before: datetime | None = None
    statement: str | None = None
    scheme: str | None = None
    request_id: str | None = None
    resources: tuple[str, ...] | None = None


def render(message: SignInMessage) -> str:
    """Return the text to sign with personal_sign."""
    lines = [
        f"{_origin(message)} wants you to sign in with your Ethereum account:",
        checksum(message.address),
        "",
        *([] if message.statement is None else [message.statement]),
        "",
        f"URI: {message.uri}",
        f"Version: {VERSION}",
        f"Chain ID: {message.chain_id}",
        f"Nonce: {message.nonce}",
        f"Issued At: {_time_text(message.issued_at)}",
    ]
    if message.expires_at is not None:
        lines.append(f"Expiration Time: {_time_text(message.expires_at)}")
    if message.not_before is not None:
        lines.append(f"Not Before: {_time_text(message.not_before)}")
    if message.request_id is not None:
        lines.append(f"Request ID: {message.request_id}")
    if message.resources is not None:
        lines += ["Resources:", *(f"- {resource}" for resource in message.resources)]
    return "\n".join(lines)


def _origin(message: SignInMessage) -> str:
    return message.domain if message.scheme is None else f"{message.scheme}://{message.domain}"


def _time_text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse(text: str) -> SignInMessage:
    """Return the fields of a message.

    Raises:
        MalformedMessage: the text has another form, an address without its EIP-55 checksum, or an impossible time.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise MalformedMessage("not a sign-in message of EIP-4361, like the one that /auth/challenge issues")
    resources = found["resources"]
    return SignInMessage(
        domain=found["domain"],
        address=_parse_address(found["address"]),
        uri=found["uri"],
        chain_id=int(found["chain_id"]),
        nonce=found["nonce"],
        issued_at=_parse_time(found["issued_at"]),
        expires_at=_parse_optional_time(found["expires_at"]),
        not_before=_parse_optional_time(found["not_before"]),
        statement=found["statement"],
        scheme=found["scheme"],
        request_id=found["request_id"],
        resources=None if resources is None else tuple(resources.split("\n- ")[1:]),
    )


def _parse_address(text: str) -> Address:
    """Parse an address, which the standard wants with its checksum: other text of ours accepts one without."""
    try:
        address = parse_address(text)
    except InvalidAddress as error:
        raise MalformedMessage(str(error)) from error
    if checksum(address) != text:
        raise MalformedMessage(f"{text} has no EIP-55 checksum, which a sign-in message needs")
    return address


def _parse_optional_time(text: str | None) -> datetime | None:
    return None if text is None else _parse_time(text)


def _parse_time(text: str) -> datetime:
    """Parse a time of RFC 3339 in any offset. What is finer than a microsecond is cut off."""
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise MalformedMessage(f"the sign-in message contains an invalid time: {text}") from error


def mismatched_fields(message: SignInMessage, expected: SignInMessage) -> list[str]:
    """Name the fields that tie a message to a site, its signer and a chain, and that are not the expected ones.

    A scheme may be absent from the message; a scheme that it names must be the expected one. Everything else in a message is
    the wallet's own choice: statement, resources and request id grant nothing here.
    """
    names = [name for name in ("domain", "address", "uri", "chain_id") if getattr(message, name) != getattr(expected, name)]
    if message.scheme is not None and message.scheme != expected.scheme:
        names.append("scheme")
    return names
