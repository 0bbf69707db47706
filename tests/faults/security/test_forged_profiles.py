"""An asset's profile counts only if someone who may set it signed exactly its values: a row alone makes no asset liquid.

Before, the API's database role could raise the fund's coverage, and avert the level CRITICAL, by rows of its own.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import pytest
from sqlalchemy import text
from tests.faults.security.conftest import unsigned_rows
from tests.integration.fund_risk.test_assess import fund_at, record
from tests.support.api_client import ApiClient, fund_signing_rules, signed_body
from tests.support.chain.fund import TestFund
from tests.support.database_roles import acting_as
from tests.support.factories.rows import insert_row
from tests.support.signed_grants import grant

from paimon.application.fund_risk.queries import load_risk_state
from paimon.domain.asset.profile import AssetProfile, Liquidity
from paimon.domain.kernel.chain import Address, checksum, parse_address
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.kernel.units import Bps
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.derived import AssetConfigRow
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.sessions import Database

pytestmark = pytest.mark.integration

FUND: Final = fund_at(0)
TOKEN, OTHER = (FUND.assets[number].token for number in (0, 1))
PATH: Final = f"/assets/{checksum(TOKEN)}"
SLOW: Final = AssetProfile("North Bank", Liquidity(90, Bps(500)))
LIQUID: Final = AssetProfile("North Bank", Liquidity(0, Bps(0)))


@pytest.fixture(autouse=True)
async def assets(database: Database) -> None:
    await record(database, FUND)
    async with database.write() as session:
        for block, token in enumerate((TOKEN, OTHER), start=1):
            await insert_row(session, AssetConfigRow, token=token, added_block=block)


async def set_profile(api_client: ApiClient, profile: AssetProfile) -> int:
    """Set it as vera, as an administrator does, and return its version."""
    liquidity = profile.liquidity
    body = {"counterparty": profile.counterparty, "daysToCash": liquidity.days_to_cash, "costBps": liquidity.cost}
    body |= {"reason": "the prospectus"}
    preview = await api_client.post(f"{PATH}/preview", body, by="vera")
    document = preview.json()["data"]["typedData"]
    signed = signed_body(document, api_client.accounts.account("vera"), reason="the prospectus")
    answer = await api_client.post(PATH, body | signed, by="vera")
    assert answer.status_code == 200, answer.text
    return int(answer.json()["data"]["version"])


async def counted(database: Database, fund: TestFund) -> dict[Address, AssetProfile]:
    """Return the profiles that risk counts, as the worker and as the planner read them."""
    scope = fund_signing_rules(fund).scope
    async with acting_as(DatabaseRole.WORKER, database) as worker, worker.write() as session:
        state = await load_risk_state(session, FUND, scope, now=FUND.at.timestamp, system_health=None)
    async with acting_as(DatabaseRole.PLANNER, database) as planner, planner.read() as session:
        planned = await load_risk_state(session, FUND, scope, now=FUND.at.timestamp, system_health=None)
    assert planned.profiles == state.profiles
    return dict(state.profiles)


@dataclass(frozen=True)
class Row:
    """What a forged row says, and what was really signed, if anything."""

    named: str
    signer: str | None = None
    token: Address = TOKEN
    version: int | None = None
    profile: AssetProfile = LIQUID
    scope: SigningScope | None = None
    reason: str = "a test"
    expires_at: str | None = None


async def forge(database: Database, fund: TestFund, row: Row, *, version: int, now: datetime) -> None:
    """Add a profile that makes the asset liquid, with its signed action, with the API's rights in the database alone."""
    rules = fund_signing_rules(fund)
    terms = rules.new_terms(now)
    content = row.profile.content(row.token, row.version or version)
    document = content.document("a test", terms, row.scope or rules.scope)
    signature = bytes(65)
    if row.signer is not None:
        signature = bytes.fromhex(signed_body(document, fund.accounts.account(row.signer), reason="a test")["signature"][2:])
    values: dict[str, Any] = {
        "nonce": terms.nonce,
        "resource": PATH,
        "signer": parse_address(fund.accounts.address(row.named)),
        "document": json.dumps(document),
        "signature": signature,
        "expires_at": row.expires_at or terms.expires_at.isoformat(),
        "token": TOKEN,
        "version": version,
        "counterparty": LIQUID.counterparty,
        "reason": row.reason,
    }
    async with acting_as(DatabaseRole.API, database) as api, api.write() as session:
        await session.execute(
            text("""
                INSERT INTO ops.signed_actions (nonce, action, resource, signer, typed_data, signature, expires_at)
                VALUES (:nonce, 'set_asset_profile', :resource, :signer, CAST(:document AS jsonb), :signature,
                        CAST(CAST(:expires_at AS text) AS timestamptz))
            """),
            values,
        )
        await session.execute(
            text("""
                INSERT INTO ops.asset_profiles (token, version, counterparty, days_to_cash, cost_bps, reason, changed_by, nonce)
                VALUES (:token, :version, :counterparty, 0, 0, :reason, :signer, :nonce)
            """),
            values,
        )


async def test_forged_profile_makes_no_asset_liquid(api_client: ApiClient, database: Database, fund: TestFund) -> None:
    async with database.read() as session:
        now = await database_now(session)
    assert await set_profile(api_client, SLOW) == 1
    elsewhere = SigningScope(56, fund_signing_rules(fund).scope.redemption_manager)
    forged = [
        Row("vera"),
        Row("vera", expires_at="infinity"),
        Row("otto", signer="otto"),  # an operator
        Row("vera", signer="otto"),
        Row("vera", signer="vera", profile=SLOW),
        Row("vera", signer="vera", profile=replace(LIQUID, counterparty="South Bank")),
        Row("vera", signer="vera", token=OTHER),
        Row("vera", signer="vera", version=1),
        Row("vera", signer="vera", scope=elsewhere),
        Row("vera", signer="vera", reason="another reason"),
    ]
    for version, row in enumerate(forged, start=2):
        seen = unsigned_rows("asset_profile")
        await forge(database, fund, row, version=version, now=now)
        assert await counted(database, fund) == {TOKEN: SLOW}, row
        assert unsigned_rows("asset_profile") > seen
    listed = (await api_client.get("/assets")).json()["data"]["items"]
    assert [asset["profile"] and asset["profile"]["version"] for asset in listed] == [1, None]
    history = (await api_client.get(PATH)).json()["data"]["profiles"]
    assert [profile["version"] for profile in history] == [1]
    # A forged row keeps its number, and no one from setting the next profile.
    faster = replace(SLOW, liquidity=Liquidity(30, Bps(500)))
    assert await set_profile(api_client, faster) == len(forged) + 2
    assert await counted(database, fund) == {TOKEN: faster}


async def test_profile_counts_as_it_was_signed_also_after_its_signer_left(
    api_client: ApiClient, database: Database, fund: TestFund
) -> None:
    """The same row, really signed: what the test above forges would count."""
    async with database.read() as session:
        now = await database_now(session)
    await forge(database, fund, Row("vera", signer="vera"), version=1, now=now)
    await grant(database, fund, "vera", None)
    assert await counted(database, fund) == {TOKEN: LIQUID}
