"""The WebSocket protocol: text frames of JSON in both directions.

client   {"type":"auth","token":…}   {"type":"subscribe"|"unsubscribe","channels":[…]}   {"type":"ping"}
server   authenticated · subscribed · pong · message · resync · error
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, Final

import orjson

from paimon.domain.kernel.chain import checksum
from paimon.domain.user.roles import User
from paimon.gateway.rest.envelope import ErrorCode
from paimon.gateway.rest.schema import iso_z

FRAME_CHARS_MAX: Final = 4_096
"""Longest frame of a client. No message needs more, and a longer frame ends the connection."""
FRAME_BYTES_MAX: Final = 4 * FRAME_CHARS_MAX
"""The same in bytes, before it is decoded."""


class LiveChannel(StrEnum):
    FUND_OVERVIEW = "fund:overview"
    FUND_NAV = "fund:nav"
    FUND_PENDING_LOGS = "fund:pending-logs"
    REDEMPTION_NEW = "redemption:new"
    REDEMPTION_SETTLED = "redemption:settled"
    APPROVAL_NEW = "approval:new"
    APPROVAL_RESOLVED = "approval:resolved"
    RISK_ALERT = "risk:alert"
    RISK_EMERGENCY = "risk:emergency"
    REBALANCE_EXECUTED = "rebalance:executed"


class CloseCode(IntEnum):
    """Codes with which the server closes a connection."""

    TOO_BIG = 1009
    TRY_AGAIN_LATER = 1013  # the client reads too slowly, or a component does not answer
    RATE_LIMITED = 4429  # too many messages, or too many connections of this person
    UNAUTHORISED = 4401  # no valid token in time, or the token has expired


class InvalidMessage(Exception):
    """The client's message is not part of the protocol. The text says what is allowed."""


@dataclass(frozen=True, slots=True)
class Auth:
    token: str


@dataclass(frozen=True, slots=True)
class Subscribe:
    channels: frozenset[LiveChannel]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    channels: frozenset[LiveChannel]


@dataclass(frozen=True, slots=True)
class Ping:
    pass


ClientMessage = Auth | Subscribe | Unsubscribe | Ping


def parse(text: str) -> ClientMessage:
    """Parse a client's message. Raises InvalidMessage."""
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise InvalidMessage("a message is a JSON object") from None
    if not isinstance(content, dict):
        raise InvalidMessage("a message is a JSON object")
    match content:
        case {"type": "auth", "token": str(token)}:
            return Auth(token)
        case {"type": "subscribe", "channels": list(names)}:
            return Subscribe(_channels(names))
        case {"type": "unsubscribe", "channels": list(names)}:
            return Unsubscribe(_channels(names))
        case {"type": "ping"}:
            return Ping()
    raise InvalidMessage(
        'a message is {"type":"auth","token"}, {"type":"subscribe"|"unsubscribe","channels":[…]} or {"type":"ping"}'
    )


def _channels(names: list[Any]) -> frozenset[LiveChannel]:
    known = [channel.value for channel in LiveChannel]  # a list: a name may be any JSON value, hashable or not
    for name in names:
        if name not in known:
            raise InvalidMessage(f"there is no channel {str(name)[:60]!r}; there are {', '.join(LiveChannel)}")
    return frozenset(LiveChannel(name) for name in names)


def authenticated(user: User, expires_at: datetime) -> str:
    return _encode({
        "type": "authenticated", "address": checksum(user.address), "role": user.role, "expiresAt": iso_z(expires_at)
    })  # fmt: skip


def subscribed(channels: Iterable[LiveChannel]) -> str:
    """Encode the reply to both requests: all channels the client is subscribed to now."""
    return _encode({"type": "subscribed", "channels": sorted(channels)})


def message(channel: LiveChannel, data: dict[str, Any], *, at: datetime) -> str:
    return _encode({"type": "message", "channel": channel, "data": data, "timestamp": iso_z(at)})


def error(code: ErrorCode, text: str) -> str:
    return _encode({"type": "error", "code": code, "message": text})


def _encode(content: dict[str, Any]) -> str:
    return orjson.dumps(content).decode()


PONG: Final = _encode({"type": "pong"})
RESYNC: Final = _encode({"type": "resync"})
"""Messages may have been missed: read again over REST what is shown."""
