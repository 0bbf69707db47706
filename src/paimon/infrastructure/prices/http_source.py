"""A web service that says a price in JSON.

Nothing it can answer costs more than the bounds: time, decoded bytes, and digits. A redirect is not followed, since it would
lead to a host that no person named. Numbers are read as decimals, never as floats.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import aiohttp
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from paimon.domain.price.observation import PriceFault, Quote, scaled
from paimon.infrastructure.bodies import BodyTooLarge, read_body
from paimon.settings.price_sources import HttpSourceSettings

SIGNATURE_HEADER: Final = "X-Signature-Ed25519"
"""The header with the signature of the body's bytes, in hexadecimal digits."""

_BYTES_MAX: Final = 64 * 1024
_DIGITS_MAX: Final = 100
_MILLISECONDS_FROM: Final = 10**11
"""Seconds of the year 5138: a larger number counts milliseconds."""


class Unreadable(ValueError):
    """The answer holds no price where it should."""


async def fetch_quote(session: aiohttp.ClientSession, source: HttpSourceSettings, *, timeout_seconds: float) -> Quote:
    """Ask a source; every failure is the fault of the quote."""
    try:
        headers = {"Accept": "application/json"}
        if (authorization := source.authorization()) is not None:
            headers["Authorization"] = authorization.get_secret_value()
        timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        async with session.get(
            source.url.get_secret_value(), headers=headers, timeout=timeout, allow_redirects=False
        ) as response:
            if response.status != 200:
                return _fault(PriceFault.UNAVAILABLE, f"it answered {response.status}")
            body = bytes(await read_body(response, bytes_max=_BYTES_MAX))
            signature = response.headers.get(SIGNATURE_HEADER, "")
    except OSError:
        return _fault(PriceFault.UNAVAILABLE, "it cannot be reached, or its key cannot be read")
    except (aiohttp.ClientError, TimeoutError) as error:
        return _fault(PriceFault.UNAVAILABLE, f"it did not answer within {timeout_seconds:g} s: {type(error).__name__}")
    except BodyTooLarge:
        return _fault(PriceFault.UNREADABLE, f"its answer has more than {_BYTES_MAX} bytes")
    if source.public_key is not None and not is_signed(body, signature, source.public_key):
        return _fault(PriceFault.NOT_SIGNED, f"its answer is not signed with the key of the file ({SIGNATURE_HEADER})")
    return read_quote(body, source)


def is_signed(body: bytes, signature: str, public_key: str) -> bool:
    """Report whether the signature is the key's over exactly these bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(bytes.fromhex(signature), body)
    except (InvalidSignature, ValueError):
        return False
    return True


def read_quote(body: bytes, source: HttpSourceSettings) -> Quote:
    """Read price and time from an answer."""
    try:
        document = json.loads(body, parse_float=_decimal, parse_int=_decimal, parse_constant=_refuse)
        price = _number(_value(document, source.price_at.split(".")), source.price_at)
        time_at = source.time_at
        valued_at = None if time_at is None else _time(_value(document, time_at.split(".")), time_at)
    except Unreadable as error:
        return _fault(PriceFault.UNREADABLE, str(error))
    except (ValueError, RecursionError):
        return _fault(PriceFault.UNREADABLE, "its answer is no JSON")
    if (amount := scaled(price)) is None:
        return _fault(PriceFault.TOO_LARGE, "the price is more than any token is worth")
    return Quote(amount, valued_at)


def _value(document: Any, path: Sequence[str]) -> Any:
    value = document
    for name in path:
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isascii() and name.isdigit() and int(name[:6]) < len(value):
            value = value[int(name[:6])]
        else:
            raise Unreadable(f"its answer has no {'.'.join(path)}")
    return value


def _decimal(text: str) -> Decimal:
    if len(text) > _DIGITS_MAX:
        raise Unreadable(f"a number has more than {_DIGITS_MAX} digits")
    return Decimal(text)


def _refuse(name: str) -> Any:
    raise Unreadable(f"{name} is no number")


def _number(value: Any, place: str) -> Decimal:
    if isinstance(value, str) and len(value) <= _DIGITS_MAX:
        try:
            value = Decimal(value)
        except InvalidOperation:
            value = None
    if not isinstance(value, Decimal) or not value.is_finite():
        raise Unreadable(f"{place} is no number")
    return value


def _time(value: Any, place: str) -> datetime:
    """Read seconds or milliseconds since 1970, or a time or day in ISO 8601; a time without a zone is UTC."""
    try:
        if isinstance(value, Decimal):
            seconds = value / 1_000 if value >= _MILLISECONDS_FROM else value
            return datetime.fromtimestamp(int(seconds), UTC)
        found = datetime.fromisoformat(str(value)[:40])
    except (ValueError, OverflowError, OSError) as error:
        raise Unreadable(f"{place} is no time") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _fault(fault: PriceFault, detail: str) -> Quote:
    return Quote(None, None, fault=fault, detail=detail)
