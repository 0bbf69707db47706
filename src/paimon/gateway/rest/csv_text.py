"""Conversion of views to CSV: the cells hold the same values as the JSON response.

Nested objects become columns `outer.inner`; a list or free-form object is one cell of JSON. The columns come from the view's
class, so they do not depend on the rows.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final, get_args

import orjson

from paimon.gateway.rest.schema import ApiModel
from paimon.infrastructure.text import PLAIN_NUMBER, spreadsheet_cell

Path = tuple[str, ...]
"""Position of a cell in the row's JSON: the field names from the outermost inwards."""


def heading(path: Path) -> str:
    return ".".join(path)


@cache
def columns_of(view: type[ApiModel]) -> tuple[Path, ...]:
    columns: list[Path] = []
    for name, field in view.model_fields.items():
        alias = field.alias or name
        inner = _nested_view(field.annotation)
        columns += [(alias, *path) for path in columns_of(inner)] if inner else [(alias,)]
    return tuple(columns)


def _nested_view(annotation: Any) -> type[ApiModel] | None:
    """Return the view of an annotation `View` or `View | None`. A list of views gives None: it becomes one cell."""
    optional = (argument for argument in get_args(annotation) if type(None) in get_args(annotation))
    for candidate in (annotation, *optional):
        if isinstance(candidate, type) and issubclass(candidate, ApiModel):
            return candidate
    return None


def cells(view: ApiModel, columns: Iterable[Path]) -> list[str]:
    shown = view.model_dump(mode="json", by_alias=True)
    return [cell(_at(shown, path)) for path in columns]


def _at(value: Any, path: Path) -> Any:
    for name in path:
        value = None if value is None else value[name]
    return value


def cell(value: Any) -> str:
    """Convert a JSON value to a cell; a list or an object is one cell of JSON."""
    match value:
        case list() | dict():
            return orjson.dumps(value).decode()
        case _:
            return spreadsheet_cell(value)


_EXACT_DIGITS: Final = 15
"""Digits that a number of Excel keeps. It replaces the others by zeros, without a word."""


def excel_cell(text: str) -> str:
    """Convert a cell for Excel: a number of more digits than Excel keeps becomes the text of the same digits, `="…"`."""
    if PLAIN_NUMBER.fullmatch(text) and sum(character.isdigit() for character in text) > _EXACT_DIGITS:
        return f'="{text}"'
    return text


def csv_text(lines: Iterable[Sequence[str]]) -> str:
    """Format lines by RFC 4180: commas, quotes where needed and doubled inside, CRLF at line ends."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    return text.getvalue()
