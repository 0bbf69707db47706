"""What the chain says first: done by others, taken back, not due, unfunded; and nonces that others used."""

from collections.abc import Sequence
from typing import Any

import pytest
from eth_account import Account
from tests.support.chain.fund import DAY
from tests.support.scenarios.sending import SMALL, SendingHarness, stopped_mining

from paimon.application.transactions.driver.broadcast import send_unacknowledged
from paimon.application.transactions.driver.prepare import prepare_next
from paimon.application.transactions.queries import (
    list_wallets,
)
from paimon.domain.approval.ticket import Verdict
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.domain.redemption.request import OnChainStatus
from paimon.domain.transaction.lifecycle import AttemptStatus, IntentStatus, WalletName
from paimon.infrastructure.blockchain.rpc.endpoint import Request
from paimon.infrastructure.blockchain.rpc.pool import Rpc

pytestmark = pytest.mark.integration


async def test_what_someone_else_settled_is_not_sent(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    harness.fund.send("otto", "RedemptionManager", "settleRedemption", request_id)
    harness.fund.wait_until_final()
    await harness.drive(harness.keeper)
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.SATISFIED_EXTERNALLY
    assert intent.attempts == ()
    assert "SETTLED" in str(intent.reason)


async def test_losing_the_race_in_the_block_is_satisfied_elsewhere_too(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    with stopped_mining(harness.fund):
        await prepare_next(harness.context(), harness.keeper)  # simulated and signed: nothing was wrong yet
        harness.fund.send("otto", "RedemptionManager", "settleRedemption", request_id)
        await send_unacknowledged(harness.context(), harness.keeper)
    await harness.drive_until_idle(harness.keeper)
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.SATISFIED_EXTERNALLY
    assert intent.attempts[0].succeeded is False
    assert harness.nonce_on_chain(harness.keeper) == before + 1


async def test_a_request_its_owner_took_back_is_cancelled(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    harness.fund.send("ines", "RedemptionManager", "cancelRedemption", request_id)
    harness.fund.wait_until_final()
    await harness.drive(harness.keeper)
    assert (await harness.intent(request_id)).status is IntentStatus.CANCELLED


async def test_a_revert_on_chain_without_the_effect_is_reverted_with_its_reason(harness: SendingHarness) -> None:
    request_id = harness.request_awaiting_approval()
    await harness.queue_decision(request_id, Verdict.APPROVE)
    role = harness.fund.read("RedemptionManager", "VIP_APPROVER_ROLE")
    with stopped_mining(harness.fund):
        await prepare_next(harness.context(), harness.approver)
        harness.fund.send("ada", "RedemptionManager", "revokeRole", role, checksum(harness.approver))
        await send_unacknowledged(harness.context(), harness.approver)
    await harness.drive_until_idle(harness.approver)
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.REVERTED
    assert "AccessControlUnauthorizedAccount" in str(intent.reason)


async def test_what_is_not_due_waits_with_the_contracts_own_words(harness: SendingHarness) -> None:
    request_id = harness.fund.request("ines", SMALL)
    harness.fund.wait_until_final()
    await harness.queue_settlement(request_id)
    await harness.drive(harness.keeper)
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.QUEUED
    assert "SettlementTimeNotReached" in str(intent.reason)
    assert not intent.unfunded
    harness.fund.warp(7 * DAY + 1)
    await harness.drive_until_idle(harness.keeper)
    assert (await harness.intent(request_id)).status is IntentStatus.FINAL


class UnableToEstimate(Rpc):
    """A node that answers one question with an error that is no revert."""

    async def _exchange(self, requests: Sequence[Request], *, attempts_max: int | None = None) -> list[dict[str, Any]]:
        answers = await super()._exchange(requests, attempts_max=attempts_max)
        for at, (method, _params) in enumerate(requests):
            if method == "eth_estimateGas":
                answers[at] = {"error": {"code": -32000, "message": "gas required exceeds allowance (50000000)"}}
        return answers


async def test_a_call_the_node_will_not_estimate_waits_with_the_nodes_words(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    async with UnableToEstimate(harness.fund.rpc_url, timeout_seconds=10, attempts_max=1) as rpc:
        await harness.with_rpc(rpc).drive(harness.keeper)
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.QUEUED
    assert "exceeds allowance" in str(intent.reason)
    await harness.drive_until_idle(harness.keeper)


async def test_a_settlement_the_fund_cannot_pay_is_unfunded_until_it_can(harness: SendingHarness) -> None:
    request_id = harness.fund.request("ines", 90_000)
    harness.fund.warp(7 * DAY + 1)
    drain = harness.fund.node.rpc.call("evm_snapshot")
    usdt, vault = harness.fund.deployment.usdt, harness.fund.deployment.vault
    with harness.fund.chain() as chain:
        cash = int(chain.read("TestToken", usdt, "balanceOf", vault))
    harness.fund.send("ada", "Vault", "emergencyWithdraw", usdt, harness.fund.accounts.address("ada"), cash)
    for asset in harness.fund.deployment.assets:
        if asset.tier < 2:
            harness.fund.send("ada", "AssetController", "removeAsset", asset.address)
    harness.fund.wait_until_final()
    await harness.queue_settlement(request_id)
    await harness.drive(harness.keeper)
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.QUEUED
    assert "InsufficientLiquidity" in str(intent.reason)
    assert intent.unfunded
    harness.fund.node.rpc.call("evm_revert", drain)
    await harness.drive_until_idle(harness.keeper)
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.FINAL
    assert not intent.unfunded


async def send_by_hand(harness: SendingHarness, wallet: str, nonce: int) -> None:
    """A transaction with the service's own key that this system knows nothing of."""
    account = harness.fund.accounts.account(wallet)
    signed = Account.sign_transaction(
        {
            "chainId": 31337,
            "nonce": nonce,
            "gas": 21_000,
            "gasPrice": 20 * 10**9,
            "to": account.address,
            "value": 0,
        },
        account.key,
    )
    harness.fund.node.rpc.call("eth_sendRawTransaction", hex0x(bytes(signed.raw_transaction)))


async def test_a_key_used_elsewhere_is_reported_and_sending_goes_on(harness: SendingHarness) -> None:
    first = harness.due_request("ines")
    await harness.queue_settlement(first)
    await harness.drive_until_idle(harness.keeper)
    nonce = harness.nonce_on_chain(harness.keeper)
    await send_by_hand(harness, "keeper", nonce)
    harness.fund.mine(3)
    second = harness.due_request("ivan")
    await harness.queue_settlement(second)
    await harness.drive_until_idle(harness.keeper)
    assert (await harness.intent(second)).attempts[0].nonce == nonce + 1
    async with harness.database.read() as session:
        (view,) = await list_wallets(session)
    assert view.name is WalletName.KEEPER
    assert view.next_nonce == nonce + 2
    assert view.open_intents == 0
    assert "someone else has this key" in str(view.fault)


async def test_a_key_that_was_used_before_this_database_is_adopted_without_alarm(harness: SendingHarness) -> None:
    nonce = harness.nonce_on_chain(harness.keeper)
    await send_by_hand(harness, "keeper", nonce)
    harness.fund.mine(3)
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    await harness.drive_until_idle(harness.keeper)
    assert (await harness.wallet(harness.keeper)).fault is None
    assert (await harness.intent(request_id)).attempts[0].nonce == nonce + 1


async def test_a_nonce_taken_from_under_a_sent_transaction_drops_it_and_sends_anew(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    nonce = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    with stopped_mining(harness.fund):
        await harness.drive(harness.keeper)
        harness.fund.node.rpc.call("anvil_dropAllTransactions")
        await send_by_hand(harness, "keeper", nonce)
        harness.fund.mine(3)
    await harness.drive_until_idle(harness.keeper)
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.FINAL
    assert [(each.nonce, each.status) for each in intent.attempts] == [
        (nonce, AttemptStatus.DROPPED), (nonce + 1, AttemptStatus.FINAL),
    ]  # fmt: skip
    assert "someone else has this key" in str((await harness.wallet(harness.keeper)).fault)
    assert harness.status(request_id) is OnChainStatus.SETTLED


class Behind(Rpc):
    """A node that has not got beyond block 1."""

    async def _exchange(self, requests: Sequence[Request], *, attempts_max: int | None = None) -> list[dict[str, Any]]:
        asked = [(method, ["0x1" if each == "finalized" else each for each in params]) for method, params in requests]
        return await super()._exchange(asked, attempts_max=attempts_max)


async def test_a_node_too_far_behind_to_know_the_request_changes_nothing_of_what_is_in_flight(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    with stopped_mining(harness.fund):
        await harness.drive(harness.keeper)
        async with Behind(harness.fund.rpc_url, timeout_seconds=10, attempts_max=1) as rpc:
            await harness.with_rpc(rpc).with_options(stuck_seconds=0).drive(harness.keeper)
        assert [each.status for each in (await harness.intent(request_id)).attempts] == [AttemptStatus.BROADCAST]
    await harness.drive_until_idle(harness.keeper)


class OtherFork(Rpc):
    """A node that still shows the receipt of a block that is gone."""

    receipt: dict[str, Any] | None = None

    async def _exchange(self, requests: Sequence[Request], *, attempts_max: int | None = None) -> list[dict[str, Any]]:
        answers = await super()._exchange(requests, attempts_max=attempts_max)
        for at, (method, _params) in enumerate(requests):
            if method == "eth_getTransactionReceipt":
                self.receipt = answers[at]["result"] or self.receipt
                answers[at] = answers[at] | {"result": self.receipt}
        return answers


async def test_a_receipt_of_a_block_that_is_not_the_chains_is_never_final(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    with stopped_mining(harness.fund):
        async with OtherFork(harness.fund.rpc_url, timeout_seconds=10, attempts_max=1) as rpc:
            await harness.drive(harness.keeper)
            harness.fund.mine(1)
            await harness.with_rpc(rpc).drive(harness.keeper)
            harness.fund.node.rpc.call("anvil_rollback", 1)
            harness.fund.mine(4)
            await harness.with_rpc(rpc).drive(harness.keeper)
        assert (await harness.intent(request_id)).status is IntentStatus.SENDING
    await harness.drive_until_idle(harness.keeper)
    (attempt,) = (await harness.intent(request_id)).attempts
    receipt = harness.fund.node.rpc.call("eth_getTransactionReceipt", hex0x(attempt.hash))
    assert hex0x(attempt.block_hash or b"") == receipt["blockHash"]


async def test_a_nonce_taken_after_ours_was_mined_and_reorganised_away_is_given_up(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    nonce = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    with stopped_mining(harness.fund):
        await harness.drive(harness.keeper)
        harness.fund.mine(1)
        await harness.drive(harness.keeper)
        assert [each.status for each in (await harness.intent(request_id)).attempts] == [AttemptStatus.MINED]
        harness.fund.node.rpc.call("anvil_rollback", 1)
        harness.fund.node.rpc.call("anvil_dropAllTransactions")
        await send_by_hand(harness, "keeper", nonce)
        harness.fund.mine(3)
    await harness.drive_until_idle(harness.keeper)
    statuses = [(each.nonce, each.status) for each in (await harness.intent(request_id)).attempts]
    assert statuses == [(nonce, AttemptStatus.DROPPED), (nonce + 1, AttemptStatus.FINAL)]
