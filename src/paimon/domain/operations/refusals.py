"""What processes do not believe, by stable words. Their counters start at zero for each, so that the first one shows."""

from enum import StrEnum


class ContentUse(StrEnum):
    """What content in Redis is for. Content of one use is never accepted as another's."""

    CACHE = "cache"
    LIVE_MESSAGE = "live_message"
    QUEUE = "queue"


class RefusalReason(StrEnum):
    """Why content in Redis is not believed."""

    FORGED = "forged"  # no code of ours, or that of another place or use
    STALE = "stale"
    MALFORMED = "malformed"  # its code is right, or it has the wrong Redis type; no version of ours writes it


class UnsignedRow(StrEnum):
    """What a row of the database says in a person's name, and no one who may has signed."""

    ASSET_PROFILE = "asset_profile"
    CONFIRMATION = "confirmation"  # of a changed contract
    STAND_IN = "stand_in"


class CallerRefusal(StrEnum):
    """Why the signer closes a connection."""

    UNKNOWN_USER = "unknown_user"
    UNKNOWN_CERTIFICATE = "unknown_certificate"
    HANDSHAKE_FAILED = "handshake_failed"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    SLOW_REQUEST = "slow_request"
    SLOW_ANSWER = "slow_answer"
