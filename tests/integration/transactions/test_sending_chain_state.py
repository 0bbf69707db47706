"""What the chain says first: done by others, taken back, not due, unfunded; and nonces that others used."""

from collections.abc import Sequence
from typing import Any

import pytest
from eth_account import Account
from tests.support.chain.fund import DAY
from tests.support.scenarios.sending import SMALL, Office, stopped_mining

from paimon.application.transactions.driver.broadcast import send_unacknowledged
from paimon.application.transactions.driver.prepare import prepare_next
from paimon.application.transactions.queries import (
    list_wallets,
)
from paimon.domain.approval.ticket import Verdict
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.domain.redemption.request import OnChainStatus
from paimon.domain.transaction.lifecycle import AttemptStatus, IntentStatus, WalletName
from paimon.infrastructure.blockchain.rpc import Request, Rpc

pytestmark = pytest.mark.integration


async def test_what_someone_else_settled_is_not_sent(office: Office) -> None:
    request_id = office.due()
    await office.queue_settlement(request_id)
    office.fund.send("otto", "RedemptionManager", "settleRedemption", request_id)
    office.fund.wait_final()
    await office.drive(office.keeper)
    intent = await office.intent(request_id)
    assert intent.status is IntentStatus.SATISFIED_ELSEWHERE
    assert intent.attempts == []
    assert "SETTLED" in str(intent.reason)


async def test_losing_the_race_in_the_block_is_satisfied_elsewhere_too(office: Office) -> None:
    request_id = office.due()
    before = office.nonce_on_chain(office.keeper)
    await office.queue_settlement(request_id)
    with stopped_mining(office.fund):
        await prepare_next(office.desk(), office.keeper)  # simulated and signed: nothing was wrong yet
        office.fund.send("otto", "RedemptionManager", "settleRedemption", request_id)
        await send_unacknowledged(office.desk(), office.keeper)
    await office.finish(office.keeper)
    intent = await office.intent(request_id)
    assert intent.status is IntentStatus.SATISFIED_ELSEWHERE
    assert intent.attempts[0].succeeded is False
    assert office.nonce_on_chain(office.keeper) == before + 1


async def test_a_request_its_owner_took_back_is_cancelled(office: Office) -> None:
    request_id = office.due()
    await office.queue_settlement(request_id)
    office.fund.send("ines", "RedemptionManager", "cancelRedemption", request_id)
    office.fund.wait_final()
    await office.drive(office.keeper)
    assert (await office.intent(request_id)).status is IntentStatus.CANCELLED


async def test_a_revert_on_chain_without_the_effect_is_reverted_with_its_reason(office: Office) -> None:
    request_id = office.awaiting()
    await office.queue_ruling(request_id, Verdict.APPROVE)
    role = office.fund.read("RedemptionManager", "VIP_APPROVER_ROLE")
    with stopped_mining(office.fund):
        await prepare_next(office.desk(), office.approver)
        office.fund.send("ada", "RedemptionManager", "revokeRole", role, checksum(office.approver))
        await send_unacknowledged(office.desk(), office.approver)
    await office.finish(office.approver)
    intent = await office.intent(request_id)
    assert intent.status is IntentStatus.REVERTED
    assert "AccessControlUnauthorizedAccount" in str(intent.reason)


async def test_what_is_not_due_waits_with_the_contracts_own_words(office: Office) -> None:
    request_id = office.fund.request("ines", SMALL)
    office.fund.wait_final()
    await office.queue_settlement(request_id)
    await office.drive(office.keeper)
    intent = await office.intent(request_id)
    assert intent.status is IntentStatus.QUEUED
    assert "SettlementTimeNotReached" in str(intent.reason)
    assert not intent.unfunded
    office.fund.warp(7 * DAY + 1)
    await office.finish(office.keeper)
    assert (await office.intent(request_id)).status is IntentStatus.FINAL


class UnableToEstimate(Rpc):
    """A node that answers one question with an error that is no revert."""

    async def _exchange(self, requests: Sequence[Request], *, attempts_max: int | None = None) -> list[dict[str, Any]]:
        answers = await super()._exchange(requests, attempts_max=attempts_max)
        for at, (method, _params) in enumerate(requests):
            if method == "eth_estimateGas":
                answers[at] = {"error": {"code": -32000, "message": "gas required exceeds allowance (50000000)"}}
        return answers


async def test_a_call_the_node_will_not_estimate_waits_with_the_nodes_words(office: Office) -> None:
    request_id = office.due()
    await office.queue_settlement(request_id)
    async with UnableToEstimate(office.fund.rpc_url, timeout_seconds=10, attempts_max=1) as rpc:
        await office.with_rpc(rpc).drive(office.keeper)
    intent = await office.intent(request_id)
    assert intent.status is IntentStatus.QUEUED
    assert "exceeds allowance" in str(intent.reason)
    await office.finish(office.keeper)


async def test_a_settlement_the_fund_cannot_pay_is_unfunded_until_it_can(office: Office) -> None:
    request_id = office.fund.request("ines", 90_000)
    office.fund.warp(7 * DAY + 1)
    drain = office.fund.node.rpc.call("evm_snapshot")
    usdt, vault = office.fund.deployment.usdt, office.fund.deployment.vault
    with office.fund.chain() as chain:
        cash = int(chain.read("TestToken", usdt, "balanceOf", vault))
    office.fund.send("ada", "Vault", "emergencyWithdraw", usdt, office.fund.people.address("ada"), cash)
    for asset in office.fund.deployment.assets:
        if asset.tier < 2:
            office.fund.send("ada", "AssetController", "removeAsset", asset.address)
    office.fund.wait_final()
    await office.queue_settlement(request_id)
    await office.drive(office.keeper)
    intent = await office.intent(request_id)
    assert intent.status is IntentStatus.QUEUED
    assert "InsufficientLiquidity" in str(intent.reason)
    assert intent.unfunded
    office.fund.node.rpc.call("evm_revert", drain)
    await office.finish(office.keeper)
    intent = await office.intent(request_id)
    assert intent.status is IntentStatus.FINAL
    assert not intent.unfunded


