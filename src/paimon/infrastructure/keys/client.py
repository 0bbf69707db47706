"""The client of the signer: one request a connection, with bounded retries while the signer restarts."""

import asyncio
from typing import Any, Final

import aiohttp
from eth_utils.crypto import keccak

from paimon.domain.transaction.signing import SignedTransaction, SignRequest
from paimon.infrastructure.bodies import load_json, read_body
from paimon.infrastructure.keys.link import LinkUnusable, SignerLink
from paimon.infrastructure.keys.wire import MalformedMessage, request_to_json, signed_from_json

_ATTEMPTS_MAX: Final = 4
_ANSWER_BYTES_MAX: Final = 256 * 1024
_PAUSE_SECONDS: Final = 0.15


class SignerUnavailable(Exception):
    """The signer gave no usable answer within the bounded retries."""


class SigningRefused(Exception):
    """The signer refuses to sign the request. `code` is stable, the text says why."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class SignerClient:
    """Send requests to the signer over `link`. No connection stays open between requests, so a restart does no harm."""

    def __init__(self, link: SignerLink | None, timeout: float) -> None:
        """Without a link every request fails: only the process that drives sending has one."""
        self._link = link
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    async def sign(self, request: SignRequest) -> SignedTransaction:
        """Return the signed transaction. A repeated request is harmless, because signing sends nothing.

        Raises:
            SigningRefused: the request breaks a rule of the signer.
            SignerUnavailable: the signer gave no usable answer.
        """
        answer = await self._exchange("POST", "/sign", request_to_json(request))
        try:
            signed = signed_from_json(answer)
        except MalformedMessage as error:
            raise SignerUnavailable(f"the signer at {self._link} answered without a transaction: {error}") from error
        if keccak(signed.raw) != signed.hash:
            raise SignerUnavailable(f"the signer at {self._link} answered with a hash that is not its transaction's")
        return signed

    async def health(self) -> dict[str, Any]:
        """Return the signer's chain and keys, by name and address.

        Raises:
            SignerUnavailable
        """
        return dict(await self._exchange("GET", "/health", None))

    async def _exchange(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        for attempt in range(1, _ATTEMPTS_MAX + 1):
            try:
                return await self._request(method, path, body)
            except LinkUnusable as error:
                raise SignerUnavailable(f"the signer at {self._link} cannot be asked: {error}") from error
            except aiohttp.ClientConnectionError as error:
                reason = str(error) or type(error).__name__
            except (TimeoutError, aiohttp.ClientError, ValueError) as error:
                # The signer was reached, so a second request would only wait as long again.
                raise SignerUnavailable(f"the signer at {self._link} gave no usable answer: {error!r}") from error
            if attempt < _ATTEMPTS_MAX:
                await asyncio.sleep(_PAUSE_SECONDS * 2 ** (attempt - 1))
        raise SignerUnavailable(
            f"the signer at {self._link} does not answer after {_ATTEMPTS_MAX} attempts: {reason}; it also closes the"
            " connection of a caller that its policy does not name"
        )

    async def _request(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        if self._link is None:
            raise SignerUnavailable("this process has no link to the signer (PAIMON_SIGNER__SOCKET or PAIMON_SIGNER__URL)")
        async with (
            aiohttp.ClientSession(connector=self._link.connector(), timeout=self._timeout) as session,
            session.request(method, self._link.url + path, json=body, allow_redirects=False) as response,
        ):
            answer = load_json(await read_body(response, bytes_max=_ANSWER_BYTES_MAX))
            if response.status == 200:
                return answer
            if isinstance(answer, dict) and isinstance(answer.get("code"), str):
                if response.status == 503:
                    raise SignerUnavailable(f"the signer cannot check now: {answer.get('reason')}")
                raise SigningRefused(answer["code"], str(answer.get("reason")))
        raise SignerUnavailable(f"the signer at {self._link} answered HTTP {response.status}")
