"""Words and numbers as command output shows them."""

from datetime import timedelta
from typing import Annotated, Final

import typer

NEWEST_SHOWN: Final = 50

NewestLimit = Annotated[int, typer.Option("--limit", min=1, max=1_000, help="Show at most this many, the newest.")]


def pluralize(number: int, noun: str) -> str:
    """Return the number with its noun: `1 log`, `2 logs`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def list_title(text: str, *, total: int, shown_max: int) -> str:
    """Return a list's first line, which says so when only the newest rows are shown."""
    return text + (f", the newest {shown_max}:" if total > shown_max else "")


def format_age(age: timedelta) -> str:
    """Return an age in its two largest units: `2 d 3 h`, `3 h 5 min`, `5 min 7 s`, `7 s`."""
    seconds = int(age.total_seconds())
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"
