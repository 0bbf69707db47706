"""Sign in over REST in tests, as a program or as a browser does, and change a session's times in the database."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from sqlalchemy import update
from tests.support.api_client import ApiClient

from paimon.infrastructure.database.models.ops.user import RefreshTokenRow, SessionRow
from paimon.infrastructure.database.sessions import Database

OWN_SITE = {"Origin": "http://localhost"}


def personal_sign(account: LocalAccount, text: str) -> str:
    return "0x" + bytes(account.sign_message(encode_defunct(text=text)).signature).hex()


async def sign_in(api_client: ApiClient, name: str, *, client: str = "PROGRAM", **headers: str) -> httpx.Response:
    """Sign in as a demo account, and return the response of /auth/verify."""
    answer = await api_client.post("/auth/challenge", {"address": api_client.accounts.address(name)})
    message = answer.json()["data"]["message"]
    body = {"message": message, "signature": personal_sign(api_client.accounts.account(name), message), "client": client}
    return await api_client.client.post("/api/v1/auth/verify", json=body, headers=headers)


async def refresh(api_client: ApiClient, token: str | None = None, **headers: str) -> httpx.Response:
    body = {} if token is None else {"refreshToken": token}
    return await api_client.client.post("/api/v1/auth/refresh", json=body, headers=headers)


async def call(api_client: ApiClient, method: str, path: str, access_token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {access_token}"}
    return await api_client.client.request(method, f"/api/v1{path}", headers=headers)


def outcome(answer: httpx.Response) -> tuple[int, str | None]:
    """Return the status and the error code of a response."""
    return answer.status_code, answer.json().get("error", {}).get("code")


async def shift_session(database: Database, session: str, **back: timedelta) -> None:
    """Move times of a session back: `used_at`, `expires_at`; `tokens_used_at` is that of its refresh tokens."""
    columns: dict[str, Any] = {name: getattr(SessionRow, name) - by for name, by in back.items() if name != "tokens_used_at"}
    async with database.write() as database_session:
        if columns:
            await database_session.execute(update(SessionRow).where(SessionRow.id == UUID(session)).values(columns))
        if (by := back.get("tokens_used_at")) is not None:
            used_at = RefreshTokenRow.used_at - by
            await database_session.execute(update(RefreshTokenRow).values(used_at=used_at))
