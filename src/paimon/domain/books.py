"""The books against the chain: every figure we derived from events beside the same figure read at the same block."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure on which the books and the chain disagree, with both values as text."""

    subject: str
    book: str
    chain: str

    def __str__(self) -> str:
        return f"{self.subject}: books {self.book}, chain {self.chain}"


def compare(book: Mapping[str, Hashable], chain: Mapping[str, Hashable]) -> list[Difference]:
    """All subjects on which the two disagree, in subject order; a subject only one side knows is a difference too."""

    def shown(side: Mapping[str, Any], subject: str) -> str:
        return str(side[subject]) if subject in side else "(absent)"

    return [
        Difference(subject, shown(book, subject), shown(chain, subject))
        for subject in sorted(book.keys() | chain.keys())
        if subject not in book or subject not in chain or book[subject] != chain[subject]
    ]
