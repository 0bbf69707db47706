"""What endpoints, an old ledger and a second signer can do to the signer's limits: nothing that a majority does not show.

Before, one node with a high count and null receipts emptied the spend ledger, and an old copy of it gave a new day.
"""

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr
from tests.support.chain.fund import TestFund
from tests.support.faults.false_endpoint import FalseEndpoint, FalseResult, false_endpoints
from tests.support.scenarios.setup import signed_transaction
from tests.support.signing import (
    approval_request,
    make_policy,
    make_vote,
    refusal_code,
    sign_plan_document,
    sign_request,
    signer_client,
    transaction,
)

from paimon.domain.kernel.chain import hex0x, parse_address
from paimon.domain.kernel.units import WAD
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.signing import SignedTransaction, SignRequest
from paimon.gateway.signer.agreed_chain import AgreedChain, ChainNotRead
from paimon.gateway.signer.policy import load_policy
from paimon.gateway.signer.process import SignerStartupError, running_signer
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.finality import chain_adapter
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.keys.client import SignerUnavailable

pytestmark = pytest.mark.fault

CONTROLLER = load_abi("AssetController")
VIP_ROLE_SELECTOR = load_abi("RedemptionManager").functions["hasRole"].selector


@pytest.fixture
async def endpoints(fund: TestFund) -> AsyncIterator[list[FalseEndpoint]]:
    async with false_endpoints(fund.rpc_url, 3) as opened:
        yield opened


def policy_over(fund: TestFund, folder: Path, endpoints: list[FalseEndpoint]) -> Path:
    first, *others = (SecretStr(endpoint.url) for endpoint in endpoints)
    return make_policy(fund, folder, names=("keeper", "approver", "hot"), rpc_url=first, extra_rpc_urls=tuple(others))


def buy(fund: TestFund, usdt: int, *, nonce: int) -> SignRequest:
    token = bytes.fromhex(fund.asset("MMFA").address[2:])
    call = Call(fund.addresses.asset_controller, CONTROLLER.encode_call("purchaseAsset", token, usdt * WAD))
    unsigned = transaction(fund, "settleRedemption", 1, call=call, nonce=nonce, gas_limit=1_500_000)
    return replace(sign_request(fund, "hot", unsigned), plan=sign_plan_document(fund, call))


def count(fund: TestFund, name: str = "hot") -> int:
    return int(fund.node.rpc.call("eth_getTransactionCount", fund.accounts.address(name), "latest"), 16)


def mine(fund: TestFund, signed: SignedTransaction) -> None:
    fund.node.rpc.call("eth_sendRawTransaction", hex0x(signed.raw))
    fund.mine(1)
    fund.wait_until_final()


def _high_count(_call: dict[str, Any], _truth: Any) -> str:
    return hex(10**6)


_FALSE_RECEIPTS: Final[dict[str, dict[str, FalseResult]]] = {
    "a high count, and no receipts": {
        "eth_getTransactionCount": _high_count,
        "eth_getTransactionReceipt": lambda call, truth: None,
    },
    "what was mined has reverted": {"eth_getTransactionReceipt": lambda call, truth: truth and truth | {"status": "0x0"}},
}


@pytest.mark.parametrize("false_results", _FALSE_RECEIPTS.values(), ids=_FALSE_RECEIPTS)
async def test_one_false_endpoint_takes_no_spend_back(
    fund: TestFund, tmp_path: Path, endpoints: list[FalseEndpoint], false_results: dict[str, FalseResult]
) -> None:
    """Its answers are the first that the signer has about these spends."""
    policy, first = policy_over(fund, tmp_path, endpoints), count(fund)
    async with running_signer(policy, new_ledger=True):
        hot = signer_client(policy)
        for offset in range(2):
            mine(fund, await hot.sign(buy(fund, 9_999, nonce=first + offset)))
        endpoints[0].false_results = false_results
        assert await refusal_code(hot, buy(fund, 9_999, nonce=first + 2)) == "LIMIT_EXCEEDED"


async def test_single_endpoint_takes_no_spend_back(fund: TestFund, tmp_path: Path, endpoints: list[FalseEndpoint]) -> None:
    policy, first = policy_over(fund, tmp_path, endpoints[:1]), count(fund)
    async with running_signer(policy, new_ledger=True):
        hot = signer_client(policy)
        for offset in range(2):
            mine(fund, await hot.sign(buy(fund, 9_999, nonce=first + offset)))
        endpoints[0].false_results = _FALSE_RECEIPTS["what was mined has reverted"]
        assert await refusal_code(hot, buy(fund, 9_999, nonce=first + 2)) == "LIMIT_EXCEEDED"


