"""Decode arguments of one word each straight from their bytes: a fast path beside the general ABI decoder.

Nearly all events of the fund have only such arguments, and the general decoder is an order of magnitude slower. The fast
path returns a result only where the general decoder would return the same, and declines everything unusual.

One layout is built per event when its ABI is loaded. It cuts the bytes into words at once and hands each word to the reader
of its type. The readers of the common types are calls into C, or cached results: the same few addresses occur repeatedly.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import Any, Final

WORD: Final = 32

WordReader = Callable[[bytes], Any]


class InvalidWord(Exception):
    """A word has bits that its type does not allow: the general decoder reports the error."""


@lru_cache(maxsize=65_536)
def _address(word: bytes) -> bytes:
    if any(word[:12]):
        raise InvalidWord
    return word[12:]


@lru_cache(maxsize=2)
def _bool(word: bytes) -> bool:
    if int.from_bytes(word) > 1:
        raise InvalidWord
    return word[31] == 1


def _uint(bits: int) -> WordReader:
    def read(word: bytes) -> int:
        value = int.from_bytes(word)
        if value >> bits:
            raise InvalidWord
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
class WordLayout:
    """How to read a log whose arguments, in topics and data, are one word each."""

    topic_sizes: list[int]
    """Starts with the event's own topic, which is no argument."""
    data_size_min: int
    words: Struct
    """The words of the topics, then of the data."""
    readers: tuple[tuple[str, WordReader], ...]
    """The arguments' names and readers, in the order of the words."""
    names: tuple[str, ...] | None
    """The arguments in the event's order, where that differs from the order of the words."""

    def read(self, topics: Sequence[bytes], data: bytes) -> dict[str, Any] | None:
        """Return the arguments by name, in the event's order; None where the general decoder must decode the log."""
        if len(data) < self.data_size_min or [*map(len, topics)] != self.topic_sizes:
            return None
        words = self.words.unpack_from(b"".join(topics) + data)
        try:
            values = {name: read(word) for (name, read), word in zip(self.readers, words, strict=True)}
        except InvalidWord:
            return None
        return values if self.names is None else {name: values[name] for name in self.names}


def word_layout(arguments: Sequence[tuple[str, str, bool]]) -> WordLayout | None:
    """Return the layout for an event's arguments (name, type, indexed); None when one is not a single word."""
    names = {name for name, _, _ in arguments}
    if "" in names or len(names) < len(arguments) or any(kind not in _READERS for _, kind, _ in arguments):
        return None
    ordered = sorted(arguments, key=lambda argument: not argument[2])  # indexed ones first
    topics = sum(indexed for _, _, indexed in arguments)
    return WordLayout(
        topic_sizes=[WORD] * (1 + topics),
        data_size_min=WORD * (len(ordered) - topics),
        words=Struct(f"{WORD}x" + f"{WORD}s" * len(ordered)),
        readers=tuple((name, _READERS[kind]) for name, kind, _ in ordered),
        names=None if ordered == list(arguments) else tuple(name for name, _, _ in arguments),
    )
