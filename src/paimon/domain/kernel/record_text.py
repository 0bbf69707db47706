"""The exact text of a value made of dataclasses: the same value has the same text in every process, and the text gives it back.

    dataclass   object, by field names        mapping   object, its keys sorted
    enum        its value                     bytes     hex
    tuple       list                          int       a number of any size
    datetime    ISO 8601

One of several dataclasses has the name of its own as `type`. A type that is not in this table is refused, and so is a field
that the dataclass does not have. A field that is added to a dataclass with stored texts is therefore an `added_field`: at its
default it is not in the text. Processes of before read that text, and texts of before give the same bytes again.
"""

import json
from collections.abc import Mapping
from dataclasses import Field, field, fields, is_dataclass
from datetime import datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

_CONTAINERS = (Mapping, dict)
_ADDED = "added after texts were stored"


def added_field(default: Any) -> Any:
    """Declare a field that is in the text only where its value is not this default, which must never change."""
    return field(default=default, metadata={_ADDED: True})


def to_text(value: Any, declared: Any) -> str:
    """Return the text of a value of the declared type."""
    return json.dumps(to_record(value, declared), sort_keys=True, separators=(",", ":"))


def from_text(text: str, declared: Any) -> Any:
    """Read a value of the declared type.

    Raises:
        ValueError: the text is not one of this type.
    """
    return from_record(json.loads(text), declared)


def from_record(found: Any, declared: Any) -> Any:
    """Read a value of the declared type from parsed JSON.

    Raises:
        ValueError: it is not one of this type.
    """
    try:
        return _decode(found, declared)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"this is not a {declared}: {error}") from error


def to_record(value: Any, declared: Any) -> Any:
    """Return a value of the declared type as JSON has it."""
    declared = _plain(declared)
    origin, arguments = get_origin(declared), get_args(declared)
    if value is None:
        return None
    if origin in (Union, UnionType):
        members = [member for member in arguments if member is not NoneType]
        if len(members) == 1:
            return to_record(value, members[0])
        return {"type": type(value).__name__, **to_record(value, type(value))}
    if is_dataclass(declared):
        hints = get_type_hints(declared)
        return {
            each.name: to_record(item, hints[each.name])
            for each in fields(declared)
            if not _is_left_out(each, item := getattr(value, each.name))
        }
    if origin in _CONTAINERS:
        return {str(to_record(key, arguments[0])): to_record(item, arguments[1]) for key, item in value.items()}
    if origin is tuple:
        return [to_record(item, item_type) for item, item_type in zip(value, _items(arguments, len(value)), strict=True)]
    if issubclass(declared, Enum):
        return value.value
    if issubclass(declared, bytes):
        return value.hex()
    if declared is datetime:
        return value.isoformat()
    if declared in (int, str, bool):
        return declared(value)
    raise TypeError(f"no exact text for {declared}")


def _decode(found: Any, declared: Any) -> Any:
    declared = _plain(declared)
    origin, arguments = get_origin(declared), get_args(declared)
    if origin in (Union, UnionType):
        if found is None and NoneType in arguments:
            return None
        members = {member.__name__: member for member in map(_plain, arguments) if member is not NoneType}
        if len(members) == 1:
            return _decode(found, *members.values())
        return _decode({name: item for name, item in found.items() if name != "type"}, members[found["type"]])
    if is_dataclass(declared):
        hints = get_type_hints(declared)
        return declared(**{name: _decode(item, hints[name]) for name, item in found.items()})  # type: ignore[operator]
    if origin in _CONTAINERS:
        return {_decode(key, arguments[0]): _decode(item, arguments[1]) for key, item in found.items()}
    if origin is tuple:
        return tuple(_decode(item, item_type) for item, item_type in zip(found, _items(arguments, len(found)), strict=True))
    if issubclass(declared, bytes):
        return declared(bytes.fromhex(found))
    if issubclass(declared, Enum):
        return declared(found)
    if declared is datetime:
        return datetime.fromisoformat(found)
    if type(found) is not declared:
        raise TypeError(f"{found!r} is no {declared.__name__}")
    return found


def _is_left_out(declared: Field[Any], value: Any) -> bool:
    return _ADDED in declared.metadata and bool(value == declared.default)


def _items(arguments: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """Return the type of each item: `tuple[X, ...]` repeats its one, `tuple[X, Y]` has one for each."""
    return (arguments[0],) * count if arguments[-1:] == (...,) else arguments


def _plain(declared: Any) -> Any:
    """Return what a NewType stands for."""
    while hasattr(declared, "__supertype__"):
        declared = declared.__supertype__
    return declared