async def test_receipts_that_no_endpoint_has_take_no_spend_back(
    fund: TestFund, tmp_path: Path, endpoints: list[FalseEndpoint]
) -> None:
    """They agree, as after all of them pruned: that a nonce is used proves nothing of what used it."""
    policy, first = policy_over(fund, tmp_path, endpoints), count(fund)
    for endpoint in endpoints:
        endpoint.false_results = {"eth_getTransactionReceipt": lambda call, truth: None}
    async with running_signer(policy, new_ledger=True):
        hot = signer_client(policy)
        for offset in range(2):
            mine(fund, await hot.sign(buy(fund, 9_999, nonce=first + offset)))
        assert await refusal_code(hot, buy(fund, 9_999, nonce=first + 2)) == "LIMIT_EXCEEDED"


async def test_endpoints_without_a_majority_sign_nothing(
    fund: TestFund, tmp_path: Path, endpoints: list[FalseEndpoint], pending_request_id: int
) -> None:
    """Two of three must agree: two that contradict the third and one another leave none."""
    policy = policy_over(fund, tmp_path, endpoints)
    request = approval_request(fund, pending_request_id, make_vote(fund, "vera", pending_request_id))
    async with running_signer(policy, new_ledger=True):
        signer = signer_client(policy)
        endpoints[0].false_results = {"eth_call": lambda call, truth: None if truth is None else truth[:-1] + "e"}
        await signer.sign(request)
        endpoints[1].false_results = {"eth_call": lambda call, truth: None if truth is None else truth[:-1] + "d"}
        with pytest.raises(SignerUnavailable, match="contradict"):
            await signer.sign(request)
        endpoints[0].false_results, endpoints[1].false_results = {}, {"eth_getTransactionCount": lambda call, truth: hex(7)}
        await signer.sign(request)


async def test_answer_without_a_value_needs_a_majority_too(fund: TestFund, endpoints: list[FalseEndpoint]) -> None:
    async with AsyncExitStack() as stack:
        nodes = [Rpc(endpoint.url, timeout_seconds=10, attempts_max=1) for endpoint in endpoints]
        contracts = [FundContracts(await stack.enter_async_context(node), fund.addresses) for node in nodes]
        chain = AgreedChain(contracts, chain_adapter(31337))

        async def nothing(_asked: FundContracts) -> None:
            return None

        async def nothing_of_the_first(asked: FundContracts) -> str | None:
            return None if asked is contracts[0] else asked.rpc.endpoint

        await chain.read(nothing)
        with pytest.raises(ChainNotRead, match="contradict"):
            await chain.read(nothing_of_the_first)


async def test_one_endpoint_makes_no_stranger_a_voter(
    fund: TestFund, tmp_path: Path, endpoints: list[FalseEndpoint], pending_request_id: int
) -> None:
    def every_role_is_held(call: dict[str, Any], truth: Any) -> Any:
        asked = call["params"][0]["data"]
        return "0x" + "01".rjust(64, "0") if asked.startswith("0x" + VIP_ROLE_SELECTOR.hex()) else truth

    policy = policy_over(fund, tmp_path, endpoints)
    async with running_signer(policy, new_ledger=True):
        by_willa = approval_request(fund, pending_request_id, make_vote(fund, "willa", pending_request_id))
        for endpoint in endpoints:  # the first as the last: the order of the answers decides nothing
            endpoint.false_results = {"eth_call": every_role_is_held}
            assert await refusal_code(signer_client(policy), by_willa) == "VOTER_LACKS_ROLE"
            endpoint.false_results = {}


async def test_signer_works_while_one_of_three_endpoints_is_away(
    fund: TestFund, tmp_path: Path, endpoints: list[FalseEndpoint]
) -> None:
    policy = policy_over(fund, tmp_path, endpoints)
    policy.write_text(policy.read_text().replace(endpoints[1].url, "http://127.0.0.1:1/"))
    async with running_signer(policy, new_ledger=True):
        await signer_client(policy).sign(buy(fund, 100, nonce=count(fund)))


def copy_ledger(policy: Path, to: Path) -> Path:
    return Path(shutil.copy2(load_policy(policy).ledger, to))


async def start_refusal(policy: Path) -> str:
    with pytest.raises(SignerStartupError) as refused:
        async with running_signer(policy):
            pass
    return str(refused.value)


async def test_old_copy_of_the_ledger_is_refused(fund: TestFund, tmp_path: Path, endpoints: list[FalseEndpoint]) -> None:
    policy, first = policy_over(fund, tmp_path, endpoints), count(fund)
    ledger, counter = load_policy(policy).ledger, load_policy(policy).counter
    async with running_signer(policy, new_ledger=True):
        await signer_client(policy).sign(buy(fund, 9_999, nonce=first))
    old_ledger, old_counter = copy_ledger(policy, tmp_path / "old"), shutil.copy2(counter, tmp_path / "old-counter")
    async with running_signer(policy):
        signed = await signer_client(policy).sign(buy(fund, 9_999, nonce=first + 1))
        mine(fund, await signer_client(policy).sign(buy(fund, 1, nonce=first)))
        mine(fund, signed)
    shutil.copy2(old_ledger, ledger)
    assert "is an old copy" in await start_refusal(policy)
    shutil.copy2(old_counter, counter)  # both put back: the chain still knows better
    async with running_signer(policy):
        hot = signer_client(policy)
        assert await refusal_code(hot, buy(fund, 9_999, nonce=first + 2)) == "KEY_USED_ELSEWHERE"
        settle = sign_request(fund, "keeper", transaction(fund, "settleRedemption", 1, nonce=count(fund, "keeper")))
        await hot.sign(settle), "what moves no money goes on"
    counter.unlink()
    assert "is missing" in await start_refusal(policy)
    counter.write_text("{}")
    counter.chmod(0o600)
    assert "no counter" in await start_refusal(policy)


