"""Asset profiles over REST: set by an administrator's signature, in versions, and used by the fund's risk."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.integration.fund_risk.test_assess import fund_at, record
from tests.support.api_client import ApiClient, fund_signing_rules, require_example, signed_body
from tests.support.chain.fund import TestFund
from tests.support.factories.rows import insert_row
from tests.support.sign_in import outcome

from paimon.application.assets.store import lock_profiles
from paimon.application.fund_risk.queries import load_risk_state
from paimon.domain.asset.profile import UNKNOWN_COUNTERPARTY, AssetProfile, Liquidity
from paimon.domain.kernel.chain import checksum
from paimon.domain.kernel.units import Bps
from paimon.domain.risk.indicators import counterparty_concentration
from paimon.domain.risk.risk_policy import RiskPolicy
from paimon.infrastructure.database.models.derived import AssetConfigRow
from paimon.infrastructure.database.sessions import Database

pytestmark = pytest.mark.integration

FUND: Final = fund_at(0)
TOKEN, OTHER = (FUND.assets[number].token for number in (0, 1))
PATH: Final = f"/assets/{checksum(TOKEN)}"
NORTH: Final = {"counterparty": "North Bank", "daysToCash": 2, "costBps": 30}


@pytest.fixture(autouse=True)
async def assets(database: Database) -> None:
    await record(database, FUND)
    async with database.write() as session:
        for block, token in enumerate((TOKEN, OTHER), start=1):
            await insert_row(session, AssetConfigRow, token=token, added_block=block)


async def signed(
    api_client: ApiClient, profile: dict[str, Any], *, path: str = PATH, by: str = "vera"
) -> tuple[httpx.Response, dict[str, Any]]:
    """Return the preview's answer, and what submits the profile."""
    body = profile | {"reason": "the prospectus"}
    preview = await api_client.post(f"{path}/preview", body, by=by)
    if not preview.is_success:
        return preview, body
    document = preview.json()["data"]["typedData"]
    return preview, body | signed_body(document, api_client.accounts.account(by), reason="the prospectus")


async def set_profile(api_client: ApiClient, profile: dict[str, Any], *, path: str = PATH, by: str = "vera") -> httpx.Response:
    preview, body = await signed(api_client, profile, path=path, by=by)
    return await api_client.post(path, body, by=by) if preview.is_success else preview


async def test_profile_is_set_by_a_signature_and_kept_in_versions(api_client: ApiClient) -> None:
    preview, body = await signed(api_client, NORTH)
    require_example(preview, "asset_profile_document")
    assert preview.json()["data"]["submitTo"] == PATH
    require_example(await api_client.post(PATH, body, by="vera"), "asset_profile")
    assert (await set_profile(api_client, NORTH | {"daysToCash": 5}, by="ada")).status_code == 200
    listed = await api_client.get("/assets", by="willa")
    require_example(listed, "asset_profiles")
    first, second = listed.json()["data"]["items"]
    assert (first["token"], first["profile"]["daysToCash"], second["profile"]) == (checksum(TOKEN), 5, None)
    history = await api_client.get(PATH, by="willa")
    require_example(history, "asset_history")
    versions = history.json()["data"]["profiles"]
    assert [(each["version"], each["daysToCash"]) for each in versions] == [(2, 5), (1, 2)]
    assert versions[1]["changedBy"] == api_client.accounts.address("vera")


async def test_profile_that_was_not_signed_as_it_is_changes_nothing(api_client: ApiClient) -> None:
    _, body = await signed(api_client, NORTH)
    for changed in ({"counterparty": "South Bank"}, {"daysToCash": 3}, {"costBps": 31}, {"reason": "another"}):
        assert outcome(await api_client.post(PATH, body | changed, by="vera")) == (403, "FORBIDDEN")
    assert outcome(await api_client.post(f"/assets/{checksum(OTHER)}", body, by="vera")) == (403, "FORBIDDEN")
    assert outcome(await api_client.post(PATH, body, by="ada")) == (403, "FORBIDDEN"), "another person's signature"
    assert (await api_client.post(PATH, body, by="vera")).status_code == 200
    assert outcome(await api_client.post(PATH, body, by="vera")) == (409, "CONFLICT"), "each signature once"
    assert outcome(await set_profile(api_client, NORTH)) == (409, "CONFLICT"), "the asset has it already"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"counterparty": ""}, "1 to 100 characters"),
        ({"counterparty": " North Bank"}, "without blanks around"),
        ({"counterparty": "North\u2028Bank"}, "one line"),
        ({"counterparty": UNKNOWN_COUNTERPARTY.upper()}, "without a profile"),
        ({"daysToCash": -1}, "days to cash"),
        ({"daysToCash": 2**40}, "days to cash"),
        ({"costBps": 10_001}, "bps"),
    ],
)
async def test_impossible_profile_is_refused_with_the_reason(api_client: ApiClient, change: dict[str, Any], says: str) -> None:
    refused = await set_profile(api_client, NORTH | change)
    assert outcome(refused) == (400, "VALIDATION_ERROR")
    assert says in refused.text


