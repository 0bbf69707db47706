"""A version of the approval policy counts only if someone who may publish it signed exactly it: a row alone is no version.

Before, a row that the API's database role added was in force at once.
"""

import json
import secrets
from collections.abc import Callable
from copy import deepcopy
from typing import Any, Final

import psycopg
import pytest
from sqlalchemy import select
from tests.support.api_client import ApiClient, fund_signing_rules, signed_body
from tests.support.chain.fund import TestFund
from tests.support.signed_grants import grant

from paimon.application.approval_policy.check_versions import check_versions
from paimon.application.approval_policy.publications import publication_content
from paimon.domain.approval.first_policy import FIRST_POLICY_DOCUMENT
from paimon.domain.kernel.chain import parse_address
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.risk.risk_event import RiskKind, Severity
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.sessions import Database
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration

Forge = Callable[..., None]

LOOSE: Final[dict[str, Any]] = {"rules": [{"name": "anything", "verdict": "ALLOW", "when": {}}]}
STRICTER: Final[dict[str, Any]] = deepcopy(FIRST_POLICY_DOCUMENT)
STRICTER["rules"][1]["approvals"] = [[{"count": 2, "from": "vip_approver"}]]


@pytest.fixture
def forge(postgres: EmbeddedPostgres, database_name: str) -> Forge:
    """Return a function that adds a version and its signed action with the API's database role alone."""

    def run(version: int, document: dict[str, Any], *, by: bytes, typed_data: Any, signature: bytes, nonce: bytes) -> None:
        url = postgres.url("paimon_api", database_name).replace("+psycopg", "")
        with psycopg.connect(url) as session:
            session.execute(
                """
                INSERT INTO ops.signed_actions (nonce, action, resource, signer, typed_data, signature, expires_at)
                VALUES (%s, 'publish_policy', '/policy/drafts/1', %s, %s, %s, now() + interval '1 minute')
                """,
                (nonce, by, json.dumps(typed_data), signature),
            )
            session.execute(
                """
                INSERT INTO ops.approval_policies (version, document, reason, published_by, nonce)
                VALUES (%s, %s, 'a test', %s, %s)
                """,
                (version, json.dumps(document), by, nonce),
            )

    return run


async def in_force(api_client: ApiClient) -> int:
    answer = await api_client.get("/policy")
    assert answer.status_code == 200, answer.text
    return int(answer.json()["data"]["version"])


async def findings(database: Database, fund: TestFund) -> list[str]:
    async with database.write() as session:
        return [finding.observed for finding in await check_versions(session, fund_signing_rules(fund).scope, block=1)]


async def publish(api_client: ApiClient) -> Any:
    drafted = await api_client.post("/policy/drafts", {"title": "two votes", **STRICTER}, by="vera")
    assert drafted.status_code == 200, drafted.text
    number, version = drafted.json()["data"]["id"], drafted.json()["data"]["version"]
    published = await api_client.sign("publish_policy", f"/policy/drafts/{number}", by="viktor", reason="agreed")
    assert published.status_code == 200, published.text
    assert published.json()["data"]["version"] == version
    return version


async def test_policy_rows_without_a_signature_are_not_in_force_and_critical_events(
    api_client: ApiClient, database: Database, fund: TestFund, forge: Forge
) -> None:
    vera = parse_address(fund.accounts.address("vera"))
    for version, typed_data in enumerate(({}, [], {"message": {"resource": 1, "statement": None}}), 2):
        nonce = secrets.token_bytes(32)
        forge(version, {"rules": "none"}, by=vera, typed_data=typed_data, signature=bytes(65), nonce=nonce)
    assert await in_force(api_client) == 1
    assert (await api_client.get("/policy/versions/2")).status_code == 404
    assert len(await findings(database, fund)) == 3
    async with database.read() as session:
        events = await session.scalars(select(RiskEventRow).order_by(RiskEventRow.subject))
    assert [(event.kind, event.severity, event.subject) for event in events] == [
        (RiskKind.UNSIGNED_POLICY, Severity.CRITICAL, f"policy version {version}") for version in (2, 3, 4)
    ]
    assert await publish(api_client) == 5, "the forged rows keep their numbers, and no one from publishing"
    assert await in_force(api_client) == 5


async def test_publication_that_was_signed_for_something_else_does_not_count(
    api_client: ApiClient, database: Database, fund: TestFund, forge: Forge
) -> None:
    rules = fund_signing_rules(fund)
    elsewhere = SigningScope(56, rules.scope.redemption_manager)
    # Who signs, which version, which document and where; and whom the row names.
    cases: list[tuple[str, int, dict[str, Any], SigningScope, str]] = [
        ("willa", 2, LOOSE, rules.scope, "willa"),
        ("vera", 3, STRICTER, rules.scope, "vera"),
        ("vera", 7, LOOSE, rules.scope, "vera"),
        ("vera", 5, LOOSE, elsewhere, "vera"),
        ("vera", 6, LOOSE, rules.scope, "viktor"),
    ]
    for version, (signer, signed_version, document, scope, named) in enumerate(cases, 2):
        async with database.read() as session:
            terms = rules.new_terms(await database_now(session))
        content = publication_content(signed_version, document, resource="/policy/drafts/1", statement="Publish it")
        typed_data = content.document("a test", terms, scope)
        signature = bytes.fromhex(signed_body(typed_data, fund.accounts.account(signer))["signature"][2:])
        by = parse_address(fund.accounts.address(named))
        forge(version, LOOSE, by=by, typed_data=typed_data, signature=signature, nonce=terms.nonce)
        assert await in_force(api_client) == 1, version
    no_right, *not_signed = reversed(await findings(database, fund))
    assert "no signed grant ever let" in no_right
    assert ["did not sign it" in reason for reason in not_signed] == [True] * 4


async def test_published_version_stays_in_force_when_its_publisher_leaves(
    api_client: ApiClient, database: Database, fund: TestFund
) -> None:
    version = await publish(api_client)
    await grant(database, fund, "viktor", None)
    assert await in_force(api_client) == version
    assert await findings(database, fund) == []
