"""`python -m bench [SUITE …]`."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from bench.figures import Figure, keep, table
from bench.suites import database

SUITES: dict[str, Callable[[], Coroutine[Any, Any, list[Figure]]]] = {"database": database.measure}


def main(names: list[str]) -> None:
    unknown = set(names) - set(SUITES)
    if unknown:
        sys.exit(f"no suite is called {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}")
    wanted = names or list(SUITES)
    figures: list[Figure] = []
    for name in wanted:
        print(f"· {name}", flush=True)
        figures += asyncio.run(SUITES[name]())
    keep(figures, command=f"make bench{' SUITE=' + names[0] if names else ''}")
    print(table(figures))


main(sys.argv[1:])
