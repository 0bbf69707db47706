"""A view as cells of CSV, and cells as text: what a spreadsheet or a program reads back is what the JSON answer says.

Nested objects become columns `outer.inner`; a list or free-form object is one cell of JSON. Columns come from the view's
class, so that they are the same whatever the rows hold.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final, get_args

import orjson

from paimon.gateway.rest.schema import ApiModel

Path = tuple[str, ...]
"""Where a cell is in the row's JSON: names from the outside in."""


def heading(path: Path) -> str:
    return ".".join(path)


@cache
def columns_of(view: type[ApiModel]) -> tuple[Path, ...]:
    columns: list[Path] = []
    for name, field in view.model_fields.items():
        alias = field.alias or name
        inner = _view_in(field.annotation)
        columns += [(alias, *path) for path in columns_of(inner)] if inner else [(alias,)]
    return tuple(columns)


def _view_in(annotation: Any) -> type[ApiModel] | None:
    """The view an annotation names, by itself or as `… | None`; a list of views is none, for it is one cell."""
    for each in (annotation, *(arg for arg in get_args(annotation) if type(None) in get_args(annotation))):
        if isinstance(each, type) and issubclass(each, ApiModel):
            return each
    return None


def cells(view: ApiModel, columns: Iterable[Path]) -> list[str]:
    shown = view.model_dump(mode="json", by_alias=True)
    return [cell(_at(shown, path)) for path in columns]


def _at(value: Any, path: Path) -> Any:
    for name in path:
        value = None if value is None else value[name]
    return value


_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_FORMULA_PREFIXES: Final = ("'", "=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 — spreadsheets take these too


def cell(value: Any) -> str:
    """A JSON value as a cell.

    Text that a spreadsheet would run is led by an apostrophe, and so is text that begins with one: whoever takes one
    leading apostrophe off has the text again. A plain number, also one below zero, is just that.
    """
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list() | dict():
            return orjson.dumps(value).decode()
        case str() if value.startswith(_FORMULA_PREFIXES) and not _NUMBER.fullmatch(value):
            return f"'{value}"
        case _:
            return str(value)


def csv_text(lines: Iterable[Sequence[str]]) -> str:
    """RFC 4180: commas, quotes where needed and doubled inside, lines ended by CRLF."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    return text.getvalue()
