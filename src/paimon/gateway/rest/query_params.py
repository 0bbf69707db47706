"""Query parameters that an endpoint does not have, or has once and was given twice, are refused: they are usually misspelt.

An answer that leaves `?blok=98` out of account would be of now, and its reader would take it for block 98's. One dependency of
the whole API looks at what the called route declares, so that no route has to say so itself. What comes without a query,
as most requests do, is not looked at.
"""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError

_NAME_CHARACTERS_MAX: Final = 50


async def reject_unknown_query_params(request: Request) -> None:
    """Raises RequestValidationError, which names each parameter and those there are."""
    if not request.query_params:
        return
    known = list(dict.fromkeys(_declared(request.scope["route"].dependant)))
    problems = list(_problems(request.query_params.multi_items(), known))
    if problems:
        raise RequestValidationError(problems)


def _declared(dependant: Dependant) -> Iterator[str]:
    yield from (each.alias for each in dependant.query_params)
    for deeper in dependant.dependencies:
        yield from _declared(deeper)


def _problems(given: list[tuple[str, str]], known: list[str]) -> Iterator[dict[str, Any]]:
    """No endpoint takes several values of one parameter."""
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
