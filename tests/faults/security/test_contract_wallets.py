"""A Safe signs in as a person, and neither a part of its owners nor one endpoint does it for them."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr
from tests.support.api_client import ApiClient, api_client_for, running_app, seed_users
from tests.support.chain.fund import TestFund
from tests.support.chain.safe_messages import sign_for_safe
from tests.support.chain.safes import SafeFactory, address_of, owner_account
from tests.support.faults.false_endpoint import false_endpoints
from tests.support.sign_in import outcome, personal_sign
from tests.support.signed_grants import grant

from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.user.roles import UserRole
from paimon.infrastructure.database.sessions import Database
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
    async with false_endpoints(fund.node.http_url, 3) as endpoints:
        extra = SecretStr(" ".join(endpoint.url for endpoint in endpoints[1:]))
        chain = settings.chain.model_copy(update={"rpc_url": SecretStr(endpoints[0].url), "extra_rpc_urls": extra})
        several = settings.model_copy(update={"chain": chain})
        async with running_app(several) as app, api_client_for(app, several, fund.accounts) as api_client:
            message = await message_for(api_client, safe)
            forged = sign_for_safe(message, safe, OWNERS[:1])
            endpoints[1].false_results["eth_call"] = lambda _call, _truth: ACCEPTED
            assert (await verify(api_client, message, forged))[0] in (400, 401)
            endpoints[2].false_results["eth_call"] = lambda _call, _truth: ACCEPTED
            assert await verify(api_client, message, forged) == (200, None), "two of three decide"
