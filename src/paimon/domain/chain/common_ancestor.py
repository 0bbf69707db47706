"""The search for the newest recorded block that is on the chain still.

Each block names its parent, so that below a block which is on the chain every recorded one is, and above one which is not
none is: the newest that is can be closed in on. Changes are shallow as a rule, so it goes down in steps that double, and
then halves what is left. Not every block's header need be kept; of those that are, the newest at or below a number is
looked at.
"""

from collections.abc import Generator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AncestorProbe:
    """The newest recorded block at or below the number asked for, and whether it is on the chain."""

    number: int
    on_chain: bool


@dataclass(frozen=True, slots=True)
class Fork:
    """The newest recorded block that is on the chain, and the oldest above it that is not: none when all are."""

    ancestor: int
    first_changed: int | None


class AncestorNotFound(Exception):
    """None of the recorded blocks is on the chain, down to the oldest whose header is kept."""


def search_ancestor(newest: int) -> Generator[int, AncestorProbe | None, Fork]:
    """Asks for numbers, takes probes (None: no block is recorded there or below), and returns the fork.

    Raises:
        AncestorNotFound.
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
    ancestor, lower_bound = probe.number, changed - step  # nothing is recorded between the two
    while changed - lower_bound > 1:
        middle = (lower_bound + changed) // 2
        probe = yield middle
        assert probe is not None  # noqa: S101 — the ancestor is recorded and lies below
        if probe.on_chain:
            ancestor, lower_bound = probe.number, middle
        else:
            changed = probe.number
    return Fork(ancestor, changed)
