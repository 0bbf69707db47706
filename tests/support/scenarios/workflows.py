"""Whole lives of a call, from what makes it due to its end, as the worker's own functions lead them.

A life is told as a process would live it: the sweep queues the call, drives follow, and the chain moves on in between. It
is the same each time, so that it can be cut off anywhere. What other people do on the chain meanwhile is signed beforehand.
Each life ends well when nothing cuts it off, and also when `go_on` takes it over, wherever it was cut.
"""

import secrets
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, text, update

from paimon.application.approval_workflow.queue_call import queue_decided_calls
from paimon.application.redemptions.settlement import settle_due
from paimon.application.transactions.driver.prepare import prepare_next
from paimon.application.transactions.multisig.execute import execute_ready
from paimon.application.transactions.multisig.sync import sync_safes
from paimon.application.transactions.plans.calls import PlanRequest
from paimon.application.transactions.plans.submit import submit_plan
from paimon.application.transactions.queries import list_open_intents
from paimon.composition import AppContext
from paimon.domain.kernel.chain import Address, ContractName, Hash32, checksum, hex0x
from paimon.domain.risk.risk_event import EFFECT_UNKNOWN_AFTER
from paimon.domain.transaction.attempt import Attempt
from paimon.domain.transaction.lifecycle import IntentKind
from paimon.domain.transaction.operator_action import ActionKind, ActionStatus
from paimon.gateway.tasks.handlers import drive_wallet
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.rpc.endpoint import Request
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.models.ops.operator_action import OperatorActionRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow, WalletRow
from paimon_devkit.stack.chain_rpc import ChainRpc

_FAULT: Final = "it was said to be in trouble"


def operator_action_row(kind: ActionKind, wallet: Address, intent_id: UUID | None) -> OperatorActionRow:
    """What the desk writes down when a person asks for this, as far as its carrying out depends on it."""
    return OperatorActionRow(
        nonce=Hash32(secrets.token_bytes(32)),
        kind=kind,
        wallet=wallet,
        intent_id=intent_id,
        target=_FAULT,
        reason="",
        requested_by=wallet,
        typed_data={},
        signature=b"",
        expires_at=datetime.now(UTC),
    )


async def has_open_actions(app_context: AppContext) -> bool:
    """Whether anything that was asked for is not carried out yet."""
    async with app_context.database.read() as session:
        return bool(
            (
                await session.scalars(select(OperatorActionRow.nonce).where(OperatorActionRow.status == ActionStatus.REQUESTED))
            ).all()
        )


@dataclass(frozen=True)
class Scenario:
    """One request, or a Safe's proposal, and the wallet that acts on it; and, signed beforehand, what others will send."""

    request_id: int
    wallet: Address
    external_transactions: tuple[str, ...] = ()
    plan: PlanRequest | None = None
    """What the wallet is to carry out, where it is no request."""
    recovery_transactions: tuple[str, ...] = ()
    """What must have happened for the life to end well; sent by whoever takes it over."""


