"""The table of OWASP ASVS 5.0 names each requirement of levels 1 and 2 once."""

import re
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

pytestmark = pytest.mark.unit

PAGE: Final = Path(__file__).parents[3] / "docs" / "reference" / "asvs.md"

LAST_OF_SECTION: Final = {
    "1": (2, 9, 11, 3, 2),
    "2": (3, 3, 4, 1),
    "3": (0, 2, 4, 6, 5, 0, 2),
    "4": (3, 1, 2, 4),
    "5": (1, 3, 2, 3),
    "6": (3, 12, 4, 4, 5, 3, 0, 4),
    "7": (3, 4, 2, 5, 2, 2),
    "8": (2, 3, 1, 1),
    "9": (3, 4),
    "10": (2, 2, 4, 11, 5, 2, 3),
    "11": (2, 3, 3, 4, 1, 1),
    "12": (3, 2, 4),
    "13": (1, 5, 2, 5),
    "14": (2, 4, 3),
    "15": (3, 3, 7),
    "16": (1, 5, 4, 3, 3),
    "17": (1, 4, 2),
}
"""By chapter, the number of the last requirement of levels 1 and 2 in each section: those of level 3 come behind them."""


def requirements() -> list[str]:
    return [
        f"{chapter}.{section}.{number}"
        for chapter, sections in LAST_OF_SECTION.items()
        for section, last in enumerate(sections, start=1)
        for number in range(1, last + 1)
    ]


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\| \d", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def expanded(text: str) -> list[str]:
    """Return the numbers of `1.2.1–1.2.3, 1.3.1`."""
    found = []
    for part in text.split(", "):
        first, _, last = part.partition("–")  # noqa: RUF001 — as the page writes ranges
        section, _, number = first.rpartition(".")
        end = last.rpartition(".")[2] if last else number
        assert not last or last.startswith(f"{section}."), part
        found += [f"{section}.{each}" for each in range(int(number), int(end) + 1)]
    return found


def test_every_requirement_of_level_2_stands_in_the_table_once() -> None:
    named = Counter(number for row in rows() for number in expanded(row[0]))
    assert named == Counter(requirements())


def test_what_is_met_says_how_and_the_rest_says_what_is_missing() -> None:
    for row in rows():
        assert row[1] in {"met", "partly", "operator", "none"}, row[0]
        assert row[2], row[0]
