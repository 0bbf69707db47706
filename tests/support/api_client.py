"""Helpers for API tests: the application over real services, a client for named users, and rows as the listener writes them.

Rows of the derived tables are written directly; how the listener makes them is tested elsewhere.
"""

import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_DNS, UUID, uuid5

import httpx
import orjson
from eth_account.signers.local import LocalAccount
from fastapi import FastAPI
from pydantic import SecretStr
from tests.support.chain.fund import WAD, TestFund

from paimon.application.common.signing_rules import SigningRules
from paimon.application.identity.session_store import Origin, insert_session
from paimon.application.identity.subject_key_store import writing_cipher
from paimon.application.identity.tokens import new_token, token_keys
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import Address, ContractName, Hash32, OnChainRole, parse_address
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.redemption.request import RedemptionChannel, RedemptionStatus
from paimon.domain.user.session import Session
from paimon.gateway.rest import openapi
from paimon.gateway.rest.app import create_app
from paimon.gateway.rest.openapi import examples
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.derived import (
    BlockRow,
    CursorRow,
    ObservationRow,
    RawLogRow,
    RedemptionRequestRow,
    RoleHolderRow,
)
from paimon.infrastructure.database.models.ops.user import SessionRow
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.settings import AuthSettings, Settings
from paimon_devkit.stack.accounts import DemoAccounts
from paimon_devkit.stack.demo_users import grant_users, name_first_super_admin

EXAMPLES: Final = Path(openapi.__file__).with_name("examples.json")
AUTH: Final = AuthSettings(
    token_secret=SecretStr("a secret for tests only, 32 bytes+"),
    personal_data_secret=SecretStr("another secret for tests only: 32+"),
    domain="localhost",
    uri="http://localhost",
)
"""The settings of sign-in in every test."""
BLOCK_TIME: Final = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
UNLIMITED: Final = {
    "requests_per_second_per_address": 100_000.0,
    "requests_burst_per_address": 1_000_000,
    "requests_per_second_per_person": 100_000.0,
    "requests_burst_per_person": 1_000_000,
    "sign_ins_per_minute_per_address": 1_000_000.0,
    "sign_ins_burst_per_address": 1_000_000,
}
"""Settings of an API that refuses no request because there are too many."""


