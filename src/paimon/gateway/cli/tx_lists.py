"""Which of a list `paimon desk` shows: what is open, unless what has ended is asked for, or all."""

from enum import Enum
from typing import Annotated, Final, Self

import typer

from paimon.gateway.cli.process import exit_with_message

SHOWN_MAX: Final = 50

All = Annotated[bool, typer.Option("--all", help="Those that have ended too.")]
Ended = Annotated[bool, typer.Option("--ended", help="Only those that have ended: `desk retry` is for an intent of these.")]


class LogFilter(Enum):
    OPEN = "open"
    ENDED = "ended"
    ALL = "in all"

    @classmethod
    def of(cls, *, include_ended: bool, ended: bool) -> Self:
        if include_ended and ended:
            exit_with_message("--all and --ended are both given; give one of them")
        return cls.ALL if include_ended else cls.ENDED if ended else cls.OPEN

    @property
    def is_open(self) -> bool | None:
        """As a filter has it; None does not matter."""
        return None if self is LogFilter.ALL else self is LogFilter.OPEN

    def title(self, total: int) -> str:
        return f"{total} {self.value}" + (f", the newest {SHOWN_MAX}:" if total > SHOWN_MAX else "")
