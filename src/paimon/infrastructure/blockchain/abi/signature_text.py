"""Solidity signatures as text, read as items of an ABI.

    event AssetAdded(address indexed token, uint8 tier)
    error NotVoucherOwner(address caller, address owner)
    function totalPendingValue() returns (uint256)
    function getAssetConfigs() returns ((address token, uint8 tier)[])

A parameter is a type, `indexed` where an event indexes it, and a name; a tuple is its components in brackets. Every function
here is a read: the text has no way to say otherwise.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from eth_abi.abi import is_encodable_type

_ITEM: Final = re.compile(r"(event|error|function) (\w+)(\(.*\))$")
_RETURNS: Final = " returns "


class InvalidSignature(ValueError):
    """The text is no signature of an event, an error or a function."""


def abi_item(text: str) -> dict[str, Any]:
    """Read one signature as an item of an ABI.

    Raises:
        InvalidSignature.
    """
    head, _, outputs = text.partition(_RETURNS)
    if (found := _ITEM.match(head)) is None:
        raise InvalidSignature(f"{text!r} is not `event Name(…)`, `error Name(…)` or `function name(…) returns (…)`")
    kind, name, inputs = found.groups()
    item: dict[str, Any] = {"type": kind, "name": name, "inputs": _parameters(inputs)}
    if kind == "function":
        item |= {"outputs": _parameters(outputs or "()"), "stateMutability": "view"}
    return item


def _parameters(text: str) -> list[dict[str, Any]]:
    if not (text.startswith("(") and text.endswith(")")):
        raise InvalidSignature(f"{text!r} is no list of parameters in brackets")
    return [_parameter(part.strip()) for part in _split(text[1:-1])]


def _split(text: str) -> Iterator[str]:
    """Split at the commas outside of brackets."""
    depth, begin = 0, 0
    for index, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            yield text[begin:index]
            begin = index + 1
    if text.strip():
        yield text[begin:]


def _parameter(text: str) -> dict[str, Any]:
    end = text.rfind(")") + 1  # of a tuple; 0 for a plain type
    kind, *words = (text[end:] if end else text).split(" ")
    name = " ".join(word for word in words if word != "indexed")
    parameter: dict[str, Any] = {"name": name, "type": f"tuple{kind}" if end else kind, "indexed": "indexed" in words}
    if end:
        return parameter | {"components": _parameters(text[:end])}
    if not is_encodable_type(kind):
        raise InvalidSignature(f"{kind!r} is no type of Solidity's ABI")
    return parameter
