"""Executions for a Safe: what the keeper's key signs and refuses. Neither caller nor owners can widen it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.chain.fund import TestFund
from tests.support.chain.safes import SAFE_ABI, owner_account, signature_by_key
from tests.support.scenarios.multisig import FundSafes, safe_policy
from tests.support.signing import refusal_code, sign_request, signer_client, transaction

from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, checksum, parse_address
from paimon.domain.kernel.units import WAD, RawAmount
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.multi_send import build_safe_transaction, encode_batch
from paimon.domain.transaction.safe_transaction import (
    SafeOperation,
    SafeScope,
    SafeTransaction,
    pack_signatures,
    rejection_transaction,
)
from paimon.domain.transaction.signing import SignRequest
from paimon.gateway.signer.policy import PolicyError, load_policy
from paimon.gateway.signer.policy_tables import SAFE_MONEY_FUNCTIONS, SafeTable, SignableFunction
from paimon.gateway.signer.policy_text import write_policy
from paimon.gateway.signer.process import SignerStartupError, running_signer
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi
from paimon.infrastructure.blockchain.contracts.safe import build_execution_call
from paimon.infrastructure.keys.client import SignerClient

pytestmark = pytest.mark.integration

CONTROLLER = load_abi("AssetController")
STRANGER = Address(b"\x66" * 20)


@pytest.fixture
async def keeper(fund: TestFund, fund_safes: FundSafes, tmp_path: Path) -> AsyncIterator[SignerClient]:
    path = safe_policy(fund, fund_safes, tmp_path)
    async with running_signer(path, new_ledger=True):
        yield signer_client(path)


def call(fund: TestFund, function: str, *args: Any) -> Call:
    return Call(fund.addresses.asset_controller, CONTROLLER.encode_call(function, *args))


def allocate(fund: TestFund, usdt: int) -> Call:
    return call(fund, "allocateToLayer", 1, usdt * WAD)


def execute(fund: TestFund, safe: Address, what: SafeTransaction, *, nonce: int = 0, **changes: Any) -> SignRequest:
    signatures = pack_signatures([signature_by_key(owner_account(1), what, SafeScope(31337, safe))])
    unsigned = transaction(fund, "settleRedemption", 1, call=build_execution_call(safe, what, signatures), nonce=nonce)
    return replace(sign_request(fund, "keeper", replace(unsigned, gas_limit=1_500_000)), **changes)


def plan(fund: TestFund, safes: FundSafes, *calls: Call, safe: Address | None = None, nonce: int = 0) -> SignRequest:
    return execute(
        fund, safe or safes.warm, build_safe_transaction(calls, 0, multi_send=safes.safe_factory.multi_send), nonce=nonce
    )


async def test_warm_safe_execution_is_signed_for_its_functions(
    fund: TestFund, fund_safes: FundSafes, keeper: SignerClient
) -> None:
    assert await keeper.sign(plan(fund, fund_safes, allocate(fund, 1)))
    waterfall = call(fund, "executeWaterfallLiquidation", WAD, 1)
    assert await keeper.sign(plan(fund, fund_safes, allocate(fund, 1), waterfall))
    assert await keeper.sign(execute(fund, fund_safes.warm, rejection_transaction(0, fund_safes.warm)))


async def test_otc_payment_counts_for_its_amount_and_needs_its_order(
    fund: TestFund, fund_safes: FundSafes, keeper: SignerClient
) -> None:
    token, counterparty = fund.asset("MMFA").address, fund.deployment.otc_counterparty
    create = call(fund, "createOTCOrder", token, 60_000 * WAD, 60_000 * WAD, counterparty, 86_400)
    pay = call(fund, "executeOTCPayment", 1)
    assert await refusal_code(keeper, plan(fund, fund_safes, create, pay)) == "UNKNOWN_CALL", (
        "the amount is unknown before the order exists"
    )
    assert await keeper.sign(plan(fund, fund_safes, create))
    fund.send("hot", "AssetController", "createOTCOrder", token, 60_000 * WAD, 60_000 * WAD, counterparty, 86_400)
    fund.wait_until_final()
    assert await refusal_code(keeper, plan(fund, fund_safes, pay, allocate(fund, 40_000), nonce=1)) == "LIMIT_EXCEEDED"
    assert await keeper.sign(plan(fund, fund_safes, pay, allocate(fund, 39_999), nonce=1))
    assert await keeper.sign(plan(fund, fund_safes, call(fund, "confirmOTCDelivery", 1, WAD), nonce=2)), "it moves no USDT"


async def test_buffer_rebalance_counts_what_earlier_calls_take_from_it(
    fund: TestFund, fund_safes: FundSafes, keeper: SignerClient
) -> None:
    has = fund.read("AssetController", "getBufferPoolInfo")["ratio"]
    fund.send("ada", "AssetController", "setLayerConfig", 0, has, 1, 9_999)  # so that it is nearly at its target
    fund.wait_until_final()
    fill = call(fund, "rebalanceBuffer")
    assert await keeper.sign(plan(fund, fund_safes, fill, allocate(fund, 60_000)))
    assert await refusal_code(keeper, plan(fund, fund_safes, allocate(fund, 60_000), fill)) == "LIMIT_EXCEEDED"


@pytest.mark.parametrize("usdt", [[99_999], [50_000, 49_999]])
async def test_safe_plan_is_signed_below_its_limit(
    fund: TestFund, fund_safes: FundSafes, keeper: SignerClient, usdt: list[int]
) -> None:
    assert await keeper.sign(plan(fund, fund_safes, *(allocate(fund, amount) for amount in usdt)))


@pytest.mark.parametrize("usdt", [[100_000], [50_000, 50_000], [1] * 4 + [99_996]])
async def test_safe_plan_is_refused_at_its_limit_in_every_split(
    fund: TestFund, fund_safes: FundSafes, keeper: SignerClient, usdt: list[int]
) -> None:
    request = plan(fund, fund_safes, *(allocate(fund, amount) for amount in usdt))
    assert await refusal_code(keeper, request) == "LIMIT_EXCEEDED"


async def test_safe_plans_share_a_day_limit(fund: TestFund, fund_safes: FundSafes, keeper: SignerClient) -> None:
    assert await keeper.sign(plan(fund, fund_safes, allocate(fund, 90_000), nonce=0))
    assert await refusal_code(keeper, plan(fund, fund_safes, allocate(fund, 60_001), nonce=1)) == "LIMIT_EXCEEDED"
    assert await keeper.sign(plan(fund, fund_safes, allocate(fund, 60_000), nonce=1))
    assert await keeper.sign(plan(fund, fund_safes, allocate(fund, 10**6), safe=fund_safes.cold, nonce=2)), "cold has none"


async def test_cold_safe_may_call_every_contract_of_the_fund(
    fund: TestFund, fund_safes: FundSafes, keeper: SignerClient
) -> None:
    pause = Call(fund.addresses.vault, load_abi("Vault").encode_call("pause"))
    assert await keeper.sign(plan(fund, fund_safes, pause, call(fund, "collectFees"), safe=fund_safes.cold))
    assert await refusal_code(keeper, plan(fund, fund_safes, pause)) == "FUNCTION_NOT_ALLOWED"
    assert (
        await refusal_code(keeper, plan(fund, fund_safes, allocate(fund, 1), call(fund, "collectFees")))
        == "FUNCTION_NOT_ALLOWED"
    )


@pytest.mark.parametrize("name", ["warm", "cold"])
async def test_safe_execution_is_refused_for_foreign_code_contracts_and_value(
    fund: TestFund, fund_safes: FundSafes, keeper: SignerClient, name: str
) -> None:
    safe = fund_safes.warm if name == "warm" else fund_safes.cold
    good = allocate(fund, 1)
    foreign = SafeTransaction(Call(STRANGER, encode_batch([good])), SafeOperation.DELEGATECALL, 0)
    spoilt_batch = SafeTransaction(
        Call(fund_safes.safe_factory.multi_send, encode_batch([good])[:-1]), SafeOperation.DELEGATECALL, 0
    )
    own_rules = Call(safe, SAFE_ABI.encode_call("changeThreshold", 1))
    cases = {
        "DELEGATECALL_NOT_ALLOWED": execute(fund, safe, foreign),
        "UNKNOWN_CALL": execute(fund, safe, spoilt_batch),
        "WRONG_CONTRACT": plan(fund, fund_safes, good, Call(STRANGER, good.data), safe=safe),
        "VALUE_NOT_ZERO": plan(fund, fund_safes, replace(good, value_wei=RawAmount(1)), safe=safe),
    }
    for code, request in cases.items():
        assert await refusal_code(keeper, request) == code
    assert await refusal_code(keeper, plan(fund, fund_safes, own_rules, safe=safe)) == "WRONG_CONTRACT"
    assert await refusal_code(keeper, plan(fund, fund_safes, Call(good.to, good.data + b"\0"), safe=safe)) == "UNKNOWN_CALL"


@pytest.mark.parametrize("field", range(4, 9))
async def test_safe_execution_is_refused_when_it_pays_the_executor(
    fund: TestFund, fund_safes: FundSafes, keeper: SignerClient, field: int
) -> None:
    good = allocate(fund, 1)
    values: list[Any] = [checksum(good.to), 0, good.data, 0, 0, 0, 0, checksum(ZERO_ADDRESS), checksum(ZERO_ADDRESS), b""]
    values[field] = checksum(STRANGER) if field >= 7 else 1
    unsigned = transaction(
        fund, "settleRedemption", 1, call=Call(fund_safes.warm, SAFE_ABI.encode_call("execTransaction", *values))
    )
    assert await refusal_code(keeper, sign_request(fund, "keeper", unsigned)) == "PAYS_EXECUTOR"


async def test_only_the_executing_key_executes_for_the_safes_of_the_policy(
    fund: TestFund, fund_safes: FundSafes, keeper: SignerClient
) -> None:
    good = plan(fund, fund_safes, allocate(fund, 1))
    approver = parse_address(fund.accounts.address("approver"))
    assert await refusal_code(keeper, replace(good, wallet=approver)) == "FUNCTION_NOT_ALLOWED"
    other_safe = fund_safes.inner["pair"]
    assert await refusal_code(keeper, plan(fund, fund_safes, allocate(fund, 1), safe=other_safe)) == "WRONG_CONTRACT"
    owners = transaction(fund, "settleRedemption", 1, call=Call(fund_safes.warm, SAFE_ABI.encode_call("changeThreshold", 1)))
    assert await refusal_code(keeper, sign_request(fund, "keeper", owners)) == "UNKNOWN_CALL"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"plan_limit": None}, "together"),
        ({"functions": None}, "together"),
        ({"functions": frozenset({SignableFunction.APPROVE})}, "no other functions"),
    ],
)
def test_policy_states_all_limits_of_a_safe_or_none(change: dict[str, Any], message: str) -> None:
    fields: dict[str, Any] = {
        "name": "warm",
        "address": STRANGER,
        "functions": SAFE_MONEY_FUNCTIONS,
        "plan_limit": 1,
        "day_limit": 1,
    }
    with pytest.raises(ValueError, match=message):
        SafeTable(**fields | change)


async def test_limits_of_a_safe_need_one_signer_or_leases(fund: TestFund, fund_safes: FundSafes, tmp_path: Path) -> None:
    """The ledger counts what the Safe moves, so a second ledger would give the Safe's limits again."""
    path = safe_policy(fund, fund_safes, tmp_path)
    policy = load_policy(path)
    changes = {"keys": policy.keys[:2], "plan_signers": ()}
    write_policy(path, policy.model_copy(update=changes))
    load_policy(path)
    write_policy(path, policy.model_copy(update={**changes, "only_signer": False}))
    with pytest.raises(PolicyError, match="state only_signer = true"):
        load_policy(path)


async def test_policy_is_refused_with_two_limited_safes(fund: TestFund, fund_safes: FundSafes, tmp_path: Path) -> None:
    path = safe_policy(fund, fund_safes, tmp_path)
    policy = load_policy(path)
    second = policy.safes[0].model_copy(update={"name": "second", "address": STRANGER})
    write_policy(path, policy.model_copy(update={"safes": (*policy.safes, second)}))
    with pytest.raises(PolicyError, match="at most one Safe has limits"):
        load_policy(path)


async def test_signer_does_not_start_when_a_safe_has_no_contract(fund: TestFund, fund_safes: FundSafes, tmp_path: Path) -> None:
    path = safe_policy(fund, fund_safes, tmp_path)
    policy = load_policy(path)
    write_policy(path, policy.model_copy(update={"safes": (SafeTable(name="cold", address=STRANGER),)}))
    with pytest.raises(SignerStartupError, match="no contract"):
        async with running_signer(path, new_ledger=True):
            pass