async def test_ledger_and_counter_put_back_are_refused_before_finality(
    fund: TestFund, tmp_path: Path, endpoints: list[FalseEndpoint]
) -> None:
    """The key's newest transaction is mined and not final. Until it is, the old copies would give the day's limit again."""
    policy, first = policy_over(fund, tmp_path, endpoints), count(fund)
    ledger, counter = load_policy(policy).ledger, load_policy(policy).counter
    async with running_signer(policy, new_ledger=True):
        pass
    old_ledger, old_counter = copy_ledger(policy, tmp_path / "old"), shutil.copy2(counter, tmp_path / "old-counter")
    with fund.stopped_mining():
        async with running_signer(policy):
            signed = await signer_client(policy).sign(buy(fund, 9_999, nonce=first))
        fund.node.rpc.call("eth_sendRawTransaction", hex0x(signed.raw))
        fund.mine(1)
        shutil.copy2(old_ledger, ledger)
        shutil.copy2(old_counter, counter)
        async with running_signer(policy):
            code = await refusal_code(signer_client(policy), buy(fund, 9_999, nonce=first + 1))
    assert code == "KEY_USED_ELSEWHERE"


async def test_crash_between_ledger_and_counter_is_no_old_copy(
    fund: TestFund, tmp_path: Path, endpoints: list[FalseEndpoint]
) -> None:
    policy, first = policy_over(fund, tmp_path, endpoints), count(fund)
    counter = load_policy(policy).counter
    async with running_signer(policy, new_ledger=True):
        before = counter.read_text()
        await signer_client(policy).sign(buy(fund, 9_999, nonce=first))
    after = counter.read_text()
    counter.write_text(before)
    async with running_signer(policy):
        assert counter.read_text() == after, "the ledger is right, and the counter follows"


async def test_second_signer_with_the_same_key_ends_the_first_ones_movements(
    fund: TestFund, tmp_path: Path, endpoints: list[FalseEndpoint]
) -> None:
    """Each has a ledger of its own, so that together they would spend two days' limits."""
    policy, first = policy_over(fund, tmp_path, endpoints), count(fund)
    (tmp_path / "other").mkdir()
    names = {"ledger": "ledger", "counter": "counter", "socket": "socket"}
    other = make_policy(
        fund, tmp_path / "other", names=("hot",), **{field: tmp_path / "other" / name for field, name in names.items()}
    )
    async with running_signer(policy, new_ledger=True), running_signer(other, new_ledger=True):
        mine(fund, await signer_client(policy).sign(buy(fund, 9_999, nonce=first)))
        code = await refusal_code(signer_client(other), buy(fund, 9_999, nonce=first + 1))
        assert code == "KEY_USED_ELSEWHERE"
        mine(fund, await signer_client(policy).sign(buy(fund, 9_999, nonce=first + 1)))


async def test_new_ledger_knows_what_was_mined_before_it(
    fund: TestFund, tmp_path: Path, endpoints: list[FalseEndpoint]
) -> None:
    """The key's newest transaction is not final yet when the ledger is made."""
    policy, first = policy_over(fund, tmp_path, endpoints), count(fund)
    raw = signed_transaction(fund, "hot", fund.accounts.address("hot"))
    fund.node.rpc.call("eth_sendRawTransaction", raw)
    fund.mine(1)
    async with running_signer(policy, new_ledger=True):
        fund.wait_until_final()
        await signer_client(policy).sign(buy(fund, 9_999, nonce=first + 1))


async def test_stranger_with_the_key_ends_the_signers_movements(
    fund: TestFund, tmp_path: Path, endpoints: list[FalseEndpoint]
) -> None:
    policy, first = policy_over(fund, tmp_path, endpoints), count(fund)
    async with running_signer(policy, new_ledger=True):
        account = fund.accounts.account("hot")
        raw = signed_transaction(fund, "hot", account.address)
        fund.node.rpc.call("eth_sendRawTransaction", raw)
        fund.mine(1)
        fund.wait_until_final()
        assert await refusal_code(signer_client(policy), buy(fund, 1, nonce=first + 1)) == "KEY_USED_ELSEWHERE"
        own = transaction(fund, "settleRedemption", 1, call=Call(parse_address(account.address), b""), nonce=first + 1)
        await signer_client(policy).sign(sign_request(fund, "hot", own)), "a nonce can still be used up"
