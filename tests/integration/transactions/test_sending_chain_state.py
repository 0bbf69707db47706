"""The chain's state decides: effects brought about by others, cancelled, not due or unfunded; nonces used externally."""

from collections.abc import Sequence
from typing import Any

import pytest
from eth_account import Account
from tests.support.chain.fund import DAY
from tests.support.scenarios.sending import SMALL, SendingHarness

from paimon.application.transactions.driver.broadcast import send_unacknowledged
from paimon.application.transactions.driver.prepare import prepare_next
from paimon.application.transactions.queries import list_wallets
from paimon.domain.approval.ticket import Verdict
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.domain.redemption.request import OnChainStatus
from paimon.domain.transaction.lifecycle import AttemptStatus, IntentStatus, WalletName
from paimon.infrastructure.blockchain.rpc.endpoint import Request
from paimon.infrastructure.blockchain.rpc.pool import Rpc

pytestmark = pytest.mark.integration


async def test_request_settled_by_someone_else_is_not_sent(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    harness.fund.send("otto", "RedemptionManager", "settleRedemption", request_id)
    harness.fund.wait_until_final()
    await harness.drive(harness.keeper)
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.SATISFIED_EXTERNALLY
    assert intent.attempts == ()
    assert "SETTLED" in str(intent.reason)


async def test_revert_after_a_lost_race_is_satisfied_externally(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    with harness.fund.stopped_mining():
        await prepare_next(harness.context(), harness.keeper)  # simulated and signed before the other settlement
        harness.fund.send("otto", "RedemptionManager", "settleRedemption", request_id)
        await send_unacknowledged(harness.context(), harness.keeper)
    await harness.drive_until_idle(harness.keeper)
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.SATISFIED_EXTERNALLY
    assert intent.attempts[0].succeeded is False
    assert harness.nonce_on_chain(harness.keeper) == before + 1


async def test_request_cancelled_by_its_owner_cancels_the_intent(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    harness.fund.send("ines", "RedemptionManager", "cancelRedemption", request_id)
    harness.fund.wait_until_final()
    await harness.drive(harness.keeper)
    assert (await harness.intent(request_id)).status is IntentStatus.CANCELLED


async def test_revert_without_the_effect_ends_reverted_with_its_reason(harness: SendingHarness) -> None:
    request_id = harness.request_awaiting_approval()
    await harness.queue_decision(request_id, Verdict.APPROVE)
    role = harness.fund.read("RedemptionManager", "VIP_APPROVER_ROLE")
    with harness.fund.stopped_mining():
        await prepare_next(harness.context(), harness.approver)
        harness.fund.send("ada", "RedemptionManager", "revokeRole", role, checksum(harness.approver))
        await send_unacknowledged(harness.context(), harness.approver)
    await harness.drive_until_idle(harness.approver)
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.REVERTED
    assert "AccessControlUnauthorizedAccount" in str(intent.reason)


async def test_settlement_before_its_date_waits_with_the_contracts_error(harness: SendingHarness) -> None:
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
    """A node that answers one request with an error that is no revert."""

    async def _exchange(self, requests: Sequence[Request], *, attempts_max: int | None = None) -> list[dict[str, Any]]:
        answers = await super()._exchange(requests, attempts_max=attempts_max)
        for index, (method, _params) in enumerate(requests):
            if method == "eth_estimateGas":
                answers[index] = {"error": {"code": -32000, "message": "gas required exceeds allowance (50000000)"}}
        return answers


async def test_call_without_a_gas_estimate_waits_with_the_nodes_error(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    async with UnableToEstimate(harness.fund.rpc_url, timeout_seconds=10, attempts_max=1) as rpc:
        await harness.with_rpc(rpc).drive(harness.keeper)
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.QUEUED
    assert "exceeds allowance" in str(intent.reason)
    await harness.drive_until_idle(harness.keeper)


async def test_settlement_is_unfunded_until_the_fund_can_pay(harness: SendingHarness) -> None:
    request_id = harness.fund.request("ines", 90_000)
    harness.fund.warp(7 * DAY + 1)
    snapshot = harness.fund.snapshot()
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
    harness.fund.revert(snapshot)
    await harness.drive_until_idle(harness.keeper)
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.FINAL
    assert not intent.unfunded


async def send_externally(harness: SendingHarness, wallet: str, nonce: int) -> None:
    """Send a transaction with the service's own key that this system does not know."""
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


async def test_key_used_externally_is_a_fault_and_sending_goes_on(harness: SendingHarness) -> None:
    first = harness.due_request("ines")
    await harness.queue_settlement(first)
    await harness.drive_until_idle(harness.keeper)
    nonce = harness.nonce_on_chain(harness.keeper)
    await send_externally(harness, "keeper", nonce)
    harness.fund.mine(3)
    second = harness.due_request("ivan")
    await harness.queue_settlement(second)
    await harness.drive_until_idle(harness.keeper)
    assert (await harness.intent(second)).attempts[0].nonce == nonce + 1
    async with harness.database.read() as session:
        (wallet,) = await list_wallets(session)
    assert wallet.name is WalletName.KEEPER
    assert wallet.next_nonce == nonce + 2
    assert wallet.open_intents == 0
    assert "someone else has this key" in str(wallet.fault)


async def test_key_used_before_this_database_is_adopted_without_a_fault(harness: SendingHarness) -> None:
    nonce = harness.nonce_on_chain(harness.keeper)
    await send_externally(harness, "keeper", nonce)
    harness.fund.mine(3)
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    await harness.drive_until_idle(harness.keeper)
    assert (await harness.wallet(harness.keeper)).fault is None
    assert (await harness.intent(request_id)).attempts[0].nonce == nonce + 1


async def test_nonce_used_externally_drops_the_attempt_and_sends_anew(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    nonce = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    with harness.fund.stopped_mining():
        await harness.drive(harness.keeper)
        harness.fund.node.rpc.call("anvil_dropAllTransactions")
        await send_externally(harness, "keeper", nonce)
        harness.fund.mine(3)
    await harness.drive_until_idle(harness.keeper)
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.FINAL
    assert [(attempt.nonce, attempt.status) for attempt in intent.attempts] == [
        (nonce, AttemptStatus.DROPPED), (nonce + 1, AttemptStatus.FINAL),
    ]  # fmt: skip
    assert "someone else has this key" in str((await harness.wallet(harness.keeper)).fault)
    assert harness.status(request_id) is OnChainStatus.SETTLED


class LaggingNode(Rpc):
    """A node whose final block is block 1."""

    async def _exchange(self, requests: Sequence[Request], *, attempts_max: int | None = None) -> list[dict[str, Any]]:
        lagging = [(method, ["0x1" if param == "finalized" else param for param in params]) for method, params in requests]
        return await super()._exchange(lagging, attempts_max=attempts_max)


async def test_lagging_node_changes_nothing_in_flight(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    with harness.fund.stopped_mining():
        await harness.drive(harness.keeper)
        async with LaggingNode(harness.fund.rpc_url, timeout_seconds=10, attempts_max=1) as rpc:
            await harness.with_rpc(rpc).with_options(stuck_seconds=0).drive(harness.keeper)
        assert [attempt.status for attempt in (await harness.intent(request_id)).attempts] == [AttemptStatus.BROADCAST]
    await harness.drive_until_idle(harness.keeper)


class OtherFork(Rpc):
    """A node that still shows the receipt of a block that is gone."""

    receipt: dict[str, Any] | None = None

    async def _exchange(self, requests: Sequence[Request], *, attempts_max: int | None = None) -> list[dict[str, Any]]:
        answers = await super()._exchange(requests, attempts_max=attempts_max)
        for index, (method, _params) in enumerate(requests):
            if method == "eth_getTransactionReceipt":
                self.receipt = answers[index]["result"] or self.receipt
                answers[index] = answers[index] | {"result": self.receipt}
        return answers


async def test_receipt_of_another_fork_is_never_final(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    with harness.fund.stopped_mining():
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


async def test_nonce_used_externally_after_a_reorganisation_drops_the_attempt(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    nonce = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    with harness.fund.stopped_mining():
        await harness.drive(harness.keeper)
        harness.fund.mine(1)
        await harness.drive(harness.keeper)
        assert [attempt.status for attempt in (await harness.intent(request_id)).attempts] == [AttemptStatus.MINED]
        harness.fund.node.rpc.call("anvil_rollback", 1)
        harness.fund.node.rpc.call("anvil_dropAllTransactions")
        await send_externally(harness, "keeper", nonce)
        harness.fund.mine(3)
    await harness.drive_until_idle(harness.keeper)
    statuses = [(attempt.nonce, attempt.status) for attempt in (await harness.intent(request_id)).attempts]
    assert statuses == [(nonce, AttemptStatus.DROPPED), (nonce + 1, AttemptStatus.FINAL)]
