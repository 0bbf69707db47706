"""Cleaning of external text before it is stored, shown or sent."""

import re
import unicodedata
from typing import Final

_UNSHOWN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of Unicode that a reader does not see: controls, direction marks and joiners, separators of lines."""


def strip_nul(text: str) -> str:
    """Replace NUL characters, which PostgreSQL cannot store and a contract's string or an error message may contain."""
    return text.replace("\x00", "\ufffd")


def encodable(text: str) -> str:
    """Write half of a surrogate pair, for which UTF-8 has no form, as its escape: `\\ud800`."""
    return text.encode("utf-8", "backslashreplace").decode()


def shown_line(text: str, *, length_max: int) -> str:
    """Make a contract's text safe to show in one line: without what a reader cannot see, and no longer than this.

    A token could otherwise name itself so that a line of a log, a terminal or a page reads as something else.
    """
    visible = "".join(" " if character.isspace() else character for character in text if _is_shown(character))
    line = " ".join(visible.split())
    return line if len(line) <= length_max else line[: length_max - 1] + "…"


def _is_shown(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) not in _UNSHOWN


PLAIN_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_FORMULA_PREFIXES: Final = ("'", "=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 — spreadsheets accept full-width signs too


def spreadsheet_cell(value: str | int | float | bool | None) -> str:
    """Convert a value to a cell of a CSV file.

    Text that a spreadsheet would run as a formula gets a leading apostrophe, and so does text that begins with an apostrophe:
    removing one leading apostrophe restores the text. A plain number, also a negative one, stays as it is.
    """
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str() if value.startswith(_FORMULA_PREFIXES) and not PLAIN_NUMBER.fullmatch(value):
            return f"'{value}"
        case _:
            return str(value)
