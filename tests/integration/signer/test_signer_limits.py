"""The hot key moves money below the plan limit and up to the day limit. The application cannot change them."""

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.chain.fund import TestFund
from tests.support.signing import (
    PLAN_LIMIT,
    make_policy,
    refusal_code,
    second_opinion,
    sign_plan_document,
    sign_request,
    signer_client,
    transaction,
)

from paimon.domain.kernel.chain import hex0x, parse_address
from paimon.domain.kernel.units import WAD
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.signing import SignedTransaction, SignRequest
from paimon.gateway.signer.policy import load_policy
from paimon.gateway.signer.process import SignerStartupError, running_signer
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi
from paimon.infrastructure.keys.client import SignerClient

pytestmark = pytest.mark.integration

CONTROLLER = load_abi("AssetController")


@pytest.fixture
def hot_policy(fund: TestFund, tmp_path: Path) -> Path:
    return make_policy(fund, tmp_path, names=("keeper", "hot"), extra_rpc_urls=second_opinion(fund))


@pytest.fixture
async def hot(hot_policy: Path) -> AsyncIterator[SignerClient]:
    async with running_signer(hot_policy, new_ledger=True):
        yield signer_client(hot_policy)


def call(fund: TestFund, function: str, *args: Any) -> Call:
    return Call(fund.addresses.asset_controller, CONTROLLER.encode_call(function, *args))


def move(fund: TestFund, function: str, *args: Any, nonce: int = 0, plan: str | None = None) -> SignRequest:
    unsigned = transaction(fund, "settleRedemption", 1, call=call(fund, function, *args), nonce=nonce, gas_limit=1_500_000)
    return replace(sign_request(fund, "hot", unsigned), plan=sign_plan_document(fund, unsigned.call, plan=plan))


def buy(fund: TestFund, usdt: int, *, nonce: int = 0, plan: str | None = None) -> SignRequest:
    return move(fund, "purchaseAsset", bytes.fromhex(fund.asset("MMFA").address[2:]), usdt * WAD, nonce=nonce, plan=plan)


def first_nonce(fund: TestFund) -> int:
    return int(fund.node.rpc.call("eth_getTransactionCount", fund.accounts.address("hot"), "latest"), 16)


def mine(fund: TestFund, signed: SignedTransaction) -> bool:
    """Broadcast the transaction, wait until it is final, and return whether it succeeded."""
    fund.node.rpc.call("eth_sendRawTransaction", hex0x(signed.raw))
    fund.mine(1)
    fund.wait_until_final()
    return bool(fund.node.rpc.call("eth_getTransactionReceipt", hex0x(signed.hash))["status"] == "0x1")


async def test_purchase_is_signed_and_takes_effect_below_the_limit(hot: SignerClient, fund: TestFund) -> None:
    token = bytes.fromhex(fund.asset("MMFA").address[2:])
    before = fund.read("AssetController", "getLayerValue", 1)
    signed = await hot.sign(move(fund, "purchaseAsset", token, 5_000 * WAD, nonce=first_nonce(fund)))
    assert mine(fund, signed)
    assert fund.read("AssetController", "getLayerValue", 1) > before


async def test_plan_is_refused_at_its_limit(hot: SignerClient, fund: TestFund) -> None:
    assert await refusal_code(hot, buy(fund, PLAN_LIMIT)) == "LIMIT_EXCEEDED"
    await hot.sign(buy(fund, PLAN_LIMIT - 1))


async def test_plan_counts_as_the_sum_of_its_calls(hot: SignerClient, fund: TestFund) -> None:
    await hot.sign(buy(fund, 6_000, nonce=1, plan="plan-1"))
    assert await refusal_code(hot, buy(fund, 4_000, nonce=2, plan="plan-1")) == "LIMIT_EXCEEDED"
    await hot.sign(buy(fund, 4_000, nonce=2, plan="plan-2"))


