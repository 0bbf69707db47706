"""Reading arguments of one word each straight from their bytes: a short cut through the general ABI decoder.

Nearly every event of the fund has nothing but such arguments, and the general decoder is an order of magnitude slower.
The short cut gives an answer only where that one would give the same: whatever looks unusual it leaves alone.

One plan is made per event, when its ABI is loaded. It cuts the bytes into words in one go and hands each word to the
reader of its type; those of the common types are calls into C, or kept answers (the same few addresses come again).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import Any, Final

WORD: Final = 32

WordReader = Callable[[bytes], Any]


class InvalidWord(Exception):
    """Bits where the type has none; the general decoder says what is wrong with it."""


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
    """How to read a log whose arguments, in topics and in data, are a word each."""

    topic_sizes: list[int]
    """The event's own topic first, which is no argument."""
    data_size_min: int
    words: Struct
    """Topics, then data."""
    readers: tuple[tuple[str, WordReader], ...]
    """Of the arguments by name, in the order of the words."""
    names: tuple[str, ...] | None
    """In the event's own order, where that is another."""

    def read(self, topics: Sequence[bytes], data: bytes) -> dict[str, Any] | None:
        """The arguments by name, in the event's order; None where the general decoder must look."""
        if len(data) < self.data_size_min or [*map(len, topics)] != self.topic_sizes:
            return None
        words = self.words.unpack_from(b"".join(topics) + data)
        try:
            values = {name: read(word) for (name, read), word in zip(self.readers, words, strict=True)}
        except InvalidWord:
            return None
        return values if self.names is None else {name: values[name] for name in self.names}


def word_layout(arguments: Sequence[tuple[str, str, bool]]) -> WordLayout | None:
    """The plan for an event's arguments (name, type, indexed); None when one of them is more than a plain word."""
    names = {name for name, _, _ in arguments}
    if "" in names or len(names) < len(arguments) or any(kind not in _READERS for _, kind, _ in arguments):
        return None
    ordered = [each for each in arguments if each[2]] + [each for each in arguments if not each[2]]
    topics = sum(indexed for _, _, indexed in arguments)
    return WordLayout(
        topic_sizes=[WORD] * (1 + topics),
        data_size_min=WORD * (len(ordered) - topics),
        words=Struct(f"{WORD}x" + f"{WORD}s" * len(ordered)),
        readers=tuple((name, _READERS[kind]) for name, kind, _ in ordered),
        names=None if ordered == list(arguments) else tuple(name for name, _, _ in arguments),
    )
