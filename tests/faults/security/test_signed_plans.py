"""What a caller of the signer can do that has the application's database, or is the application itself: nothing unsigned.

Before the signer asked for a signed plan, three rows of `transaction_intents` moved 27 000 USDT in six seconds.
"""

import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.support.chain.fund import TestFund
from tests.support.database_roles import WITHOUT_TRIGGERS
from tests.support.scenarios.plans import PlanHarness
from tests.support.signing import (
    DAY_LIMIT,
    PLAN_LIMIT,
    approval_request,
    make_policy,
    make_vote,
    refusal_code,
    sign_plan_document,
    sign_request,
    signer_client,
    signing_scope,
    transaction,
)

from paimon.application.transactions.intents import queue_intent
from paimon.domain.kernel.chain import Address, Hash32, parse_address
from paimon.domain.kernel.eip712 import SignatureTerms
from paimon.domain.kernel.units import WAD
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.domain.transaction.lifecycle import Call, IntentKind, IntentStatus
from paimon.domain.transaction.signing import SignedPlan, SignRequest
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.gateway.signer.check_request import RequestRefused
from paimon.gateway.signer.plan_documents import require_signed_plan
from paimon.gateway.signer.policy import load_policy
from paimon.gateway.signer.policy_tables import ApprovalsTable, PlanSignerTable
from paimon.gateway.signer.process import SignerStartupError, running_signer
from paimon.gateway.signer.service import NONCES_AHEAD_MAX
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi
from paimon.infrastructure.keys.client import SignerClient

pytestmark = pytest.mark.fault

CONTROLLER = load_abi("AssetController")
ENGINE_PLAN, ENGINE_DAY = 3_000, 5_000
"""Limits in USDT of what the planner signs by itself."""


def hot_policy(fund: TestFund, folder: Path, **changes: Any) -> Path:
    """Write a policy in which Otto and the planner may sign plans. The planner's key is Willa's here."""
    planner = PlanSignerTable(
        name="planner",
        address=parse_address(fund.accounts.address("willa")),
        plan_limit=ENGINE_PLAN,
        day_limit=ENGINE_DAY,
    )
    otto = PlanSignerTable(
        name="otto", address=parse_address(fund.accounts.address("otto")), plan_limit=PLAN_LIMIT, day_limit=DAY_LIMIT
    )
    return make_policy(fund, folder, names=("keeper", "approver", "hot"), plan_signers=(otto, planner), **changes)


@pytest.fixture
async def hot(fund: TestFund, tmp_path: Path) -> AsyncIterator[SignerClient]:
    policy = hot_policy(fund, tmp_path)
    async with running_signer(policy, new_ledger=True):
        yield signer_client(policy)


def purchase(fund: TestFund, usdt: int) -> Call:
    token = bytes.fromhex(fund.asset("MMFA").address[2:])
    return Call(fund.addresses.asset_controller, CONTROLLER.encode_call("purchaseAsset", token, usdt * WAD))


def move(fund: TestFund, call: Call, plan: SignedPlan | None, *, nonce: int = 0) -> SignRequest:
    unsigned = transaction(fund, "settleRedemption", 1, call=call, nonce=nonce, gas_limit=1_500_000)
    return replace(sign_request(fund, "hot", unsigned), plan=plan)


async def test_rows_of_the_database_alone_move_no_money(plan_harness: PlanHarness) -> None:
    fund = plan_harness.fund
    async with plan_harness.safe_harness.database.write() as session:
        await session.execute(WITHOUT_TRIGGERS)  # they refuse such an intent; the signer does not rely on them
        for number in range(3):
            await queue_intent(
                session,
                key=f"forged:{number}",
                kind=IntentKind.PLAN_STEP,
                wallet=plan_harness.hot,
                call=purchase(fund, 9_000),
                subject=IntentSubject.plan_call(uuid4(), number),
                expires_at=None,
            )
    before = fund.read("AssetController", "getLayerValue", 1)
    await plan_harness.sending.drive(plan_harness.hot)
    intents = await plan_harness.intents()
    assert [intent.status for intent in intents] == [IntentStatus.QUEUED] * 3
    assert all("PLAN_MISSING" in (intent.reason or "") for intent in intents)
    assert fund.read("AssetController", "getLayerValue", 1) == before


