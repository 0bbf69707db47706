"""Tests of Safes and proposals over REST: reads, submitted signatures, and refused requests."""

from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from tests.support.api_client import ApiClient, grant_approver_role, require_example
from tests.support.chain.safes import owner_account
from tests.support.scenarios.multisig import FundSafes, SafeHarness, multisig

from paimon.composition import AppContext
from paimon.domain.kernel.chain import Hash32, checksum, hex0x
from paimon.domain.transaction.safe_transaction import SafeName
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(settings: Settings, fund_safes: FundSafes) -> Settings:
    """Add the two Safes to the settings."""
    named = {"warm": fund_safes.warm, "cold": fund_safes.cold, "multi_send": fund_safes.safe_factory.multi_send}
    return settings.model_copy(update={"sending": settings.sending.model_copy(update=named)})


@pytest.fixture
def safe_harness(fund_safes: FundSafes, app_context: AppContext, worker_database: Database) -> SafeHarness:
    context = app_context.safe_context
    return multisig(fund_safes, context, replace(context, database=worker_database), app_context.database)


def by_wallet(number: int, document: dict[str, Any]) -> dict[str, str]:
    """Sign the document, and return the body as a wallet makes it."""
    signed = Account.sign_typed_data(owner_account(number).key, full_message=document)
    return {"owner": owner_account(number).address, "signature": hex0x(bytes(signed.signature))}


def path(hash_: Hash32, action: str = "") -> str:
    return f"/multisig/proposals/{hex0x(hash_)}{action}"


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_owner_signs_the_shown_document(safe_harness: SafeHarness, api_client: ApiClient) -> None:
    hash_ = await safe_harness.propose("plan", safe_harness.allocate(5), safe_harness.no_op_call())
    shown = await api_client.get(path(hash_), by="vera")
    data = shown.json()["data"]
    assert (data["hashCard"]["safeTxHash"], data["ticketId"]) == (hex0x(hash_), None)
    assert [call["description"] for call in data["calls"]] == [
        "AssetController.allocateToLayer(tier=1, amount=5)",
        "Vault.asset()",
    ]
    answer = await api_client.post(path(hash_, "/sign"), by_wallet(1, data["signing"]), by="vera")
    assert answer.status_code == 200, answer.text
    require_example(answer, "proposal")
    data = answer.json()["data"]
    assert (data["status"], data["signedBy"]) == ("COLLECTING", [owner_account(1).address])
    answer = await api_client.post(path(hash_, "/sign"), by_wallet(3, data["signing"]), by="viktor")
    assert answer.json()["data"]["status"] == "READY"


async def test_user_submits_the_signature_of_a_contract_owner(safe_harness: SafeHarness, api_client: ApiClient) -> None:
    hash_ = await safe_harness.propose("plan", safe=SafeName.COLD)
    consent = await safe_harness.consent(hash_, "pair")
    body = {"owner": checksum(consent.owner), "signature": hex0x(consent.signature)}
    data = (await api_client.post(path(hash_, "/sign"), body, by="vera")).json()["data"]
    assert data["signedBy"] == [checksum(consent.owner)]
    assert [(signature["isContractSignature"], signature["submittedBy"]) for signature in data["signatures"]] == [
        (True, api_client.accounts.address("vera"))
    ]


async def test_safes_and_proposals_are_listed_and_filtered(safe_harness: SafeHarness, api_client: ApiClient) -> None:
    assert (await api_client.get("/multisig/safes")).json()["data"] == [], "not synced yet"
    first = await safe_harness.propose("first")
    second = await safe_harness.propose("second", safe=SafeName.COLD)
    third = await safe_harness.propose("third", safe_harness.allocate(7), at_nonce=0)
    safes = await api_client.get("/multisig/safes")
    require_example(safes, "safes")
    assert [(safe["name"], safe["threshold"], safe["nextNonce"]) for safe in safes.json()["data"]] == [
        ("warm", 2, 1),
        ("cold", 3, 1),
    ]
    found = await api_client.get("/multisig/proposals")
    require_example(found, "proposals")
    assert {proposal["hash"] for proposal in found.json()["data"]["items"]} == {
        hex0x(hash_) for hash_ in (first, second, third)
    }
    file = (await api_client.get("/multisig/proposals", format="csv")).text.split("\r\n")
    assert [line.split(",")[0] for line in file] == [
        "hash",
        *(proposal["hash"] for proposal in found.json()["data"]["items"]),
        "",
    ]
    warm = (await api_client.get("/multisig/proposals", safe="warm", open=True)).json()["data"]["items"]
    assert [(proposal["hash"], proposal["competing"]) for proposal in warm] == [
        (hex0x(third), [hex0x(first)]),
        (hex0x(first), [hex0x(third)]),
    ]
    assert (await api_client.get("/multisig/proposals", open=False)).json()["data"]["items"] == []
    assert refused(await api_client.get("/multisig/proposals", safe="lukewarm")) == (400, "VALIDATION_ERROR")


