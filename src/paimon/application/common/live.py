"""Live messages: what a use case wants its watchers to see at once."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LiveMessage:
    """One message for a WebSocket channel, to be published after the commit.

    `content` is a domain value. The gateway makes the JSON of it where it publishes the message.
    """

    channel: str
    content: object
