"""A Safe signs in as a person, and neither a part of its owners nor one endpoint does it for them. It does not vote."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr
from tests.support.api_client import ApiClient, api_client_for, approver_row, request_row, running_app, seed_session, seed_users
from tests.support.chain.fund import TestFund
from tests.support.chain.safe_messages import sign_for_safe
from tests.support.chain.safes import SafeFactory, address_of, owner_account, signature_by_safe_message
from tests.support.factories.rows import insert_row
from tests.support.faults.false_endpoint import FalseEndpoint, false_endpoints
from tests.support.sign_in import outcome, personal_sign
from tests.support.signed_grants import grant

from paimon.application.approval_workflow.open_ticket import open_ticket_if_needed
from paimon.composition import AppContext
from paimon.domain.approval.first_policy import FIRST_POLICY
from paimon.domain.kernel.chain import Address, checksum, hex0x, parse_address
from paimon.domain.risk.risk_event import RiskKind, RiskStatus, Severity
from paimon.domain.user.roles import UserRole
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.derived import AssetConfigRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.rows.redemption import to_domain
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.signatures import typed_digest
from paimon.settings import Settings

pytestmark = pytest.mark.fault

OWNERS = [owner_account(number) for number in (1, 2, 3)]
ACCEPTED = "0x1626ba7e" + "00" * 28


async def message_for(api_client: ApiClient, wallet: Address) -> str:
    answer = await api_client.post("/auth/challenge", {"address": checksum(wallet)})
    return str(answer.json()["data"]["message"])


async def verify(api_client: ApiClient, message: str, signature: str) -> tuple[int, str | None]:
    return outcome(await api_client.post("/auth/verify", {"message": message, "signature": signature}))


@pytest.fixture
def safe(fund: TestFund) -> Address:
    """A Safe of which two of three owners sign; its deployment is final."""
    deployed = SafeFactory.open(fund).safe([address_of(owner) for owner in OWNERS], 2)
    fund.mine(3)
    return deployed


@asynccontextmanager
async def several_endpoints(settings: Settings, fund: TestFund) -> AsyncIterator[tuple[ApiClient, list[FalseEndpoint]]]:
    """Serve the API on three endpoints of one node."""
    async with false_endpoints(fund.node.http_url, 3) as endpoints:
        extra = SecretStr(" ".join(endpoint.url for endpoint in endpoints[1:]))
        chain = settings.chain.model_copy(update={"rpc_url": SecretStr(endpoints[0].url), "extra_rpc_urls": extra})
        several = settings.model_copy(update={"chain": chain})
        async with running_app(several) as app, api_client_for(app, several, fund.accounts) as api_client:
            yield api_client, endpoints


async def test_safe_signs_in_with_enough_owners_and_not_with_fewer(
    api_client: ApiClient, database: Database, fund: TestFund, safe: Address
) -> None:
    await grant(database, fund, "the fund's Safe", UserRole.VIEWER, address=safe)
    message = await message_for(api_client, safe)
    other = await message_for(api_client, safe)
    key = OWNERS[0]
    refused = {
        "one owner": sign_for_safe(message, safe, OWNERS[:1]),
        "an owner and another": sign_for_safe(message, safe, [OWNERS[0], owner_account(9)]),
        "over another message": sign_for_safe(other, safe, OWNERS[:2]),
        "for another Safe": sign_for_safe(message, address_of(key), OWNERS[:2]),
        "for another chain": sign_for_safe(message, safe, OWNERS[:2], chain_id=56),
        "an owner's own key": personal_sign(key, message),
    }
    answers = {name: await verify(api_client, message, signature) for name, signature in refused.items()}
    assert {status for status, _ in answers.values()} <= {400, 401}, answers
    assert await verify(api_client, message, "0x") == (400, "VALIDATION_ERROR")
    assert await verify(api_client, message, sign_for_safe(message, safe, OWNERS[1:])) == (200, None)
    assert await verify(api_client, message, sign_for_safe(message, safe, OWNERS[1:])) == (401, "AUTH_INVALID")


async def test_contract_that_is_no_user_does_not_sign_in(api_client: ApiClient, safe: Address) -> None:
    """It is told what every wrong signature is told: whether an address is a user does not show."""
    message = await message_for(api_client, safe)
    assert (await verify(api_client, message, sign_for_safe(message, safe, OWNERS[:2])))[0] in (400, 401)


async def test_one_endpoint_of_three_lets_no_contract_wallet_in(
    settings: Settings, database: Database, fund: TestFund, safe: Address, eventually: Callable[..., Any]
) -> None:
    await seed_users(database, fund)
    await grant(database, fund, "the fund's Safe", UserRole.VIEWER, address=safe)
    async with several_endpoints(settings, fund) as (api_client, endpoints):
        message = await message_for(api_client, safe)
        forged = sign_for_safe(message, safe, OWNERS[:1])
        endpoints[1].false_results["eth_call"] = lambda _call, _truth: ACCEPTED
        assert (await verify(api_client, message, forged))[0] in (400, 401)
        endpoints[2].false_results["eth_call"] = lambda _call, _truth: ACCEPTED
        assert await verify(api_client, message, forged) == (200, None), "two of three decide"


async def test_former_owner_does_not_sign_in_at_a_block_that_one_endpoint_calls_final(
    settings: Settings, database: Database, fund: TestFund, eventually: Callable[..., Any]
) -> None:
    """Its answer about the contract is true: of a block before the owner was replaced."""
    await seed_users(database, fund)
    factory = SafeFactory.open(fund)
    safe = factory.safe([address_of(OWNERS[0])], 1)
    fund.wait_until_final()
    before = fund.node.rpc.call("eth_getBlockByNumber", "finalized", False)
    factory.swap_owner(safe, OWNERS[0], OWNERS[1])
    await grant(database, fund, "the fund's Safe", UserRole.VIEWER, address=safe)

    def old_final_block(call: Any, truth: Any) -> Any:
        return before if call["params"][0] == "finalized" else truth

    async with several_endpoints(settings, fund) as (api_client, endpoints):
        for endpoint in endpoints:
            endpoint.false_results["eth_getBlockByNumber"] = old_final_block
            message = await message_for(api_client, safe)
            assert (await verify(api_client, message, sign_for_safe(message, safe, OWNERS[:1])))[0] in (400, 401)
            assert await verify(api_client, message, sign_for_safe(message, safe, OWNERS[1:2])) == (200, None)
            del endpoint.false_results["eth_getBlockByNumber"]


@pytest.mark.parametrize("owners", [1, 2], ids=["as long as a key's signature", "longer"])
async def test_vote_of_a_contract_wallet_is_refused_with_a_reason(
    api_client: ApiClient, app_context: AppContext, database: Database, fund: TestFund, owners: int
) -> None:
    """The contract accepts the signature. The signer process would not, so the vote could not be carried out."""
    safe = SafeFactory.open(fund).safe([address_of(owner) for owner in OWNERS[:owners]], owners)
    fund.wait_until_final()
    await grant(database, fund, "the fund's Safe", UserRole.ADMIN, address=safe)
    await seed_session(database, safe, "safe")
    async with database.write() as session:
        row = request_row(1, owner=parse_address(fund.accounts.address("ines")))
        session.add_all([row, approver_row(safe)])
        await session.flush()
        now = await database_now(session)
        await open_ticket_if_needed(session, to_domain(row), FIRST_POLICY, now=now)

    headers = {"Authorization": f"Bearer {api_client.token_of(safe, 'safe')}"}
    shown = (await api_client.client.get("/api/v1/approvals/TKT-R000001", headers=headers)).json()["data"]
    document = shown["signing"]["approve"]
    signature = signature_by_safe_message(safe, OWNERS[:owners], typed_digest(document), chain_id=31337)
    terms = {name: document["message"][name] for name in ("nonce", "expiresAt", "reason")}
    body = terms | {"signature": hex0x(signature)}
    answer = await api_client.client.post("/api/v1/approvals/TKT-R000001/approve", json=body, headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["details"][0]["code"]) == (403, "FORBIDDEN", "KEY_SIGNATURE_REQUIRED")
    assert "a contract wallet signs no vote, no plan and no policy" in error["message"].lower()
    assert (await api_client.get("/approvals/TKT-R000001")).json()["data"]["votes"] == []


async def test_confirmation_and_profile_of_a_contract_wallet_are_refused_with_a_reason(
    api_client: ApiClient, database: Database, fund: TestFund, safe: Address
) -> None:
    """The contract accepts the signature. A worker that verifies it later has no contract to ask, so it would never count."""
    fund.wait_until_final()
    await grant(database, fund, "the fund's Safe", UserRole.ADMIN, address=safe)
    await seed_session(database, safe, "safe")
    async with database.write() as session:
        changed = {"kind": RiskKind.CONTRACT_CHANGED, "severity": Severity.CRITICAL, "status": RiskStatus.OPEN}
        await insert_row(session, RiskEventRow, id=1, **changed)
        await insert_row(session, RiskEventRow, id=2, **changed | {"kind": RiskKind.UNSIGNED_GRANT})
        await insert_row(session, AssetConfigRow, token=safe, added_block=1)
    headers = {"Authorization": f"Bearer {api_client.token_of(safe, 'safe')}"}

    async def post(path: str, body: dict[str, Any]) -> Any:
        return await api_client.client.post(f"/api/v1{path}", json=body, headers=headers)

    async def signed(proposed: Any) -> tuple[str, dict[str, Any]]:
        data = proposed.json()["data"]
        message = data["typedData"]["message"]
        signature = signature_by_safe_message(safe, OWNERS[:2], typed_digest(data["typedData"]), chain_id=31337)
        terms = {name: message[name] for name in ("nonce", "expiresAt", "reason")}
        return data["submitTo"], terms | {"signature": hex0x(signature)}

    profile = {"counterparty": "North Bank", "daysToCash": 2, "costBps": 30, "reason": "a test"}
    confirmation = {"action": "resolve_risk_event", "resource": "/risk/events/1", "reason": "a test"}
    for proposed, body in (
        (await post("/signed-actions", confirmation), {}),
        (await post(f"/assets/{checksum(safe)}/preview", profile), profile),
    ):
        path, terms = await signed(proposed)
        answer = await post(path, body | terms)
        error = answer.json()["error"]
        assert (answer.status_code, error["details"][0]["code"]) == (403, "KEY_SIGNATURE_REQUIRED"), error
        assert "verified later by the key that signed it" in error["message"]
    # What nothing verifies later, it signs as ever.
    path, terms = await signed(await post("/signed-actions", confirmation | {"resource": "/risk/events/2"}))
    assert (await post(path, terms)).status_code == 200
