"""The heartbeat: a call to an outside service, which alarms when the calls stop."""

import aiohttp
from pydantic import SecretStr


class HeartbeatFailed(Exception):
    """The service of the heartbeat did not take the call. The message names no URL: it may hold a key."""


async def send_heartbeat(url: SecretStr, *, timeout_seconds: float) -> None:
    """Call the service once.

    Raises:
        HeartbeatFailed.
    """
    timeout = aiohttp.ClientTimeout(total=timeout_seconds)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(url.get_secret_value(), allow_redirects=False) as response,
        ):
            if response.status >= 300:
                raise HeartbeatFailed(f"it answered {response.status}")
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise HeartbeatFailed(f"it does not answer: {type(error).__name__}") from None
