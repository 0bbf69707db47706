"""Reading arguments of one word each straight from their bytes: a short cut through the general ABI decoder.

Nearly every event of the fund has nothing but such arguments, and the general decoder is an order of magnitude slower.
The short cut gives an answer only where that one would give the same: whatever looks unusual it leaves alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

WORD: Final = 32

WordReader = Callable[[bytes], Any]


class UnusualWord(Exception):
    """Bits where the type has none; the general decoder says what is wrong with it."""


_NO_BITS: Final = bytes(WORD)


def _address(word: bytes) -> bytes:
    if word[:12] != _NO_BITS[:12]:
        raise UnusualWord
    return word[12:]


def _bool(word: bytes) -> bool:
    if word[:31] != _NO_BITS[:31] or word[31] > 1:
        raise UnusualWord
    return word[31] == 1


def _uint(bits: int) -> WordReader:
    def read(word: bytes) -> int:
        value = int.from_bytes(word)
        if value >> bits:
            raise UnusualWord
        return value

    return read


_READERS: Final[dict[str, WordReader]] = {
    "address": _address,
    "bool": _bool,
    "bytes32": bytes,
    "uint256": int.from_bytes,
    **{f"uint{bits}": _uint(bits) for bits in range(8, 256, 8)},
}


@dataclass(frozen=True, slots=True)
class WordPlan:
    """How to read a log whose arguments, in topics and in data, are a word each."""

    topics: int
    readers: tuple[tuple[str, WordReader], ...]
    """In the order of the bytes: topics, then data."""
    names: tuple[str, ...]
    """In the event's own order."""

    def read(self, topics: Sequence[bytes], data: bytes) -> dict[str, Any] | None:
        """The arguments by name, in the event's order; None where the general decoder must look."""
        if len(topics) != self.topics or len(data) < WORD * (len(self.readers) - self.topics):
            return None
        if any(len(topic) != WORD for topic in topics):
            return None
        words = b"".join((*topics, data))
        values: dict[str, Any] = dict.fromkeys(self.names)
        try:
            for place, (name, read) in enumerate(self.readers):
                values[name] = read(words[WORD * place : WORD * place + WORD])
        except UnusualWord:
            return None
        return values


def word_plan(arguments: Sequence[tuple[str, str, bool]]) -> WordPlan | None:
    """The plan for an event's arguments (name, type, indexed); None when one of them is more than a plain word."""
    names = tuple(name for name, _, _ in arguments)
    if any(kind not in _READERS for _, kind, _ in arguments) or not all(names):
        return None
    placed = [each for each in arguments if each[2]] + [each for each in arguments if not each[2]]
    topics = sum(indexed for _, _, indexed in arguments)
    return WordPlan(topics, tuple((name, _READERS[kind]) for name, kind, _ in placed), names)