@dataclass(frozen=True)
class Runner:
    """A house, a chain on which blocks are made by hand, and a story to be lived there."""

    app_context: AppContext
    scenario: Scenario

    @property
    def _node(self) -> ChainRpc:
        return ChainRpc(self.app_context.settings.chain.rpc_url.get_secret_value())

    def chain(self, method: str, *params: Any) -> Any:
        return self._node.call(method, *params)

    def mine(self, blocks: int) -> None:
        for _ in range(blocks):
            self.chain("evm_mine")

    def send_external(self, *numbers: int) -> None:
        for number in numbers:
            self.chain("eth_sendRawTransaction", self.scenario.external_transactions[number])

    async def sweep(self) -> None:
        """What queues the call, as the scheduler has it done."""
        sending = self.app_context.settings.sending
        await settle_due(self.app_context.database, self.app_context.contracts, keeper=sending.keeper)
        await queue_decided_calls(self.app_context.database, self.app_context.contracts, approver=sending.approver)
        if self.scenario.plan is not None:
            await submit_plan(self.scenario.plan, None, self.app_context.plan_context)
        await sync_safes(self.app_context.safe_context)
        await execute_ready(self.app_context.safe_context, keeper=sending.keeper)

    async def drive(self, **options: Any) -> None:
        settings = self.app_context.settings.model_copy(
            update={"sending": self.app_context.settings.sending.model_copy(update=options)}
        )
        await drive_wallet(replace(self.app_context, settings=settings), checksum(self.scenario.wallet))

    def with_node(self, rpc: Rpc) -> "Runner":
        """The same, asking this node."""
        return replace(
            self, app_context=replace(self.app_context, contracts=FundContracts(rpc, self.app_context.contracts.addresses))
        )

    async def make_due(self) -> None:
        """What waits for its next check need not wait."""
        async with self.app_context.database.write() as session:
            await session.execute(update(IntentRow).values(next_check_at=text("now()")))

    async def request_action(self, kind: ActionKind) -> None:
        """What the desk writes down when a person asks; the wallet's trouble comes with the wish to clear it."""
        async with self.app_context.database.write() as session:
            intents = select(IntentRow.id).order_by(IntentRow.created_at.desc()).limit(1)
            of_wallet = kind is ActionKind.CLEAR_FAULT
            if of_wallet:
                await session.execute(update(WalletRow).values(fault=_FAULT))
            session.add(
                operator_action_row(kind, self.scenario.wallet, None if of_wallet else (await session.scalars(intents)).one())
            )

    async def latest_attempt(self) -> Attempt:
        async with self.app_context.database.read() as session:
            (intent,) = await list_open_intents(session, self.scenario.wallet)
            return intent.attempts[-1]


async def sent_once(runner: Runner) -> None:
    await runner.sweep()
    await runner.drive()
    runner.mine(1)
    await runner.drive()
    runner.mine(3)
    await runner.drive()


async def plan_steps(runner: Runner) -> None:
    """Two calls of the hot key: one takes effect, the other was not needed."""
    await runner.sweep()
    await runner.drive()
    runner.mine(1)
    await runner.drive()
    runner.mine(3)
    await runner.drive()


async def replaced(runner: Runner) -> None:
    """It is stuck, swept again, and the same call goes out for more."""
    await runner.sweep()
    await runner.drive()
    await runner.sweep()
    await runner.drive(stuck_seconds=0)
    runner.mine(3)
    await runner.drive()


async def cancelled(runner: Runner) -> None:
    """Forgotten by the node, and done by somebody else meanwhile: the nonce is used up by a self-send."""
    await runner.sweep()
    await runner.drive()
    runner.chain("anvil_dropAllTransactions")
    runner.send_external(0)
    runner.mine(3)
    await runner.drive(stuck_seconds=0)
    runner.mine(3)
    await runner.drive()


async def unfunded(runner: Runner) -> None:
    """No money; then money; gone again before the block; then there for good."""
    await runner.sweep()
    await runner.drive()
    runner.send_external(0)
    runner.mine(3)
    await runner.make_due()
    await runner.drive()
    runner.send_external(1)
    runner.mine(3)
    await runner.drive()
    runner.send_external(2)
    runner.mine(3)
    await runner.make_due()
    await runner.drive()
    runner.mine(3)
    await runner.drive()


async def nonce_used_externally(runner: Runner) -> None:
    """Somebody else has the key and uses the nonce of what is in flight."""
    await runner.sweep()
    await runner.drive()
    runner.chain("anvil_dropAllTransactions")
    runner.send_external(0)
    runner.mine(3)
    await runner.drive()
    runner.mine(3)
    await runner.drive()


async def mined_after_reorg(runner: Runner) -> None:
    """The replacement was mined, and then it was the older attempt after all."""
    await runner.sweep()
    await runner.drive()
    older = await runner.latest_attempt()
    await runner.drive(stuck_seconds=0)
    runner.mine(1)
    await runner.drive()
    runner.chain("anvil_rollback", 1)
    runner.chain("anvil_dropAllTransactions")
    runner.chain("eth_sendRawTransaction", hex0x(older.raw))
    runner.mine(1)
    await runner.drive()
    runner.mine(3)
    await runner.drive()