async def send_by_hand(office: Office, wallet: str, nonce: int) -> None:
    """A transaction with the service's own key that this system knows nothing of."""
    account = office.fund.people.account(wallet)
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
    office.fund.node.rpc.call("eth_sendRawTransaction", hex0x(bytes(signed.raw_transaction)))


async def test_a_key_used_elsewhere_is_reported_and_sending_goes_on(office: Office) -> None:
    first = office.due("ines")
    await office.queue_settlement(first)
    await office.finish(office.keeper)
    nonce = office.nonce_on_chain(office.keeper)
    await send_by_hand(office, "keeper", nonce)
    office.fund.mine(3)
    second = office.due("ivan")
    await office.queue_settlement(second)
    await office.finish(office.keeper)
    assert (await office.intent(second)).attempts[0].nonce == nonce + 1
    async with office.database.read() as session:
        (view,) = await list_wallets(session)
    assert view.name is WalletName.KEEPER
    assert view.next_nonce == nonce + 2
    assert view.open_intents == 0
    assert "someone else has this key" in str(view.trouble)


async def test_a_key_that_was_used_before_this_database_is_adopted_without_alarm(office: Office) -> None:
    nonce = office.nonce_on_chain(office.keeper)
    await send_by_hand(office, "keeper", nonce)
    office.fund.mine(3)
    request_id = office.due()
    await office.queue_settlement(request_id)
    await office.finish(office.keeper)
    assert (await office.wallet(office.keeper)).trouble is None
    assert (await office.intent(request_id)).attempts[0].nonce == nonce + 1


async def test_a_nonce_taken_from_under_a_sent_transaction_drops_it_and_sends_anew(office: Office) -> None:
    request_id = office.due()
    nonce = office.nonce_on_chain(office.keeper)
    await office.queue_settlement(request_id)
    with stopped_mining(office.fund):
        await office.drive(office.keeper)
        office.fund.node.rpc.call("anvil_dropAllTransactions")
        await send_by_hand(office, "keeper", nonce)
        office.fund.mine(3)
    await office.finish(office.keeper)
    intent = await office.intent(request_id)
    assert intent.status is IntentStatus.FINAL
    assert [(each.nonce, each.status) for each in intent.attempts] == [
        (nonce, AttemptStatus.DROPPED), (nonce + 1, AttemptStatus.FINAL),
    ]  # fmt: skip
    assert "someone else has this key" in str((await office.wallet(office.keeper)).trouble)
    assert office.status(request_id) is OnChainStatus.SETTLED


class Behind(Rpc):
    """A node that has not got beyond block 1."""

    async def _exchange(self, requests: Sequence[Request], *, attempts_max: int | None = None) -> list[dict[str, Any]]:
        asked = [(method, ["0x1" if each == "finalized" else each for each in params]) for method, params in requests]
        return await super()._exchange(asked, attempts_max=attempts_max)


async def test_a_node_too_far_behind_to_know_the_request_changes_nothing_of_what_is_in_flight(office: Office) -> None:
    request_id = office.due()
    await office.queue_settlement(request_id)
    with stopped_mining(office.fund):
        await office.drive(office.keeper)
        async with Behind(office.fund.rpc_url, timeout_seconds=10, attempts_max=1) as rpc:
            await office.with_rpc(rpc).with_options(stuck_seconds=0).drive(office.keeper)
        assert [each.status for each in (await office.intent(request_id)).attempts] == [AttemptStatus.BROADCAST]
    await office.finish(office.keeper)


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


async def test_a_receipt_of_a_block_that_is_not_the_chains_is_never_final(office: Office) -> None:
    request_id = office.due()
    await office.queue_settlement(request_id)
    with stopped_mining(office.fund):
        async with OtherFork(office.fund.rpc_url, timeout_seconds=10, attempts_max=1) as rpc:
            await office.drive(office.keeper)
            office.fund.mine(1)
            await office.with_rpc(rpc).drive(office.keeper)
            office.fund.node.rpc.call("anvil_rollback", 1)
            office.fund.mine(4)
            await office.with_rpc(rpc).drive(office.keeper)
        assert (await office.intent(request_id)).status is IntentStatus.SENDING
    await office.finish(office.keeper)
    (attempt,) = (await office.intent(request_id)).attempts
    receipt = office.fund.node.rpc.call("eth_getTransactionReceipt", hex0x(attempt.hash))
    assert hex0x(attempt.block_hash or b"") == receipt["blockHash"]


async def test_a_nonce_taken_after_ours_was_mined_and_reorganised_away_is_given_up(office: Office) -> None:
    request_id = office.due()
    nonce = office.nonce_on_chain(office.keeper)
    await office.queue_settlement(request_id)
    with stopped_mining(office.fund):
        await office.drive(office.keeper)
        office.fund.mine(1)
        await office.drive(office.keeper)
        assert [each.status for each in (await office.intent(request_id)).attempts] == [AttemptStatus.MINED]
        office.fund.node.rpc.call("anvil_rollback", 1)
        office.fund.node.rpc.call("anvil_dropAllTransactions")
        await send_by_hand(office, "keeper", nonce)
        office.fund.mine(3)
    await office.finish(office.keeper)
    statuses = [(each.nonce, each.status) for each in (await office.intent(request_id)).attempts]
    assert statuses == [(nonce, AttemptStatus.DROPPED), (nonce + 1, AttemptStatus.FINAL)]
