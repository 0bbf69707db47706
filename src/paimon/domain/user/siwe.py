"""EIP-4361, "Sign-In with Ethereum": render and strictly parse the text that a wallet shows and signs.

Only the form that `render` makes is accepted: every field present, in order, with one spelling each. A text that parses
renders back to itself, so a message cannot contain anything that its fields do not show.
"""

import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Final

from paimon.domain.kernel.chain import Address, InvalidAddress, checksum, parse_address
from paimon.errors import InvalidRequest

VERSION: Final = "1"
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"

_FORM: Final = re.compile(
    r"(?P<domain>[!-~]{1,255}) wants you to sign in with your Ethereum account:\n"
    r"(?P<address>0x[0-9a-fA-F]{40})\n"
    r"\n"
    r"(?P<statement>[ -~]{1,500})\n"
    r"\n"
    r"URI: (?P<uri>[!-~]{1,500})\n"
    rf"Version: {VERSION}\n"
    r"Chain ID: (?P<chain_id>[0-9]{1,20})\n"
    r"Nonce: (?P<nonce>[a-zA-Z0-9]{8,64})\n"
    r"Issued At: (?P<issued_at>[0-9TZ:-]{20})\n"
    r"Expiration Time: (?P<expires_at>[0-9TZ:-]{20})",
    re.ASCII,
)


class MalformedMessage(InvalidRequest, ValueError):
    """The text is not a sign-in message of the form that this system issues."""

    field = "message"


@dataclass(frozen=True, slots=True)
class SignInMessage:
    """The fields of a sign-in message. Times to the second."""

    domain: str
    address: Address
    statement: str
    uri: str
    chain_id: int
    nonce: str
    issued_at: datetime
    expires_at: datetime


def render(message: SignInMessage) -> str:
    """Return the text to sign with personal_sign."""
    return (
        f"{message.domain} wants you to sign in with your Ethereum account:\n"
        f"{checksum(message.address)}\n"
        "\n"
        f"{message.statement}\n"
        "\n"
        f"URI: {message.uri}\n"
        f"Version: {VERSION}\n"
        f"Chain ID: {message.chain_id}\n"
        f"Nonce: {message.nonce}\n"
        f"Issued At: {message.issued_at.strftime(_TIME)}\n"
        f"Expiration Time: {message.expires_at.strftime(_TIME)}"
    )


def parse(text: str) -> SignInMessage:
    """Return the fields of a text that `render` made.

    Raises:
        MalformedMessage: for any other text.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise MalformedMessage("not a sign-in message (EIP-4361) of the form that /auth/challenge issues")
    try:
        message = SignInMessage(
            domain=found["domain"],
            address=parse_address(found["address"]),
            statement=found["statement"],
            uri=found["uri"],
            chain_id=int(found["chain_id"]),
            nonce=found["nonce"],
            issued_at=datetime.strptime(found["issued_at"], _TIME).replace(tzinfo=UTC),
            expires_at=datetime.strptime(found["expires_at"], _TIME).replace(tzinfo=UTC),
        )
    except InvalidAddress as error:
        raise MalformedMessage(str(error)) from error
    except ValueError as error:
        raise MalformedMessage("the sign-in message contains an invalid time") from error
    if render(message) != text:
        raise MalformedMessage("the sign-in message is spelt differently from the one that was issued")
    return message


def differing_fields(sent: SignInMessage, issued: SignInMessage) -> list[str]:
    """Return the names of the fields in which two messages differ."""
    return [field.name for field in fields(SignInMessage) if getattr(sent, field.name) != getattr(issued, field.name)]