async def test_readiness_shows_the_owners_and_voters_who_can_sign_now(
    safe_harness: SafeHarness, api_client: ApiClient, database: Database
) -> None:
    await grant_approver_role(database, api_client.accounts, "vera")
    for name in SafeName:
        await safe_harness.propose(name, safe=name)  # which syncs the Safe
    answer = await api_client.get("/approvals/readiness")
    require_example(answer, "signer_readiness")
    warm, cold, voters = answer.json()["data"]["items"][:3]
    assert [(group["name"], group["needed"], group["readiness"]) for group in (warm, cold)] == [
        ("warm", 2, "AWAY"),
        ("cold", 3, "AWAY"),
    ], "its owners are no users, so they were never seen"
    assert (voters["kind"], voters["name"], voters["readiness"]) == ("VOTERS", "1 of vip_approver", "READY")
    assert [signer["name"] for signer in voters["signers"] if signer["isPresent"]] == ["vera"]
    (missing,) = next(signer["missing"] for signer in voters["signers"] if signer["name"] == "viktor")
    assert missing.startswith("this needs VIP_APPROVER_ROLE")


async def test_rejection_is_proposed_once(safe_harness: SafeHarness, api_client: ApiClient) -> None:
    hash_ = await safe_harness.propose("plan")
    answer = await api_client.post(path(hash_, "/reject"), by="vera")
    require_example(answer, "rejection")
    data = answer.json()["data"]
    assert (data["competing"], data["nonce"], data["proposedBy"]) == ([hex0x(hash_)], 0, api_client.accounts.address("vera"))
    assert (await api_client.post(path(hash_, "/reject"), by="viktor")).json()["data"]["hash"] == data["hash"]


async def test_invalid_requests_are_refused(safe_harness: SafeHarness, api_client: ApiClient) -> None:
    hash_ = await safe_harness.propose("plan")
    document = (await api_client.get(path(hash_))).json()["data"]["signing"]
    good = by_wallet(1, document)
    assert refused(await api_client.get(path(hash_), by=None)) == (401, "AUTH_REQUIRED")
    assert refused(await api_client.get("/multisig/proposals/0x12")) == (400, "VALIDATION_ERROR")
    assert refused(await api_client.get(path(Hash32(bytes(32))))) == (404, "NOT_FOUND")
    for person in ("otto", "willa"):
        assert refused(await api_client.post(path(hash_, "/sign"), good, by=person)) == (403, "FORBIDDEN")
        assert refused(await api_client.post(path(hash_, "/reject"), by=person)) == (403, "FORBIDDEN")
    assert refused(await api_client.post(path(hash_, "/sign"), by_wallet(9, document), by="vera")) == (403, "FORBIDDEN")
    other = document | {"message": document["message"] | {"nonce": "1"}}
    assert refused(await api_client.post(path(hash_, "/sign"), by_wallet(1, other), by="vera")) == (403, "FORBIDDEN")
    assert refused(await api_client.post(path(hash_, "/sign"), good | {"signature": "hello"}, by="vera")) == (
        400,
        "VALIDATION_ERROR",
    )
    assert (await api_client.post(path(hash_, "/sign"), good, by="vera")).status_code == 200
    assert refused(await api_client.post(path(hash_, "/sign"), good, by="vera")) == (409, "CONFLICT")
    await safe_harness.expire(hash_)
    assert refused(await api_client.post(path(hash_, "/sign"), by_wallet(2, document), by="vera")) == (409, "CONFLICT")
