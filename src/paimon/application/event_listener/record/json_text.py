"""Arguments of a log as the text PostgreSQL gives for the JSON they are stored as.

To compare a million readings by their text takes half of parsing the one and making a dictionary of the other. Only equal
text proves something: where it differs, or where there is none, the values themselves must be compared.
"""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any, Final

from paimon.infrastructure.blockchain.abi.contract_abi import plain

_Pick = Callable[[Mapping[str, Any]], tuple[Any, ...]]


def json_text(values: Mapping[str, Any] | None) -> str | None:
    """The text of the values' plain form; None for nothing, and for values that are more than a number, bytes or a flag."""
    if not values:
        return None
    template, pick = _form(tuple(values))
    try:
        return template % tuple([_TEXTS[type(value)](value) for value in pick(values)])
    except KeyError:
        return None


@cache
def _form(names: tuple[str, ...]) -> tuple[str, _Pick]:
    """Where which value stands: jsonb keeps the shorter key first, and of two as long the one that sorts first."""
    ordered = sorted(names, key=lambda name: (len(name.encode()), name.encode()))
    keys = [name.replace("%", "%%") for name in ordered]
    pick: _Pick = itemgetter(*ordered) if len(ordered) > 1 else lambda values: (values[ordered[0]],)
    return "{" + ", ".join(f'"{key}": %s' for key in keys) + "}", pick


@lru_cache(maxsize=65_536)
def _bytes(value: bytes) -> str:
    return f'"{plain(value)}"'


_TEXTS: Final[Mapping[type, Callable[[Any], str]]] = {
    int: '"{}"'.format,
    bytes: _bytes,
    bool: {True: "true", False: "false"}.__getitem__,
}
