"""Availability of Redis: a server that answers may still refuse every write, and then no message is queued."""

from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

_KEY: Final = "paimon:writable"
_KEY_SECONDS: Final = 60

_REFUSED_FOR_NOW: Final = frozenset({
    "READONLY",  # a replica
    "OOM",  # maxmemory is reached
    "NOREPLICAS",  # fewer replicas than `min-replicas-to-write`
    "MISCONF",  # its last snapshot could not be saved
    "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN",
})  # fmt: skip


def refuses_for_now(error: BaseException) -> bool:
    """Return whether Redis refused the command for its own state, not for the command: the same one succeeds later."""
    if not isinstance(error, ResponseError):
        return False
    return error_code(error) in _REFUSED_FOR_NOW


def error_code(error: ResponseError) -> str:
    """Return the code of Redis' answer. The client leaves a code that it does not know in the text."""
    return error.status_code or str(error).partition(" ")[0]


def is_wrong_type(error: ResponseError) -> bool:
    """Return whether a key has another Redis type than the command needs. A pipeline puts the command before the code."""
    return "WRONGTYPE " in str(error)


def describe_failure(error: RedisError) -> str:
    """Name the failure for a report that is open to anyone: Redis' own code if it refused, else the kind of error."""
    return error_code(error) if isinstance(error, ResponseError) and refuses_for_now(error) else type(error).__name__


async def require_writable(redis: Redis) -> None:
    """Check that Redis takes writes.

    Raises:
        RedisError: it does not answer, or refuses the write.
    """
    await redis.set(_KEY, 1, ex=_KEY_SECONDS)
