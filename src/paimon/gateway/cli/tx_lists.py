"""Options and titles that the lists of intents and of plans share: open ones by default, ended ones or all on request."""

from enum import Enum
from typing import Annotated, Self

import typer

from paimon.gateway.cli.process import exit_with_message
from paimon.gateway.cli.text import list_title

All = Annotated[bool, typer.Option("--all", help="Show open and ended ones.")]
Ended = Annotated[bool, typer.Option("--ended", help="Show only ended ones. An ended intent can be retried.")]


class ListFilter(Enum):
    """Which rows a list shows. The value is the word in its title."""

    OPEN = "open"
    ENDED = "ended"
    ALL = "total"

    @classmethod
    def of(cls, *, include_ended: bool, only_ended: bool) -> Self:
        """Return the filter that the options `--all` and `--ended` stand for."""
        if include_ended and only_ended:
            exit_with_message("--all and --ended are both given; give one of them")
        return cls.ALL if include_ended else cls.ENDED if only_ended else cls.OPEN

    @property
    def is_open(self) -> bool | None:
        """Whether the rows are open; None for both kinds."""
        return None if self is ListFilter.ALL else self is ListFilter.OPEN

    def title(self, total: int, *, limit: int) -> str:
        """Return the list's first line: `2 open`."""
        return list_title(f"{total} {self.value}", total=total, shown_max=limit)
