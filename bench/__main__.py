"""Run suites and keep their figures: `python -m bench [--events N] [SUITE …]`."""

import argparse
from collections.abc import Callable, Coroutine
from typing import Any, Final

import uvloop

from bench.figures import Figure, save_figures, table
from bench.suites import (
    attacks,
    audit,
    cli,
    database,
    forecast,
    latency,
    lease,
    listener,
    proof,
    rebalance,
    replay,
    send,
    sparse,
    ui,
)

SUITES: Final[dict[str, Callable[[int], Coroutine[Any, Any, list[Figure]]]]] = {
    "listener": listener.measure,
    "latency": lambda _events: latency.measure(),
    "sparse": lambda _events: sparse.measure(),
    "database": lambda _events: database.measure(),
    "audit": lambda _events: audit.measure(),
    "lease": lambda _events: lease.measure(),
    "proof": lambda _events: proof.measure(),
    "replay": replay.measure,
    "cli": lambda _events: cli.measure(),
    "send": lambda _events: send.measure(),
    "attacks": lambda _events: attacks.measure(),
    "forecast": lambda _events: forecast.measure(),
    "rebalance": lambda _events: rebalance.measure(),
    "ui": lambda _events: ui.measure(),
}
EVENTS: Final = 200_000
SIZED: Final = ("listener", "replay")


def main() -> None:
    """Measure the suites on the command line, all by default, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure; figures go to bench/results.")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"one or more of {', '.join(SUITES)}; all by default")
    parser.add_argument("--events", type=int, default=EVENTS, help=f"number of logs for the suites {' and '.join(SIZED)}")
    arguments = parser.parse_args()
    if unknown := set(arguments.suites) - set(SUITES):
        parser.error(f"no suite is called {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}")
    figures: list[Figure] = []
    for name in arguments.suites or SUITES:
        print(f"· {name}", flush=True)
        measured = uvloop.run(SUITES[name](arguments.events))
        size = f" EVENTS={arguments.events}" if name in SIZED else ""
        save_figures(measured, command=f"make bench SUITE={name}{size}")
        figures += measured
    print(table(figures))


if __name__ == "__main__":
    main()
