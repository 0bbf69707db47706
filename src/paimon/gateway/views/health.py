"""JSON of the health report's details."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic.alias_generators import to_camel

from paimon.application.common.formatting import iso_z
from paimon.domain.kernel.chain import checksum


def health_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return a component's details: names in camelCase, times in ISO 8601, addresses with checksum, wei as decimal strings."""
    return {_name(name): _value(name, value) for name, value in details.items()}


def _name(name: str) -> str:
    return to_camel(name) if "_" in name else name


def _value(name: str, value: Any) -> Any:
    match value:
        case datetime():
            return iso_z(value)
        case bytes():
            return checksum(value)
        case int() if name.endswith("_wei"):
            return str(value)
        case Mapping():
            return health_details({str(key): each for key, each in value.items()})
        case str():
            return str(value)
        case Sequence():
            return [_value(name, each) for each in value]
    return value