Change = Callable[[TestFund, Call], SignedPlan | None]


def _altered(fund: TestFund, call: Call, **message: Any) -> SignedPlan:
    plan = sign_plan_document(fund, call)
    return replace(plan, document=plan.document | {"message": plan.document["message"] | message})


def _later(**delta: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(**delta)


FORGED: Final[dict[str, tuple[str, Change]]] = {
    "no plan at all": ("PLAN_MISSING", lambda fund, call: None),
    "signed by a person whom the policy does not name": (
        "UNKNOWN_PLAN_SIGNER",
        lambda fund, call: sign_plan_document(fund, call, by="vera"),
    ),
    "signed by the key that makes the call": (
        "UNKNOWN_PLAN_SIGNER",
        lambda fund, call: sign_plan_document(fund, call, by="hot"),
    ),
    "of another call": ("PLAN_MISMATCH", lambda fund, call: sign_plan_document(fund, purchase(fund, 2))),
    "of this call at another place": (
        "PLAN_MISMATCH",
        lambda fund, call: sign_plan_document(fund, purchase(fund, 2), call),
    ),
    "with an index past its calls": ("PLAN_MISMATCH", lambda fund, call: sign_plan_document(fund, call, call_index=1)),
    "of several calls as one": (
        "PLAN_MISMATCH",
        lambda fund, call: sign_plan_document(fund, call, purchase(fund, 2), call_index=None),
    ),
    "for a Safe": ("PLAN_MISMATCH", lambda fund, call: sign_plan_document(fund, call, wallet=PlanWallet.WARM)),
    "of a smaller amount": ("AMOUNT_MISMATCH", lambda fund, call: sign_plan_document(fund, call, amount=98 * WAD)),
    "for another chain": (
        "DOMAIN_MISMATCH",
        lambda fund, call: sign_plan_document(fund, call, scope=replace(signing_scope(fund), chain_id=56)),
    ),
    "for another fund": (
        "DOMAIN_MISMATCH",
        lambda fund, call: sign_plan_document(
            fund, call, scope=replace(signing_scope(fund), redemption_manager=Address(b"\x11" * 20))
        ),
    ),
    "with another amount than was signed": (
        "UNKNOWN_PLAN_SIGNER",
        lambda fund, call: _altered(fund, call, amount=str(7 * WAD)),
    ),
    "with another name than was signed": ("UNKNOWN_PLAN_SIGNER", lambda fund, call: _altered(fund, call, plan="other")),
    "with a number as number": ("MALFORMED_PLAN", lambda fund, call: _altered(fund, call, amount=7)),
    "with calls that are no list": ("MALFORMED_PLAN", lambda fund, call: _altered(fund, call, calls=3)),
    "withheld for longer than the policy allows": (
        "SIGNATURE_TOO_OLD",
        lambda fund, call: sign_plan_document(fund, call, expires_at=_later(hours=-73)),
    ),
    "that could be kept for another day": (
        "EXPIRES_TOO_LATE",
        lambda fund, call: sign_plan_document(fund, call, expires_at=_later(hours=2)),
    ),
}


@pytest.mark.parametrize("what", FORGED)
async def test_hot_call_is_refused_with_a_plan(hot: SignerClient, fund: TestFund, what: str) -> None:
    code, forged = FORGED[what]
    call = purchase(fund, 100)
    assert await refusal_code(hot, move(fund, call, forged(fund, call))) == code


async def test_signed_call_is_made_once(hot: SignerClient, fund: TestFund) -> None:
    call = purchase(fund, 1_000)
    plan = sign_plan_document(fund, call, amount=1_000 * WAD)
    signed = await hot.sign(move(fund, call, plan))
    assert await refusal_code(hot, move(fund, call, plan, nonce=1)) == "CALL_ALREADY_SIGNED"
    dearer = move(fund, call, plan)
    dearer = replace(dearer, transaction=replace(dearer.transaction, gas_limit=1_600_000))
    assert (await hot.sign(dearer)).hash != signed.hash, "at the same nonce it replaces, at most one of the two is mined"


async def test_calls_of_a_plan_together_move_what_was_signed(hot: SignerClient, fund: TestFund) -> None:
    """Three calls of 1 000, signed as 2 000 together: the third has no amount left."""
    calls = [purchase(fund, 1_000)] * 3
    plan = sign_plan_document(fund, *calls, amount=2_000 * WAD)
    for index in range(2):
        await hot.sign(move(fund, calls[index], replace(plan, call_index=index), nonce=index))
    assert await refusal_code(hot, move(fund, calls[2], replace(plan, call_index=2), nonce=2)) == "AMOUNT_MISMATCH"


async def test_nonce_of_a_plan_stands_for_one_document(hot: SignerClient, fund: TestFund) -> None:
    call, nonce = purchase(fund, 10), Hash32(b"\x07" * 32)
    await hot.sign(move(fund, call, sign_plan_document(fund, call, nonce=nonce)))
    assert await refusal_code(hot, move(fund, call, sign_plan_document(fund, call, nonce=nonce), nonce=1)) == "NONCE_USED"
    await hot.sign(move(fund, call, sign_plan_document(fund, call), nonce=1))


async def test_many_names_do_not_widen_what_the_planner_signs(hot: SignerClient, fund: TestFund) -> None:
    """The planner signs alone, within limits of its own. 49 plans of 9 999 under 49 names were signed before."""
    code = await refusal_code(hot, move(fund, call := purchase(fund, 9_999), sign_plan_document(fund, call, by="willa")))
    assert code == "LIMIT_EXCEEDED"
    call = purchase(fund, 2_500)
    for nonce in range(2):
        await hot.sign(move(fund, call, sign_plan_document(fund, call, by="willa"), nonce=nonce))
    small = purchase(fund, 1)
    assert await refusal_code(hot, move(fund, small, sign_plan_document(fund, small, by="willa"), nonce=2)) == "LIMIT_EXCEEDED"
    as_a_batch = sign_plan_document(fund, small, by="willa", call_index=None)
    assert await refusal_code(hot, move(fund, small, as_a_batch, nonce=2)) == "LIMIT_EXCEEDED"
    await hot.sign(move(fund, call, sign_plan_document(fund, call, by="otto"), nonce=2))


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_no_change_of_a_signed_document_is_taken(fund: TestFund, tmp_path: Path, data: st.DataObject) -> None:
    """Any field of the document with any other value of its kind, and any byte of the signature."""
    policy_path = tmp_path / "signer.toml"
    policy = load_policy(policy_path if policy_path.exists() else hot_policy(fund, tmp_path))
    call = purchase(fund, 100)
    plan = sign_plan_document(fund, call)
    field = data.draw(st.sampled_from([*plan.document["message"], "signature"]))
    if field == "signature":
        index = data.draw(st.integers(0, 64))
        changed = bytearray(plan.signature)
        changed[index] ^= data.draw(st.integers(1, 255))
        forged = replace(plan, signature=bytes(changed))
    else:
        value = data.draw(
            st.one_of(
                st.text(max_size=40), st.integers(), st.none(), st.lists(st.integers(), max_size=2), st.just("0x" + "00" * 32)
            )
        )
        message = plan.document["message"] | {field: value}
        if message == plan.document["message"]:
            return
        forged = replace(plan, document=plan.document | {"message": message})
    with pytest.raises(RequestRefused):
        require_signed_plan(forged, (call,), PlanWallet.HOT, policy, signing_scope(fund), now=datetime.now(UTC))


@pytest.mark.parametrize("key", ["keeper", "hot", "approver"])
async def test_key_signs_only_nonces_near_the_chain(hot: SignerClient, fund: TestFund, key: str) -> None:
    """A nonce from 10^15 on counted for ever: one caller locked the day's limit for good."""
    own = parse_address(fund.accounts.address(key))
    fund.wait_until_final()
    used = int(fund.node.rpc.call("eth_getTransactionCount", fund.accounts.address(key), "latest"), 16)

    def self_send(nonce: int) -> SignRequest:
        return sign_request(fund, key, transaction(fund, "settleRedemption", 1, call=Call(own, b""), nonce=nonce))

    await hot.sign(self_send(used + NONCES_AHEAD_MAX - 1))
    for nonce in (used + NONCES_AHEAD_MAX, 10**15, 2**63, 2**64):
        assert await refusal_code(hot, self_send(nonce)) == "NONCE_TOO_FAR"
    if used:
        assert await refusal_code(hot, self_send(used - 1)) == "NONCE_SPENT"


async def test_gas_of_a_key_is_capped_by_the_day(fund: TestFund, tmp_path: Path) -> None:
    policy = hot_policy(fund, tmp_path)
    cap = f"gas_wei_per_day_max = {3 * 300_000 * 2 * 10**9}"
    policy.write_text(policy.read_text().replace("gas_wei_per_day_max = 100000000000000000000", cap))
    assert cap in policy.read_text()
    async with running_signer(policy, new_ledger=True):
        signer = signer_client(policy)
        requests = [sign_request(fund, "keeper", transaction(fund, "settleRedemption", 1, nonce=nonce)) for nonce in range(4)]
        for request in requests[:3]:
            await signer.sign(request)
        assert await refusal_code(signer, requests[3]) == "GAS_LIMIT_OF_DAY"
        await signer.sign(requests[0]), "the same transaction again costs nothing more"
        approver = transaction(fund, "settleRedemption", 1, call=Call(parse_address(fund.accounts.address("approver")), b""))
        await signer.sign(sign_request(fund, "approver", approver)), "each key has a day of its own"


async def test_vote_that_was_kept_back_is_refused(fund: TestFund, tmp_path: Path, pending_request_id: int) -> None:
    policy = hot_policy(fund, tmp_path)
    async with running_signer(policy, new_ledger=True):
        signer = signer_client(policy)
        for hours, code in ((-73, "SIGNATURE_TOO_OLD"), (2, "EXPIRES_TOO_LATE")):
            late = make_vote(fund, "vera", pending_request_id, terms=_terms(_later(hours=hours)))
            assert await refusal_code(signer, approval_request(fund, pending_request_id, late)) == code
        in_time = make_vote(fund, "vera", pending_request_id, terms=_terms(_later(hours=-71)))
        await signer.sign(approval_request(fund, pending_request_id, in_time))


def _terms(expires_at: datetime) -> SignatureTerms:
    return SignatureTerms(Hash32(secrets.token_bytes(32)), expires_at)


async def test_only_voters_whom_the_policy_names_count(fund: TestFund, tmp_path: Path, pending_request_id: int) -> None:
    viktor = parse_address(fund.accounts.address("viktor"))
    policy = hot_policy(fund, tmp_path, approvals=ApprovalsTable(voters=frozenset({viktor})))
    async with running_signer(policy, new_ledger=True):
        signer = signer_client(policy)
        by_vera = approval_request(fund, pending_request_id, make_vote(fund, "vera", pending_request_id))
        assert await refusal_code(signer, by_vera) == "UNKNOWN_VOTER"
        await signer.sign(approval_request(fund, pending_request_id, make_vote(fund, "viktor", pending_request_id)))


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("signature_age_hours_max = 72", "signature_age_hours_max = 23", "below the longest deadline"),
        ("plan_limit = 10000", "plan_limit = 10001", "a Safe must make it"),
        ("plan_limit = 10000", "plan_limit = 50000", "a Safe must make it"),
        (f"plan_limit = {ENGINE_PLAN}\n", "", "plan_signers.1.plan_limit"),
        (f"day_limit = {ENGINE_DAY}\n", "", "plan_signers.1.day_limit"),
        (f"plan_limit = {ENGINE_PLAN}\nday_limit = {ENGINE_DAY}\n", "", "plan_signers.1.plan_limit"),
        ("[[plan_signers]]", "[[not_plan_signers]]", "not_plan_signers"),
        ("only_signer = true\n", "", r"add the table \[leases\]"),
        ("only_signer = true\n", "only_signer = false\n", r"add the table \[leases\]"),
        ("[contracts]", '[leases]\ndatabase_url = "postgresql+psycopg://s@db/p"\n\n[contracts]', "state one"),
    ],
)
async def test_signer_refuses_a_policy_that_opens_a_gap(fund: TestFund, tmp_path: Path, old: str, new: str, named: str) -> None:
    policy = hot_policy(fund, tmp_path)
    assert old in policy.read_text()
    policy.write_text(policy.read_text().replace(old, new))
    with pytest.raises(SignerStartupError, match=named):
        async with running_signer(policy, new_ledger=True):
            pass
