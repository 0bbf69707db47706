"""Messages to the people who are watching."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LiveMessage:
    """Something the people watching should see at once; published after the commit."""

    channel: str
    data: dict[str, Any]
