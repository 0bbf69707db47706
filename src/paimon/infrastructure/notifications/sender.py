"""The sender: hands a message to any channel, within a time, and says what became of it; a channel's fault is an outcome."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime
from types import TracebackType
from typing import Final, Self

import aiohttp
import structlog

from paimon.domain.notification.message import Attempt, Outcome, OutgoingMessage
from paimon.infrastructure.bodies import BodyTooLarge, read_body
from paimon.infrastructure.notifications.http_channels import HttpChannel, UnusableSecret, build_request, read_answer
from paimon.infrastructure.notifications.mail import compose_mail, send_mail
from paimon.infrastructure.notifications.public_hosts import PrivateHost, PublicResolver, require_public_literal
from paimon.settings.notification_file import AppriseSettings, Channel, EmailSettings, SmtpSettings

log = structlog.get_logger(__name__)

_ANSWER_BYTES_MAX: Final = 64 * 1024


class Sender:
    """Connections to the channels. One for hosts of the public internet, and one for channels that allow private ones."""

    def __init__(self, smtp: SmtpSettings | None, *, timeout_seconds: float) -> None:
        self._smtp = smtp
        self._timeout_seconds = timeout_seconds
        self._stack = AsyncExitStack()
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=self._timeout_seconds)
        for allow_private in (False, True):
            resolver = None if allow_private else PublicResolver()
            session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver, limit=0), timeout=timeout)
            self._sessions[allow_private] = await self._stack.enter_async_context(session)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def send(self, channel: Channel, message: OutgoingMessage, *, now: datetime) -> Attempt:
        """Hand the message to the channel once."""
        try:
            match channel:
                case EmailSettings():
                    return await self._send_mail(channel, message, now=now)
                case AppriseSettings():
                    return await self._send_by_apprise(channel, message)
                case _:
                    return await self._post(channel, message, now=now)
        except PrivateHost as error:
            return Attempt(Outcome.REFUSED, reason=str(error))
        except UnusableSecret as error:
            return Attempt(Outcome.RETRY, reason=str(error))
        except TimeoutError:
            return Attempt(Outcome.RETRY, reason=f"no answer within {self._timeout_seconds:g} s")
        except OSError as error:  # its text may name the file of a secret, or a URL that is one
            cause = error.__cause__ or error
            if isinstance(cause, PrivateHost):
                return Attempt(Outcome.REFUSED, reason=str(cause))
            return Attempt(Outcome.RETRY, reason=f"it cannot be reached, or its secret cannot be read: {type(error).__name__}")
        except (aiohttp.ClientError, BodyTooLarge) as error:
            return Attempt(Outcome.RETRY, reason=f"its answer cannot be read: {type(error).__name__}")

    async def _post(self, channel: HttpChannel, message: OutgoingMessage, *, now: datetime) -> Attempt:
        request = build_request(channel, message, now=now)
        if not channel.allow_private:
            require_public_literal(request.url)
        async with self._sessions[channel.allow_private].post(
            request.url, data=request.body, headers=request.headers, allow_redirects=False
        ) as response:
            body = bytes(await read_body(response, bytes_max=_ANSWER_BYTES_MAX))
            return read_answer(channel, response.status, response.headers, body)

    async def _send_mail(self, channel: EmailSettings, message: OutgoingMessage, *, now: datetime) -> Attempt:
        if self._smtp is None:
            raise UnusableSecret("the settings name no mail server")
        mail = compose_mail(channel, self._smtp, message, now=now)
        return await asyncio.to_thread(send_mail, self._smtp, mail, timeout_seconds=self._timeout_seconds)

    async def _send_by_apprise(self, channel: AppriseSettings, message: OutgoingMessage) -> Attempt:
        # Here, because it takes a while to load, and most processes need none of it.
        from paimon.infrastructure.notifications.apprise_service import send_by_apprise

        url = channel.url_file.read_text().strip()
        async with asyncio.timeout(self._timeout_seconds * 3):  # its requests have shorter deadlines of their own
            return await asyncio.to_thread(send_by_apprise, url, message)
