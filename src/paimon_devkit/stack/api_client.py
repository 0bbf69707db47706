"""A client of the API for the demo's accounts: sign in with a wallet, sign decisions, read."""

import asyncio
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
from eth_account.messages import encode_defunct, encode_typed_data
from eth_account.signers.local import LocalAccount

from paimon_devkit.stack.errors import DemoError

_ATTEMPTS_MAX: Final = 20
_PAUSE_SECONDS: Final = 0.5


class ApiError(DemoError):
    """The API answered with an error: its code, status and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code} ({status}): {message}")
        self.status = status
        self.error_code = code


class DemoApiClient:
    """One account's session with the API. Use it as an async context manager."""

    def __init__(self, base_url: str, account: LocalAccount) -> None:
        self._base = f"{base_url}/api/v1"
        self._account = account
        self._token: str | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, **params: str | int) -> Any:
        """Return the `data` of a GET. Raises ApiError."""
        return await self._authenticated_request("GET", path, params=params)

    async def find(self, path: str) -> Any | None:
        """Return the `data` of a GET, or None for 404. Raises ApiError for any other error."""
        try:
            return await self.get(path)
        except ApiError as error:
            if error.status != 404:
                raise
            return None

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """Return the `data` of a POST. Raises ApiError."""
        return await self._authenticated_request("POST", path, json=body)

    async def delete(self, path: str) -> Any:
        """Return the `data` of a DELETE. Raises ApiError."""
        return await self._authenticated_request("DELETE", path)

    async def decide(self, ticket_id: str, verdict: str, reason: str = "") -> Any:
        """Sign a decision over exactly what the ticket shows, and submit it. `verdict` is "approve" or "reject"."""
        signing = (await self.get(f"/approvals/{ticket_id}"))["signing"]
        if signing is None:
            raise DemoError(f"ticket {ticket_id} takes no more decisions")
        document = signing[verdict]
        document["message"]["reason"] = reason
        return await self.post(f"/approvals/{ticket_id}/{verdict}", self._signed_body(document))

    async def submit_plan(self, plan: dict[str, Any]) -> Any:
        """Preview a plan, sign the document of the preview, and submit it. Raises ApiError."""
        document = (await self.post("/plans/preview", plan))["signing"]
        chosen = {name: document["message"][name] for name in ("wallet", "amount")}
        return await self.post("/plans", plan | self._signed_body(document) | chosen)

    async def sign_proposal(self, safe_tx_hash: str) -> Any:
        """Sign a Safe transaction as an owner, from the document that the API shows, and submit it. Raises ApiError."""
        document = (await self.get(f"/multisig/proposals/{safe_tx_hash}"))["signing"]
        body = {"owner": self._account.address, "signature": self._sign(document)}
        return await self.post(f"/multisig/proposals/{safe_tx_hash}/sign", body)

    async def sign_action(self, action: str, resource: str, reason: str) -> Any:
        """Fetch the document of an action, sign it as it is, and submit it. Raises ApiError."""
        proposed = await self.post("/signed-actions", {"action": action, "resource": resource, "reason": reason})
        return await self.post(proposed["submitTo"], self._signed_body(proposed["typedData"]))

    def _signed_body(self, document: dict[str, Any]) -> dict[str, Any]:
        message = document["message"]
        return {
            "nonce": message["nonce"],
            "expiresAt": message["expiresAt"],
            "reason": message["reason"],
            "signature": self._sign(document),
        }

    def _sign(self, document: dict[str, Any]) -> str:
        signature = self._account.sign_message(encode_typed_data(full_message=document)).signature
        return "0x" + signature.hex().removeprefix("0x")

    async def sign_in(self) -> str:
        """Sign in and return a fresh access token. Raises ApiError."""
        self._token = await self._sign_in()
        return self._token

    async def _authenticated_request(self, method: str, path: str, **options: Any) -> Any:
        if self._token is None:
            self._token = await self._sign_in()
        try:
            return await self._request(method, path, **options)
        except ApiError as error:
            if error.error_code != "AUTH_EXPIRED":
                raise
            self._token = await self._sign_in()
            return await self._request(method, path, **options)

    async def _sign_in(self) -> str:
        challenge = await self._request("POST", "/auth/challenge", json={"address": self._account.address})
        signature = self._account.sign_message(encode_defunct(text=challenge["message"])).signature
        answer = await self._request(
            "POST",
            "/auth/verify",
            json={"message": challenge["message"], "signature": "0x" + signature.hex().removeprefix("0x")},
        )
        return str(answer["accessToken"])

    async def _request(self, method: str, path: str, **options: Any) -> Any:
        """Send one request; repeat it for some seconds while the API is unreachable or answers 503."""
        if self._session is None:
            raise RuntimeError("DemoApiClient is used outside its `async with` block")
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        for attempt in range(1, _ATTEMPTS_MAX + 1):
            try:
                async with self._session.request(method, self._base + path, headers=headers, **options) as response:
                    body = await response.json()
                if response.status != 503 or attempt == _ATTEMPTS_MAX:
                    break
            except (aiohttp.ClientConnectionError, TimeoutError) as error:
                if attempt == _ATTEMPTS_MAX:
                    raise DemoError(f"the API at {self._base} does not answer: is `paimon demo` running?") from error
            await asyncio.sleep(_PAUSE_SECONDS)
        if body.get("success"):
            return body["data"]
        error_body = body["error"]
        raise ApiError(response.status, error_body["code"], error_body["message"])
