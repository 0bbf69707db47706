"""The methods of each path: for the Allow header of a 405, and for the OpenAPI document.

Several routes may share a path, one for each method. Starlette names only those of the first.
"""

from collections.abc import Sequence

from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute, compile_path


def allowed_methods(routes: Sequence[BaseRoute], path: str) -> list[str]:
    """Return the methods that a path takes, HEAD beside GET; none if there is no such path."""
    methods = {
        method
        for context in iter_route_contexts(routes)
        if isinstance(route := context.original_route, APIRoute) and compile_path(str(context.path))[0].match(path)
        for method in route.methods or ()
    }
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))