@pytest.mark.parametrize("name", ["north bank", "North  Bank", "NORTHBANK", "\uff2eorth Bank"])
async def test_counterparty_in_another_spelling_than_a_known_one_is_refused(api_client: ApiClient, name: str) -> None:
    assert (await set_profile(api_client, NORTH)).status_code == 200
    other = f"/assets/{checksum(OTHER)}"
    refused = await set_profile(api_client, NORTH | {"counterparty": name}, path=other)
    detail = refused.json()["error"]["details"][0]
    assert outcome(refused) == (400, "VALIDATION_ERROR")
    assert (detail["field"], detail["code"]) == ("counterparty", "COUNTERPARTY_SPELLING")
    assert "counterparty is 'North Bank'" in refused.text
    for accepted in (NORTH, NORTH | {"counterparty": "Northern Bank"}):
        assert (await set_profile(api_client, accepted, path=other)).status_code == 200
    # The one asset that has a name may have it in another spelling.
    assert (await set_profile(api_client, NORTH | {"counterparty": name})).status_code == 200


async def test_of_two_spellings_that_were_signed_at_once_one_is_refused(api_client: ApiClient) -> None:
    other = f"/assets/{checksum(OTHER)}"
    _, body = await signed(api_client, NORTH | {"counterparty": "north bank"}, path=other)
    assert (await set_profile(api_client, NORTH)).status_code == 200
    assert outcome(await api_client.post(other, body, by="vera")) == (400, "VALIDATION_ERROR")


async def test_only_administrators_set_a_profile_and_only_of_the_funds_assets(api_client: ApiClient) -> None:
    assert outcome(await set_profile(api_client, NORTH, by="otto")) == (403, "FORBIDDEN")
    stranger = f"/assets/{api_client.accounts.address('ines')}"
    assert outcome(await set_profile(api_client, NORTH, path=stranger)) == (404, "NOT_FOUND")
    assert outcome(await api_client.get(stranger, by="willa")) == (404, "NOT_FOUND")
    assert outcome(await api_client.propose("set_asset_profile", PATH, by="vera")) == (400, "VALIDATION_ERROR")


async def test_two_profiles_at_once_do_not_overwrite_each_other(
    api_client: ApiClient, database: Database, eventually: Callable[..., Any]
) -> None:
    """Both were signed as version 1. Without the lock of `set_profile` they read the same version and write it twice."""
    bodies = [(await signed(api_client, NORTH | {"costBps": cost}, by=by))[1] for cost, by in ((1, "vera"), (2, "ada"))]
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()")
    async with database.write() as session:
        await lock_profiles(session)
        both = [
            asyncio.create_task(api_client.post(PATH, body, by=by)) for body, by in zip(bodies, ("vera", "ada"), strict=True)
        ]

        async def are_waiting_or_done() -> bool:
            async with database.read() as other:
                return (await other.execute(waiting)).scalar_one() == len(both) or any(post.done() for post in both)

        await eventually(are_waiting_or_done, seconds_max=60)
        assert not any(post.done() for post in both)
    assert sorted(response.status_code for response in await asyncio.gather(*both)) == [200, 409]
    assert len((await api_client.get(PATH, by="vera")).json()["data"]["profiles"]) == 1


async def test_risk_counts_an_asset_by_its_newest_profile(api_client: ApiClient, database: Database, fund: TestFund) -> None:
    for counterparty in ("North Bank", "South Bank"):
        for token in (TOKEN, OTHER):
            path = f"/assets/{checksum(token)}"
            assert (await set_profile(api_client, NORTH | {"counterparty": counterparty}, path=path)).status_code == 200
    async with database.read() as session:
        scope = fund_signing_rules(fund).scope
        state = await load_risk_state(session, FUND, scope, now=FUND.at.timestamp, system_health=None)
    assert state.profiles == dict.fromkeys((TOKEN, OTHER), AssetProfile("South Bank", Liquidity(2, Bps(30))))
    assert counterparty_concentration(state, RiskPolicy()).note == "assets without a profile count together"


async def test_row_without_its_signed_action_is_refused_by_the_database(api_client: ApiClient, database: Database) -> None:
    assert (await set_profile(api_client, NORTH)).status_code == 200
    copied = (
        "INSERT INTO ops.asset_profiles (token, version, counterparty, days_to_cash, cost_bps, reason, changed_by, nonce)"
        " SELECT {token}, 2, counterparty, 0, 0, reason, changed_by, {nonce} FROM ops.asset_profiles"
    )
    other_action = "(SELECT nonce FROM ops.signed_actions WHERE action <> 'set_asset_profile' LIMIT 1)"
    for token, nonce in ((f"'\\x{OTHER.hex()}'", "nonce"), ("token", other_action)):
        with pytest.raises(DBAPIError, match="did not sign that"):
            async with database.write() as session:
                await session.execute(text(copied.format(token=token, nonce=nonce)))