async def test_day_limit_holds_after_a_restart_of_the_signer(hot_policy: Path, fund: TestFund) -> None:
    async with running_signer(hot_policy, new_ledger=True):
        for nonce in range(3):
            await signer_client(hot_policy).sign(buy(fund, 8_000, nonce=nonce))
    async with running_signer(hot_policy):
        hot = signer_client(hot_policy)
        assert await refusal_code(hot, buy(fund, 1_001, nonce=3)) == "LIMIT_EXCEEDED"
        await hot.sign(buy(fund, 8_500, nonce=1))  # replaces nonce 1 and counts 500 more
        await hot.sign(buy(fund, 500, nonce=3))
        assert await refusal_code(hot, buy(fund, 1, nonce=4)) == "LIMIT_EXCEEDED"


async def test_reverted_or_replaced_transaction_stops_counting_once_final(hot: SignerClient, fund: TestFund) -> None:
    nonce = first_nonce(fund)
    reverting = move(fund, "purchaseAsset", fund.addresses.vault, 9_000 * WAD, nonce=nonce)  # no asset of the fund: reverts
    replaced = buy(fund, 9_000, nonce=nonce + 1)
    own = parse_address(fund.accounts.address("hot"))
    cancel = sign_request(fund, "hot", transaction(fund, "settleRedemption", 1, nonce=nonce + 1, call=Call(own, b"")))
    reverted = await hot.sign(reverting)
    await hot.sign(replaced)
    assert await refusal_code(hot, buy(fund, 9_000, nonce=nonce + 2)) == "LIMIT_EXCEEDED"
    assert not mine(fund, reverted)
    assert mine(fund, await hot.sign(cancel))
    for later in (nonce + 2, nonce + 3):
        await hot.sign(buy(fund, 9_000, nonce=later))
    assert await refusal_code(hot, buy(fund, 9_000, nonce=nonce + 4)) == "LIMIT_EXCEEDED", "the two count now"


async def test_unmined_transaction_counts_for_months_until_its_nonce_is_used(hot_policy: Path, fund: TestFund) -> None:
    """A signed transaction does not expire on chain: who has its bytes can still send it."""
    nonce, own = first_nonce(fund), parse_address(fund.accounts.address("hot"))
    async with running_signer(hot_policy, new_ledger=True):
        for unmined in (nonce, nonce + 1):
            await signer_client(hot_policy).sign(buy(fund, 9_000, nonce=unmined))
    with sqlite3.connect(load_policy(hot_policy).ledger) as ledger:
        ledger.execute("UPDATE signed_transactions SET signed_at = '2020-01-01T00:00:00.000000+00:00'")
    ledger.close()
    async with running_signer(hot_policy):
        hot = signer_client(hot_policy)
        assert await refusal_code(hot, buy(fund, 9_000, nonce=nonce + 2)) == "LIMIT_EXCEEDED"
        unsigned = transaction(fund, "settleRedemption", 1, nonce=nonce, call=Call(own, b""))
        assert mine(fund, await hot.sign(sign_request(fund, "hot", unsigned)))
        await hot.sign(buy(fund, 9_000, nonce=nonce + 2))


async def test_sale_counts_for_its_tokens_at_the_oracle_price(hot: SignerClient, fund: TestFund) -> None:
    asset = fund.asset("oTBILL")
    token = bytes.fromhex(asset.address[2:])
    price = fund.read("OracleAdapter", "getPrice", asset.address)
    just_below = (PLAN_LIMIT * WAD - 1) * 10**asset.decimals // price
    await hot.sign(move(fund, "redeemAsset", token, just_below, nonce=1))
    assert await refusal_code(hot, move(fund, "redeemAsset", token, just_below + 2, nonce=2)) == "LIMIT_EXCEEDED"
    assert await refusal_code(hot, move(fund, "redeemAsset", fund.addresses.vault, 1, nonce=2)) == "UNKNOWN_CALL"


async def test_buffer_rebalance_counts_for_its_distance_from_the_target(hot: SignerClient, fund: TestFund) -> None:
    pool = fund.read("AssetController", "getBufferPoolInfo")
    assert abs(pool["total"] - pool["target"]) > PLAN_LIMIT * WAD, "the test fund's buffer is far from its target"
    assert await refusal_code(hot, move(fund, "rebalanceBuffer")) == "LIMIT_EXCEEDED"


