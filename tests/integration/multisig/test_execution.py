"""Executions of Safe proposals by the keeper's key, with a real signer and real Safes."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak
from sqlalchemy import select
from tests.support.chain.fund import TestFund
from tests.support.chain.safes import SAFE_ABI, SENTINEL, address_of, owner_account, signature_by_key
from tests.support.scenarios.multisig import SafeHarness, safe_policy
from tests.support.scenarios.sending import SendingHarness
from tests.support.signing import signer_client

from paimon.application.transactions.effect import read_effect
from paimon.application.transactions.multisig.execute import execute_ready
from paimon.application.transactions.multisig.propose import propose_rejection
from paimon.domain.kernel.chain import Hash32, checksum, parse_address
from paimon.domain.transaction.intent import Intent
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.domain.transaction.lifecycle import Call, EffectStatus, IntentKind, IntentStatus
from paimon.domain.transaction.safe_proposal import ProposalStatus
from paimon.domain.transaction.safe_transaction import SafeName, rejection_transaction
from paimon.gateway.signer.process import running_signer
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.rpc.endpoint import Request
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.rows.transaction import intent_of
from paimon.infrastructure.database.sessions import Database
from paimon.settings import SendingSettings

pytestmark = pytest.mark.integration

CHAIN_ID = 31337


@dataclass(frozen=True)
class Keeper:
    """The Safes' use cases and the keeper's driver, as a worker runs them."""

    safe_harness: SafeHarness
    sending: SendingHarness

    async def step(self) -> None:
        """Run what a worker runs every few seconds."""
        await self.safe_harness.sync()
        await execute_ready(self.safe_harness.worker, keeper=self.sending.keeper)
        await self.sending.make_due()
        await self.sending.drive(self.sending.keeper)

    async def finish(self) -> None:
        """Step until no intent of the keeper is open, and sync the Safes."""
        for _ in range(6):
            await self.step()
            self.safe_harness.fund.mine(3)
            if not await self.sending.open(self.sending.keeper):
                await self.safe_harness.sync()
                return
        raise AssertionError(f"still open: {[intent.reason for intent in await self.sending.open(self.sending.keeper)]}")

    async def status(self, hash_: Hash32) -> ProposalStatus:
        return (await self.safe_harness.details(hash_)).summary.status

    async def intents(self) -> list[Intent]:
        async with self.safe_harness.context.database.read() as session:
            rows = await session.scalars(select(IntentRow).order_by(IntentRow.created_at))
            return [intent_of(row) for row in rows]

    async def outcomes(self) -> list[IntentStatus]:
        return [intent.status for intent in await self.intents()]


@pytest.fixture
async def keeper(safe_harness: SafeHarness, worker_database: Database, fund: TestFund, tmp_path: Path) -> AsyncIterator[Keeper]:
    addresses = {name: parse_address(fund.accounts.address(name)) for name in ("keeper", "approver")}
    path = safe_policy(fund, safe_harness.safes, tmp_path)
    for safe in (safe_harness.safes.warm, safe_harness.safes.cold):
        safe_harness.safes.safe_factory.grant(safe, keccak(text="REBALANCER_ROLE"))
    safe_harness.safes.safe_factory.grant(safe_harness.safes.cold, keccak(text="ADMIN_ROLE"))
    async with running_signer(path, new_ledger=True):
        context = safe_harness.context
        options = SendingSettings(**addresses)
        sending = SendingHarness(fund, safe_harness.database, worker_database, context.contracts, signer_client(path), options)
        yield Keeper(safe_harness, sending)


async def test_two_of_three_owners_execute_a_plan_of_two_calls(keeper: Keeper) -> None:
    safe_harness = keeper.safe_harness
    hash_ = await safe_harness.propose("plan", safe_harness.allocate(1), safe_harness.allocate(2))
    await keeper.step()
    assert await keeper.intents() == [], "no owner has signed"
    await safe_harness.sign(hash_, 3, 1)
    await keeper.step()
    assert await keeper.status(hash_) is ProposalStatus.EXECUTING
    await keeper.finish()
    assert await keeper.status(hash_) is ProposalStatus.EXECUTED
    details = await safe_harness.details(hash_)
    assert ([intent.status for intent in details.intents], details.executed_externally) == ([IntentStatus.FINAL], False)
    await keeper.step()
    assert len(await keeper.intents()) == 1, "once is enough"


async def test_three_of_five_keys_and_contracts_execute_a_proposal(keeper: Keeper) -> None:
    safe_harness = keeper.safe_harness
    hash_ = await safe_harness.propose("plan", safe_harness.no_op_call(), safe=SafeName.COLD)
    await safe_harness.sign(hash_, "single", 6, "pair")
    await keeper.finish()
    assert await keeper.status(hash_) is ProposalStatus.EXECUTED
    assert await keeper.outcomes() == [IntentStatus.FINAL]


async def test_contract_that_withdrew_its_consent_is_not_counted(keeper: Keeper) -> None:
    """Its signature is stored and was good; at execution the contract is asked again."""
    safe_harness, single = keeper.safe_harness, keeper.safe_harness.safes.inner["single"]
    hash_ = await safe_harness.propose("plan", safe_harness.no_op_call(), safe=SafeName.COLD)
    await safe_harness.sign(hash_, "single", 4, 5)
    swap = replace(
        rejection_transaction(0, single),
        call=Call(
            single,
            SAFE_ABI.encode_call(
                "swapOwner", checksum((1).to_bytes(20, "big")), owner_account(9).address, owner_account(4).address
            ),
        ),
    )
    scope = safe_harness.context.scope(single)
    assert (
        int(
            safe_harness.safes.safe_factory.execute(scope, swap, [signature_by_key(owner_account(9), swap, scope)])["status"],
            16,
        )
        == 1
    )
    await keeper.step()
    assert await keeper.intents() == []
    await safe_harness.sign(hash_, 6)
    await keeper.finish()
    assert await keeper.status(hash_) is ProposalStatus.EXECUTED


async def test_reverting_proposal_waits_and_keeps_the_nonce_until_rejected(keeper: Keeper) -> None:
    safe_harness, warm = keeper.safe_harness, keeper.safe_harness.safes.warm
    hash_ = await safe_harness.propose("plan", safe_harness.allocate(50_000 * 10**18), safe_harness.reverting_call())
    await safe_harness.sign(hash_, 1, 2)
    await keeper.step()
    (waiting,) = await keeper.sending.open(keeper.sending.keeper)
    assert (waiting.status, waiting.reason) == (IntentStatus.QUEUED, "GS013: the inner call fails")
    assert (safe_harness.safes.safe_factory.read(warm, "nonce"), waiting.attempts) == (0, ())
    rejection = await propose_rejection(hash_, safe_harness.context, proposed_by=safe_harness.vera.address)
    await safe_harness.sign(rejection, 2, 3)
    await keeper.finish()
    assert await keeper.outcomes() == [IntentStatus.CANCELLED, IntentStatus.FINAL]
    assert [await keeper.status(proposal) for proposal in (hash_, rejection)] == [
        ProposalStatus.REJECTED,
        ProposalStatus.EXECUTED,
    ]
    assert safe_harness.safes.safe_factory.read(warm, "nonce") == 1


async def test_waiting_execution_is_cancelled_when_its_proposal_expires(keeper: Keeper) -> None:
    safe_harness = keeper.safe_harness
    hash_ = await safe_harness.propose("plan", safe_harness.reverting_call())
    await safe_harness.sign(hash_, 1, 2)
    await keeper.step()
    assert await keeper.status(hash_) is ProposalStatus.EXECUTING
    await safe_harness.expire(hash_)
    await keeper.step()
    assert await keeper.outcomes() == [IntentStatus.CANCELLED]
    assert await keeper.status(hash_) is ProposalStatus.EXPIRED


async def test_later_signatures_replace_the_waiting_execution(keeper: Keeper) -> None:
    safe_harness = keeper.safe_harness
    hash_ = await safe_harness.propose("plan", safe_harness.reverting_call())
    await safe_harness.sign(hash_, 1, 2)
    await keeper.step()
    await safe_harness.sign(hash_, 3)
    await keeper.step()
    assert await keeper.outcomes() == [IntentStatus.CANCELLED, IntentStatus.QUEUED]


async def test_execution_above_the_safes_limit_waits_for_the_signer(keeper: Keeper) -> None:
    safe_harness = keeper.safe_harness
    hash_ = await safe_harness.propose("plan", *[safe_harness.allocate(50_000 * 10**18)] * 2)
    await safe_harness.sign(hash_, 1, 2)
    await keeper.step()
    (waiting,) = await keeper.sending.open(keeper.sending.keeper)
    assert "LIMIT_EXCEEDED" in (waiting.reason or "")
    assert safe_harness.safes.safe_factory.read(safe_harness.safes.warm, "nonce") == 0


async def test_signature_of_a_replaced_owner_must_be_made_up_for(keeper: Keeper) -> None:
    """The owners change themselves elsewhere and the sync adopts it; the next proposal then lacks a signature."""
    safe_harness, leaving = keeper.safe_harness, address_of(owner_account(2))
    owners = safe_harness.safes.safe_factory.read(safe_harness.safes.warm, "getOwners")
    place = owners.index(leaving)
    previous = checksum(owners[place - 1]) if place else SENTINEL
    data = SAFE_ABI.encode_call("swapOwner", previous, checksum(leaving), owner_account(20).address)
    swap, plan = (
        await safe_harness.propose("swap", Call(safe_harness.safes.warm, data)),
        await safe_harness.propose("plan", safe_harness.allocate(1)),
    )
    await safe_harness.sign(swap, 1, 3)
    await safe_harness.sign(plan, 1, 2)
    await keeper.step()
    (refused,) = await keeper.sending.open(keeper.sending.keeper)
    assert "WRONG_CONTRACT" in (refused.reason or ""), "the keeper changes no Safe's rules"
    assert await safe_harness.execute_externally(swap)
    await keeper.step()
    assert await keeper.outcomes() == [IntentStatus.SATISFIED_EXTERNALLY]
    assert (await safe_harness.details(swap)).executed_externally
    assert await keeper.status(plan) is ProposalStatus.COLLECTING
    await safe_harness.sign(plan, 3)
    await keeper.finish()
    assert await keeper.status(plan) is ProposalStatus.EXECUTED


async def test_nonce_used_for_something_else_ends_the_execution(keeper: Keeper) -> None:
    safe_harness, warm = keeper.safe_harness, keeper.safe_harness.safes.warm
    hash_ = await safe_harness.propose("plan", safe_harness.reverting_call())
    await safe_harness.sign(hash_, 1, 2)
    await keeper.step()
    scope = safe_harness.context.scope(warm)
    for nonce in range(2):
        foreign = rejection_transaction(nonce, warm)
        receipt = safe_harness.safes.safe_factory.execute(
            scope, foreign, [signature_by_key(owner_account(number), foreign, scope) for number in (1, 3)]
        )
        assert int(receipt["status"], 16) == 1
    await keeper.finish()
    (ended,) = await keeper.intents()
    assert (ended.status, "used nonce 0" in (ended.reason or "")) == (IntentStatus.CANCELLED, True)
    assert await keeper.status(hash_) is ProposalStatus.REJECTED


async def test_execution_effect_is_read_from_the_safes_older_events(keeper: Keeper) -> None:
    safe_harness = keeper.safe_harness
    hashes = [await safe_harness.propose(f"plan:{number}", safe_harness.allocate(number)) for number in range(1, 4)]
    for hash_ in hashes:
        await safe_harness.sign(hash_, 1, 2)
    await keeper.finish()
    await keeper.finish()
    await keeper.finish()
    intents = await keeper.intents()
    assert [(intent.subject, intent.status) for intent in intents] == [
        (IntentSubject.safe_transaction(hash_), IntentStatus.FINAL) for hash_ in hashes
    ]
    at = await safe_harness.context.final_block()
    for intent in intents:
        effect, _description = await read_effect(safe_harness.context.contracts, CHAIN_ID, intent, at=at)
        assert effect is EffectStatus.DONE
        assert intent.kind is IntentKind.EXECUTE_SAFE


class NodeWithoutLogs(Rpc):
    """A node that has lost its logs."""

    async def _exchange(self, requests: Sequence[Request], *, attempts_max: int | None = None) -> list[dict[str, Any]]:
        answers = await super()._exchange(requests, attempts_max=attempts_max)
        return [
            answer | {"result": []} if method == "eth_getLogs" else answer
            for (method, _), answer in zip(requests, answers, strict=True)
        ]


async def test_unexplained_safe_nonce_is_the_executions_own_reason(keeper: Keeper) -> None:
    safe_harness, sending = keeper.safe_harness, keeper.sending
    hash_ = await safe_harness.propose("plan", safe_harness.allocate(1))
    await safe_harness.sign(hash_, 1, 2)
    await keeper.step()
    settlement = sending.due_request()
    await sending.queue_settlement(settlement)
    async with NodeWithoutLogs(safe_harness.fund.rpc_url, timeout_seconds=10, attempts_max=1) as rpc:
        for _ in range(4):
            await sending.with_rpc(rpc).drive(sending.keeper)
            safe_harness.fund.mine(3)
    (execution,) = [intent for intent in await keeper.intents() if intent.kind is IntentKind.EXECUTE_SAFE]
    assert (execution.status, "no execution that used the signed nonce" in str(execution.reason)) == (
        IntentStatus.SENDING,
        True,
    )
    assert (await sending.intent(settlement)).status is IntentStatus.FINAL
    await keeper.finish()
    assert await keeper.status(hash_) is ProposalStatus.EXECUTED


async def test_unreachable_node_shows_on_the_safe_until_executions_succeed(keeper: Keeper) -> None:
    hash_ = await keeper.safe_harness.propose("plan", keeper.safe_harness.no_op_call())
    async with Rpc("http://127.0.0.1:9", timeout_seconds=1, attempts_max=1) as away:
        cut_off = replace(
            keeper.safe_harness.worker, contracts=FundContracts(away, keeper.safe_harness.context.contracts.addresses)
        )
        await execute_ready(cut_off, keeper=keeper.sending.keeper)
    last_error = (await keeper.safe_harness.details(hash_)).summary.last_error
    assert last_error is not None
    assert last_error.message.startswith("execution: node 127.0.0.1:9 ")
    await keeper.safe_harness.sync()
    assert (await keeper.safe_harness.details(hash_)).summary.last_error == last_error, "a sync says nothing about executions"
    await execute_ready(keeper.safe_harness.worker, keeper=keeper.sending.keeper)
    assert (await keeper.safe_harness.details(hash_)).summary.last_error is None
