"""Refusal of query parameters that the endpoint does not have, and of parameters that are given twice.

They are usually misspelt: a response that ignored `?blok=98` would show the present, and its reader would take it for block
98. One dependency of the whole API reads the parameters that the called route declares. A request without a query skips the
check.
"""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError

_NAME_CHARACTERS_MAX: Final = 50


async def reject_unknown_query_params(request: Request) -> None:
    """Check the query. Raises RequestValidationError with each refused parameter and the endpoint's known ones."""
    if not request.query_params:
        return
    known = list(dict.fromkeys(_declared(request.scope["route"].dependant)))
    problems = list(_problems(request.query_params.multi_items(), known))
    if problems:
        raise RequestValidationError(problems)


def _declared(dependant: Dependant) -> Iterator[str]:
    yield from (parameter.alias for parameter in dependant.query_params)
    for dependency in dependant.dependencies:
        yield from _declared(dependency)


def _problems(given: list[tuple[str, str]], known: list[str]) -> Iterator[dict[str, Any]]:
    # No endpoint takes several values of one parameter.
    names = [name for name, _value in given]
    for name in dict.fromkeys(names):
        if name not in known:
            has = f"has {', '.join(known)}" if known else "has none"
            problem = f"there is no such parameter; this endpoint {has}"
        elif (times := names.count(name)) > 1:
            problem = f"is given {times} times, and may be given once"
        else:
            continue
        yield {"type": "unknown_query", "loc": ("query", name[:_NAME_CHARACTERS_MAX]), "msg": problem, "input": None}
