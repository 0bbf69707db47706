"""JSON forms of values: camelCase names, big integers as decimal strings, times in UTC with Z, checksummed addresses."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

from paimon.domain.kernel.chain import Address, Hash32, checksum, hex0x, parse_address
from paimon.domain.kernel.units import UINT256_MAX

_HASH_DIGITS: Final = 64


class ApiModel(BaseModel):
    """Base of every JSON shape. Unknown fields of a request are refused: they are usually misspelt."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


def iso_z(instant: datetime) -> str:
    """Format a time as 2026-01-31T12:00:00Z."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _address(value: object) -> Address:
    return Address(value) if isinstance(value, bytes) else parse_address(str(value))


def _hash(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    digits = str(value).removeprefix("0x")
    if len(digits) != _HASH_DIGITS or any(c not in "0123456789abcdefABCDEF" for c in digits):
        raise ValueError(f"32 bytes are 0x followed by {_HASH_DIGITS} hexadecimal digits")
    return bytes.fromhex(digits)


def _uint256(value: int) -> int:
    if not 0 <= value <= UINT256_MAX:
        raise ValueError("an on-chain integer is at least 0 and below 2²⁵⁶")
    return value


def _string_schema(pattern: str | None = None, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string"} | ({"pattern": pattern} if pattern else {}) | more)


def _serialized(render: Callable[[Any], str]) -> PlainSerializer:
    return PlainSerializer(render, return_type=str)


BigInt = Annotated[int, AfterValidator(_uint256), _serialized(str), _string_schema("^[0-9]+$")]
"""A uint256 as a decimal string: JSON numbers lose digits above 2⁵³."""

AddressText = Annotated[Address, BeforeValidator(_address), _serialized(checksum), _string_schema("^0x[0-9a-fA-F]{40}$")]
HashText = Annotated[Hash32, BeforeValidator(_hash), _serialized(hex0x), _string_schema("^0x[0-9a-fA-F]{64}$")]
Time = Annotated[datetime, _serialized(iso_z), _string_schema(format="date-time")]