async def test_allocation_counts_for_its_amount(hot: SignerClient, fund: TestFund) -> None:
    assert await refusal_code(hot, move(fund, "allocateToLayer", 1, PLAN_LIMIT * WAD)) == "LIMIT_EXCEEDED"
    await hot.sign(move(fund, "allocateToLayer", 1, 1_000 * WAD))


@pytest.mark.parametrize(
    ("function", "args"),
    [
        ("executeWaterfallLiquidation", (WAD, 1)),
        ("executeOTCPayment", (1,)),
        ("compoundYield", ()),
        ("collectFees", ()),
        ("setFeeRecipient", (bytes(20),)),
    ],
)
async def test_other_functions_of_the_controller_are_refused(
    hot: SignerClient, fund: TestFund, function: str, args: tuple[Any, ...]
) -> None:
    assert await refusal_code(hot, move(fund, function, *args)) == "FUNCTION_NOT_ALLOWED"


async def test_keeper_may_not_move_money(hot: SignerClient, fund: TestFund) -> None:
    request = replace(buy(fund, 1), wallet=parse_address(fund.accounts.address("keeper")))
    assert await refusal_code(hot, request) == "FUNCTION_NOT_ALLOWED"


async def test_spend_is_on_disk_when_its_signature_is_returned(hot: SignerClient, hot_policy: Path, fund: TestFund) -> None:
    signed = await hot.sign(buy(fund, 1_234))
    with sqlite3.connect(load_policy(hot_policy).ledger) as ledger:
        assert ledger.execute("SELECT hash, amount FROM signed_transactions").fetchall() == [(signed.hash, str(1_234 * WAD))]


async def test_signer_needs_its_ledger_to_start_and_never_overwrites_it(hot_policy: Path) -> None:
    async def start(*, new: bool) -> str:
        with pytest.raises(SignerStartupError) as refused:
            async with running_signer(hot_policy, new_ledger=new):
                pass
        return str(refused.value)

    ledger = load_policy(hot_policy).ledger
    assert "--new-ledger" in await start(new=False)
    assert not ledger.exists()
    async with running_signer(hot_policy, new_ledger=True):
        pass
    assert (refusal := await start(new=True)).startswith(f"{ledger} exists")
    assert "start without `--new-ledger`" in refusal
    ledger.chmod(0o644)
    assert "chmod 600" in await start(new=False)
    ledger.chmod(0o600)
    ledger.write_bytes(b"this is not a database file" * 40)
    assert "no spend ledger" in await start(new=False)


async def test_ledger_that_cannot_be_made_is_named_and_leaves_nothing(fund: TestFund, tmp_path: Path) -> None:
    """The counter is better on another disk, whose folder may not be there."""
    folder = tmp_path / "other-disk"
    policy = make_policy(fund, tmp_path, counter=folder / "spend.counter")
    with pytest.raises(SignerStartupError, match=r"cannot make the spend ledger .*other-disk/spend\.counter.*No such file"):
        async with running_signer(policy, new_ledger=True):
            pass
    folder.mkdir()
    async with running_signer(policy, new_ledger=True):
        pass


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (f"plan_limit = {PLAN_LIMIT}\n", "", "needs plan_limit and day_limit"),
        ('functions = ["settleRedemption"', 'plan_limit = 1\nday_limit = 1\nfunctions = ["settleRedemption"', "has no limits"),
        (f"plan_limit = {PLAN_LIMIT}", "plan_limit = 0", "plan_limit"),
    ],
)
async def test_policy_requires_limits_exactly_where_a_key_moves_money(
    fund: TestFund, tmp_path: Path, old: str, new: str, named: str
) -> None:
    policy = make_policy(fund, tmp_path, names=("keeper", "hot"))
    assert old in policy.read_text()
    policy.write_text(policy.read_text().replace(old, new))
    with pytest.raises(SignerStartupError, match=named):
        async with running_signer(policy):
            pass
