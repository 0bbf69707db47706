"""Only the worker asks the signer: the API and `paimon status` show what the worker recorded."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from tests.support.api_client import ApiClient
from tests.support.chain.fund import TestFund
from tests.support.signing import make_policy, signer_client

from paimon.application.monitoring.check_signer import check_signer
from paimon.composition import AppContext
from paimon.domain.kernel.chain import checksum, parse_address
from paimon.gateway.signer.process import running_signer
from paimon.infrastructure.database.leases import LeaseTable, release, signer_lease, try_acquire
from paimon.infrastructure.database.models.ops.signer_check import SignerCheckRow

pytestmark = pytest.mark.fault


@pytest.fixture(autouse=True)
def _fresh_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paimon.gateway.rest.routes.system._CACHE_SECONDS", 0.0)


async def signer_component(api_client: ApiClient) -> dict[str, Any]:
    answer = await api_client.get("/system/health")
    components: list[dict[str, Any]] = answer.json()["data"]["components"]
    return next(component for component in components if component["name"] == "signer")


async def test_health_shows_the_signer_as_the_worker_found_it(
    api_client: ApiClient, app_context: AppContext, fund: TestFund, tmp_path: Path
) -> None:
    """The API has no way to this signer at all, and the record outlives the signer."""
    assert (await signer_component(api_client))["summary"] == "unknown: no worker has asked it yet"
    policy = make_policy(fund, tmp_path)
    async with running_signer(policy, new_ledger=True):
        await check_signer(app_context.database, signer_client(policy))
        found = await signer_component(api_client)
    assert (found["status"], found["summary"]) == ("OK", "answers the worker and holds the configured keys")
    assert {key["name"] for key in found["details"]["keys"]} == {"keeper", "approver"}
    keeper = parse_address(fund.accounts.address("keeper"))
    lease = await try_acquire(app_context.database, signer_lease(keeper), "a signer", ttl_seconds=60, table=LeaseTable.SIGNERS)
    assert lease is not None
    assert (await signer_component(api_client))["status"] == "OK"
    await release(app_context.database, lease)
    free = await signer_component(api_client)
    assert (free["status"], free["summary"]) == (
        "DEGRADED",
        f"no signer holds the lease of {checksum(keeper)}: no movement is signed",
    )
    await check_signer(app_context.database, signer_client(policy))
    gone = await signer_component(api_client)
    assert (gone["status"], gone["summary"]) == ("DOWN", "gives the worker no usable answer")
    assert gone["details"]["keys"] == found["details"]["keys"], "its last known keys stay"
    assert str(tmp_path) not in str(gone), "a stranger learns no path"


async def test_health_calls_the_signer_unknown_when_no_worker_asks_it(api_client: ApiClient, app_context: AppContext) -> None:
    await check_signer(app_context.database, app_context.signer)
    async with app_context.database.write() as session:
        await session.execute(update(SignerCheckRow).values(checked_at=SignerCheckRow.checked_at - timedelta(minutes=5)))
    found = await signer_component(api_client)
    assert found["status"] == "DEGRADED"
    assert found["summary"].startswith("unknown: no worker has asked it for 30")