async def drained_before_broadcast(runner: Runner) -> None:
    """The wallet's money is gone between the signature and the broadcast, and comes back."""
    await runner.sweep()
    context = runner.app_context.new_sending_context()
    assert isinstance(await prepare_next(context, runner.scenario.wallet), Attempt)
    runner.chain("anvil_setBalance", checksum(runner.scenario.wallet), "0x1")
    await runner.drive()
    runner.chain("anvil_setBalance", checksum(runner.scenario.wallet), hex(10**20))
    await runner.drive()
    runner.mine(3)
    await runner.drive()


async def cancelled_by_operator(runner: Runner) -> None:
    """A person cancels what is in flight, and later wants it after all."""
    await runner.sweep()
    await runner.drive()
    await runner.request_action(ActionKind.CANCEL)
    await runner.drive()
    runner.mine(3)
    await runner.drive()
    await runner.request_action(ActionKind.RETRY)
    await runner.drive()
    runner.mine(3)
    await runner.drive()


async def sped_up(runner: Runner) -> None:
    """A person wants it sped up; and when it is final the node has thrown away the state of its block."""
    await runner.sweep()
    await runner.drive()
    await runner.request_action(ActionKind.SPEED_UP)
    await runner.drive()
    runner.mine(4)
    url = runner.app_context.settings.chain.rpc_url.get_secret_value()
    async with _PrunedNode(url) as rpc:
        await runner.with_node(rpc).drive()


class _PrunedNode(Rpc):
    """A node that does not have the state of the first block it is asked about by its hash."""

    def __init__(self, url: str) -> None:
        super().__init__(url, timeout_seconds=5, attempts_max=1)
        self.pruned_once: list[bool] = []  # one list for all views of the pool

    async def _exchange(self, requests: Sequence[Request], *, attempts_max: int | None = None) -> list[dict[str, Any]]:
        answers = await super()._exchange(requests, attempts_max=attempts_max)
        at_a_hash = [len(params) > 1 and isinstance(params[1], dict) for _, params in requests]
        is_pruned = any(at_a_hash) and not self.pruned_once
        self.pruned_once += [True] * is_pruned
        error = {"error": {"code": -32000, "message": "missing trie node"}}
        return [error if is_pruned and there else answer for there, answer in zip(at_a_hash, answers, strict=True)]


async def effect_unknown(runner: Runner) -> None:
    """What became of it is not told for minutes, which is made known; and then it is told."""
    await runner.sweep()
    await runner.drive()
    runner.mine(3)
    async with _StatusHidingNode(runner) as rpc:
        hidden = runner.with_node(rpc)
        await hidden.drive()
        async with runner.app_context.database.write() as session:
            aged = {"unknown_since": IntentRow.unknown_since - EFFECT_UNKNOWN_AFTER}
            await session.execute(update(IntentRow).values(aged))
        await hidden.make_due()
        await hidden.drive(wallet_refresh_seconds=0)
    await runner.make_due()
    await runner.drive()
    await runner.drive(wallet_refresh_seconds=0)


class _StatusHidingNode(Rpc):
    """A node that does not say how this story's request stands."""

    def __init__(self, runner: Runner) -> None:
        super().__init__(runner.app_context.settings.chain.rpc_url.get_secret_value(), timeout_seconds=5, attempts_max=1)
        manager = runner.app_context.contracts.abis[ContractName.REDEMPTION_MANAGER]
        self.effect_unknown = hex0x(manager.encode_call("getRedemptionRequest", runner.scenario.request_id))

    async def _exchange(self, requests: Sequence[Request], *, attempts_max: int | None = None) -> list[dict[str, Any]]:
        answers = await super()._exchange(requests, attempts_max=attempts_max)
        asked = [method == "eth_call" and params[0]["data"] == self.effect_unknown for method, params in requests]
        error = {"error": {"code": -32000, "message": "missing trie node"}}
        return [error if about_it else answer for about_it, answer in zip(asked, answers, strict=True)]