@asynccontextmanager
async def running_app(settings: Settings) -> AsyncIterator[FastAPI]:
    """Run the application as a server does, without a server."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@dataclass(frozen=True)
class ApiClient:
    """A client that calls the API as one of the named users."""

    client: httpx.AsyncClient
    settings: Settings
    accounts: DemoAccounts

    def token(self, name: str, *, ttl_seconds: int = 600) -> str:
        """Make an access token of the session that `seed_users` opened for the account."""
        return self.token_of(parse_address(self.accounts.address(name)), name, ttl_seconds=ttl_seconds)

    def token_of(self, wallet: Address, name: str, *, ttl_seconds: int = 600) -> str:
        """Make an access token of the session that `seed_session` opened under this name."""
        now = datetime.now(UTC)
        token = new_token(wallet, session_id_of(name), now=now, expires_at=now + timedelta(seconds=ttl_seconds))
        return token_keys(self.settings.auth.token_secrets()).encode(token)

    async def get(self, path: str, *, by: str | None = "willa", **params: Any) -> httpx.Response:
        return await self.client.get(f"/api/v1{path}", params=params, headers=self._headers(by))

    async def get_file(self, path: str, *, by: str | None = "willa", **params: Any) -> httpx.Response:
        """Get a list as CSV."""
        headers = self._headers(by) | {"Accept": "text/csv"}
        return await self.client.get(f"/api/v1{path}", params=params, headers=headers)

    async def get_with(self, path: str, headers: Mapping[str, str], *, by: str | None = None) -> httpx.Response:
        """Get with headers of one's own."""
        return await self.client.get(f"/api/v1{path}", headers=self._headers(by) | dict(headers))

    async def post(
        self, path: str, body: Any = None, *, by: str | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        return await self.client.post(f"/api/v1{path}", json=body, headers=self._headers(by) | dict(headers or {}))

    async def propose(self, action: str, resource: str, *, by: str, reason: str = "a test") -> httpx.Response:
        """Ask for the document of a signed action."""
        return await self.post("/signed-actions", {"action": action, "resource": resource, "reason": reason}, by=by)

    async def sign(self, action: str, resource: str, *, by: str, reason: str = "a test") -> httpx.Response:
        """Fetch the document of an action, sign it and submit it; return the refusal if there is no document."""
        proposed = await self.propose(action, resource, by=by, reason=reason)
        if not proposed.is_success:
            return proposed
        data = proposed.json()["data"]
        body = signed_body(data["typedData"], self.accounts.account(by), reason=reason)
        return await self.post(data["submitTo"], body, by=by)

    def headers(self, name: str) -> dict[str, str]:
        """Return the headers of a request by this account."""
        return self._headers(name)

    def _headers(self, name: str | None) -> dict[str, str]:
        return {} if name is None else {"Authorization": f"Bearer {self.token(name)}"}


@asynccontextmanager
async def api_client_for(app: FastAPI, settings: Settings, accounts: DemoAccounts) -> AsyncIterator[ApiClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield ApiClient(client, settings, accounts)


def fund_signing_rules(fund: TestFund) -> SigningRules:
    """Return where signed actions about a test's fund count."""
    return SigningRules(SigningScope(31337, fund.addresses.redemption_manager), ttl_seconds_max=300)


def session_id_of(name: str) -> UUID:
    return uuid5(NAMESPACE_DNS, name)


async def seed_sessions(database: Database, accounts: DemoAccounts) -> None:
    """Open a session for every demo account, whether it is a user or not."""
    async with database.write() as session:
        for name in accounts.by_name:
            await _open_session(session, parse_address(accounts.address(name)), name)


async def seed_session(database: Database, wallet: Address, name: str) -> None:
    """Open a session for a wallet, unless it has one."""
    async with database.write() as session:
        await _open_session(session, wallet, name)


async def _open_session(session: WriteSession, wallet: Address, name: str) -> None:
    if await session.get(SessionRow, session_id_of(name)) is not None:
        return
    now = await database_now(session)
    opened = Session(session_id_of(name), wallet, now, now, now + timedelta(days=7))
    await insert_session(session, opened, Origin("tests", "::1"), await writing_cipher(session, wallet, AUTH))


async def seed_users(database: Database, fund: TestFund) -> None:
    """Let the demo's people sign in, by grants that ada signs, with a session for each account."""
    await seed_sessions(database, fund.accounts)
    await grant_roles(database, fund)


async def grant_roles(database: Database, fund: TestFund) -> None:
    """Let ada be the first super_admin, and let her sign a grant for each of the others who lacks theirs."""
    await name_first_super_admin(database, fund.accounts)
    await grant_users(database, fund.accounts, fund_signing_rules(fund))


async def grant_approver_role(database: Database, accounts: DemoAccounts, *names: str) -> None:
    """Record that these accounts hold VIP_APPROVER_ROLE on the RedemptionManager."""
    async with database.write() as session:
        session.add_all([approver_row(parse_address(accounts.address(name))) for name in names])


def approver_row(account: Address) -> RoleHolderRow:
    """Make the row of a holder of VIP_APPROVER_ROLE on the RedemptionManager."""
    role = OnChainRole.VIP_APPROVER_ROLE.id
    return RoleHolderRow(contract=ContractName.REDEMPTION_MANAGER, role=role, account=account)


def request_row(request_id: int, *, owner: Address, **changes: Any) -> RedemptionRequestRow:
    """Make a standard request of 120 000 that awaits approval."""
    values: dict[str, Any] = {
        "request_id": request_id,
        "owner": owner,
        "receiver": owner,
        "shares": 120_000 * WAD,
        "gross_amount": 120_000 * WAD,
        "estimated_fee": 480 * WAD,
        "channel": RedemptionChannel.STANDARD,
        "requires_approval": True,
        "window_id": 0,
        "status": RedemptionStatus.PENDING_APPROVAL,
        "requested_at": BLOCK_TIME,
        "settlement_at": None,
        "updated_block": 1,
    }
    return RedemptionRequestRow(**(values | changes))


async def add_block(session: WriteSession, number: int, *, at: datetime = BLOCK_TIME) -> BlockRow:
    """Record a final block, and move the cursor to it."""
    hashes = {"hash": Hash32(secrets.token_bytes(32)), "parent_hash": Hash32(bytes(32))}
    block = BlockRow(number=number, **hashes, timestamp=at, previous_kept_number=number - 1)
    session.add(block)
    await session.merge(CursorRow(id=1, number=number, hash=block.hash, timestamp=at, epoch=1))
    await session.flush()
    return block


def topic_of(event: str) -> bytes:
    """Return the first topic of an event of the RedemptionManager."""
    return next(topic for topic, entry in load_abi("RedemptionManager").events_by_topic.items() if entry.name == event)


def log_row(block: BlockRow, event: str, request_id: int, args: Mapping[str, Any], *, index: int = 0) -> RawLogRow:
    return RawLogRow(
        block_number=block.number,
        log_index=index,
        block_hash=block.hash,
        tx_hash=Hash32(secrets.token_bytes(32)),
        tx_index=0,
        address=Address(bytes(20)),
        contract=ContractName.REDEMPTION_MANAGER,
        topics=[topic_of(event), request_id.to_bytes(32, "big")],
        data=b"",
        event=event,
        args=dict(args),
        request_id=request_id,
        status=LogStatus.APPLIED,
    )


async def record_outcome(session: WriteSession, request_id: int, status: RedemptionStatus | str, *, block: int = 77) -> None:
    """Record the log by which the chain shows that the request has this status."""
    event = f"Redemption{RedemptionStatus(status).capitalize()}"
    session.add(log_row(await add_block(session, block), event, request_id, {"requestId": str(request_id)}))


def locked_nav_row(block: BlockRow, request_id: int, nav: int) -> ObservationRow:
    return ObservationRow(
        kind="locked_nav",
        subject=str(request_id),
        block_number=block.number,
        block_hash=block.hash,
        block_timestamp=block.timestamp,
        data={"lockedNav": str(nav)},
    )


def signed_body(document: Mapping[str, Any], account: LocalAccount, *, reason: str = "", **changes: Any) -> dict[str, Any]:
    """Put the reason into the document, sign it, and return the request's body as a wallet makes it."""
    message = {**document["message"], "reason": reason, **changes}
    signature = account.sign_typed_data(full_message={**document, "message": message}).signature
    return {
        "nonce": message["nonce"],
        "expiresAt": message["expiresAt"],
        "reason": reason,
        "signature": "0x" + bytes(signature).hex(),
    }


def seconds_from_now(seconds: int) -> str:
    return str(int((datetime.now(UTC) + timedelta(seconds=seconds)).timestamp()))


def json_shape(value: Any) -> Any:
    """Return the keys and types of a JSON value: what all responses of an endpoint have in common."""
    if isinstance(value, dict):
        return {key: json_shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json_shape(value[0])] if value else []
    return type(value).__name__


def require_example(response: httpx.Response, name: str) -> None:
    """Check that the documented example has the response's shape. PAIMON_RECORD_EXAMPLES=1 records the response instead."""
    if os.environ.get("PAIMON_RECORD_EXAMPLES"):
        recorded = orjson.loads(EXAMPLES.read_bytes()) | {name: response.json()}
        EXAMPLES.write_bytes(orjson.dumps(dict(sorted(recorded.items())), option=orjson.OPT_INDENT_2) + b"\n")
        return
    assert json_shape(response.json()) == json_shape(examples()[name])
