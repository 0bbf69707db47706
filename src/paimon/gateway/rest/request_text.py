"""Refusal of text that no column, key or response can hold: a NUL character, and half of a surrogate pair.

PostgreSQL stores neither, and UTF-8 has no form for the second. JSON and a query can name both. One dependency of the whole
API looks at every text of a request, in path, query and body, so that no field needs a rule of its own.
"""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError

Location = tuple[str | int, ...]

_FIRST_SURROGATE: Final = "\ud800"
_LAST_SURROGATE: Final = "\udfff"


async def reject_invalid_text(request: Request) -> None:
    """Check the request's text. Raises RequestValidationError with each place that holds an invalid character."""
    texts: dict[str, Any] = {"path": request.path_params, "query": dict(request.query_params.multi_items())}
    if request.scope["route"].body_field is not None:
        texts["body"] = await _json_body(request)
    problems = [
        {"type": "invalid_text", "loc": location, "msg": problem, "input": None}
        for source, value in texts.items()
        for location, problem in find_invalid_text(value, (source,))
    ]
    if problems:
        raise RequestValidationError(problems)


async def _json_body(request: Request) -> Any:
    """Return the body that FastAPI has parsed already, or None for one that is not JSON, which FastAPI itself refuses."""
    try:
        return await request.json()
    except (ValueError, RecursionError):
        return None


def find_invalid_text(value: Any, location: Location) -> Iterator[tuple[Location, str]]:
    """Yield each place of an invalid text in a JSON value, with the problem. It may be nested as deep as JSON allows."""
    pending: list[tuple[Location, Any]] = [(location, value)]
    while pending:
        place, inner = pending.pop()
        if isinstance(inner, str):
            if (problem := _problem(inner)) is not None:
                yield place, problem
        elif isinstance(inner, dict):
            for key, item in inner.items():
                pending += [((*place, key), item), ((*place, key), key)]
        elif isinstance(inner, list):
            pending += [((*place, index), item) for index, item in enumerate(inner)]


def _problem(text: str) -> str | None:
    if "\x00" in text:
        return "must not contain a NUL character"
    if any(_FIRST_SURROGATE <= character <= _LAST_SURROGATE for character in text):
        return "must not contain half of a surrogate pair: it is no character"
    return None