async def expired(runner: Runner) -> None:
    """Its deadline comes while it is in flight."""
    await runner.sweep()
    await runner.drive()
    async with runner.app_context.database.write() as session:
        await session.execute(update(IntentRow).values(expires_at=text("now()")))
    await runner.drive()
    runner.mine(3)
    await runner.drive()


async def fault_cleared(runner: Runner) -> None:
    """A wallet is in trouble, its node away for a while, and a person has dealt with the trouble."""
    await runner.sweep()
    async with Rpc("http://127.0.0.1:1", timeout_seconds=1, attempts_max=1) as away:
        await runner.with_node(away).drive()
    await runner.request_action(ActionKind.CLEAR_FAULT)
    await runner.drive()
    runner.mine(3)
    await runner.drive()


async def private(runner: Runner) -> None:
    """The private endpoint is down, then does not get it mined, and the policy lets it go public."""
    await runner.sweep()
    async with Rpc("http://127.0.0.1:1", timeout_seconds=1, attempts_max=1) as down:
        await replace(runner, app_context=replace(runner.app_context, private_rpc=down)).drive()
    await runner.drive()
    runner.chain("anvil_dropAllTransactions")
    runner.mine(3)
    await runner.drive(public_fallback=True, private_wait_blocks=1)
    runner.mine(3)
    await runner.drive(public_fallback=True)


@dataclass(frozen=True)
class Workflow:
    kind: IntentKind
    run: Callable[[Runner], Coroutine[Any, Any, None]]


WORKFLOWS: Final = {
    "settle": Workflow(IntentKind.SETTLE_REDEMPTION, sent_once),
    "approve": Workflow(IntentKind.APPROVE_REDEMPTION, sent_once),
    "reject": Workflow(IntentKind.REJECT_REDEMPTION, sent_once),
    "execute": Workflow(IntentKind.EXECUTE_SAFE, sent_once),
    "replaced": Workflow(IntentKind.APPROVE_REDEMPTION, replaced),
    "cancelled": Workflow(IntentKind.SETTLE_REDEMPTION, cancelled),
    "unfunded": Workflow(IntentKind.SETTLE_REDEMPTION, unfunded),
    "nonce_used_externally": Workflow(IntentKind.SETTLE_REDEMPTION, nonce_used_externally),
    "mined_after_reorg": Workflow(IntentKind.SETTLE_REDEMPTION, mined_after_reorg),
    "drained_before_broadcast": Workflow(IntentKind.SETTLE_REDEMPTION, drained_before_broadcast),
    "called off": Workflow(IntentKind.SETTLE_REDEMPTION, cancelled_by_operator),
    "sped_up": Workflow(IntentKind.SETTLE_REDEMPTION, sped_up),
    "expired": Workflow(IntentKind.SETTLE_REDEMPTION, expired),
    "effect_unknown": Workflow(IntentKind.SETTLE_REDEMPTION, effect_unknown),
    "private": Workflow(IntentKind.SETTLE_REDEMPTION, private),
    "fault_cleared": Workflow(IntentKind.SETTLE_REDEMPTION, fault_cleared),
    "plan_steps": Workflow(IntentKind.PLAN_STEP, plan_steps),
}


async def resume_until_idle(runner: Runner, *, drives_max: int = 8) -> None:
    """What a restarted house does, until it is quiet: sweeps and drives, while the chain moves on."""
    runner.chain("anvil_setBalance", checksum(runner.scenario.wallet), hex(10**20))
    for raw in runner.scenario.recovery_transactions:
        runner.chain("eth_sendRawTransaction", raw)
    runner.mine(3)
    for _ in range(drives_max):
        await runner.sweep()
        await runner.make_due()
        await runner.drive()
        async with runner.app_context.database.read() as session:
            still_open = await list_open_intents(session, runner.scenario.wallet)
        if not still_open and not await has_open_actions(runner.app_context):
            return
        runner.mine(3)
    raise AssertionError(f"still open: {[(each.status, each.reason) for each in still_open]}")
