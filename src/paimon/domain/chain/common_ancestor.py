"""Search for the newest recorded block that is still on the chain.

Each block names its parent. Below a block that is on the chain, every recorded block is on the chain; above a block that
is not, no recorded block is. The search therefore narrows down to the boundary. Reorganisations are usually shallow, so
the search first goes down in doubling steps and then halves the rest. Not every header is kept, so each probe takes the
newest kept block at or below a number.
"""

from collections.abc import Generator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AncestorProbe:
    """The newest recorded block at or below the requested number, and whether it is on the chain."""

    number: int
    on_chain: bool


@dataclass(frozen=True, slots=True)
class Fork:
    """The newest recorded block on the chain, and the oldest recorded block above it that is not; None when all are."""

    ancestor: int
    first_changed: int | None


class AncestorNotFound(Exception):
    """No recorded block is on the chain, down to the oldest whose header is kept."""


def search_ancestor(newest: int) -> Generator[int, AncestorProbe | None, Fork]:
    """Yield block numbers to probe, receive the probes, and return the fork.

    A probe of None means that no block is recorded at or below the number.

    Raises:
        AncestorNotFound: no recorded block is on the chain.
    """
    probe = yield newest
    if probe is None:
        raise AncestorNotFound("no block is recorded")
    if probe.on_chain:
        return Fork(probe.number, None)
    changed, step = probe.number, 1
    while True:
        probe = yield changed - step
        if probe is None and step == 1:
            raise AncestorNotFound(f"the oldest recorded block, {changed}, is not on the chain")
        if probe is None:
            step //= 2
        elif probe.on_chain:
            break
        else:
            changed, step = probe.number, step * 2
    ancestor, lower_bound = probe.number, changed - step  # no block is recorded between the two
    while changed - lower_bound > 1:
        middle = (lower_bound + changed) // 2
        probe = yield middle
        assert probe is not None  # noqa: S101 — the ancestor is recorded, below this number
        if probe.on_chain:
            ancestor, lower_bound = probe.number, middle
        else:
            changed = probe.number
    return Fork(ancestor, changed)
