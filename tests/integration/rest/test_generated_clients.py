"""Clients that are generated from the committed document work with the running API, in Python and in TypeScript."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.api_client import BLOCK_TIME, request_row, seed_users
from tests.support.api_clients import GeneratedClient, python_client, typescript_client
from tests.support.api_server import ApiServer, running_api_server
from tests.support.chain.fund import TestFund
from tests.support.factories.rows import insert_row

from paimon.domain.kernel.chain import parse_address
from paimon.domain.redemption.request import RedemptionStatus
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings

pytestmark = pytest.mark.integration

WAITING = {"status": RedemptionStatus.PENDING, "requires_approval": False, "settlement_at": BLOCK_TIME + timedelta(days=7)}


@pytest.fixture(scope="module", params=[python_client, typescript_client], ids=["python", "typescript"])
def generated_client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> GeneratedClient:
    generate: Callable[[Path], GeneratedClient] = request.param
    return generate(tmp_path_factory.mktemp("client"))


@pytest.fixture
async def api_server(
    settings: Settings, fund: TestFund, database: Database, eventually: Callable[..., Any]
) -> AsyncIterator[ApiServer]:
    await seed_users(database, fund)
    owner = parse_address(fund.accounts.address("ines"))
    async with database.write() as session:
        for request_id in range(1, 6):
            session.add(request_row(request_id, owner=owner, **(WAITING if request_id % 2 else {})))
        await insert_row(session, RiskEventRow)
    async with running_api_server(settings, fund, eventually) as opened:
        yield opened


async def test_generated_client_uses_the_running_api(generated_client: GeneratedClient, api_server: ApiServer) -> None:
    """Lists by cursor, enums, errors, a body, and 304."""
    expected = (await api_server.api_client.get("/redemptions")).json()["data"]["items"]
    url, token = f"http://127.0.0.1:{api_server.port}", api_server.api_client.token("otto")
    assert await asyncio.to_thread(generated_client.run, url, token) == {
        "requestIds": [item["requestId"] for item in expected],
        "statuses": [item["status"] for item in expected],
        "missing": [404, "NOT_FOUND"],
        "role": "operator",
        "acknowledged": "ACKNOWLEDGED",
        "unchanged": 304,
        "refused": ["INVALID_CURSOR"],
    }
