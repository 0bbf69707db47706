"""Workflows of sending: the whole course of a call from the moment it is due to its end, by the worker's own functions.

A workflow does what worker processes do: the sweep queues the call, drives track it, and the chain moves on in between. It
takes the same steps each time, so that it can be cut off anywhere. What other accounts do on chain meanwhile is signed
beforehand. A workflow ends well when nothing cuts it off, and also when `resume_until_idle` takes over, wherever it was cut.
"""

import secrets
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, text, update
from tests.support.database_roles import WITHOUT_TRIGGERS

from paimon.application.approval_workflow.queue_call import queue_decided_calls
from paimon.application.rebalance_engine.planner_signature import Planner
from paimon.application.rebalance_engine.rebalance import rebalance_once
from paimon.application.redemptions.settlement import settle_due
from paimon.application.transactions.driver.prepare import prepare_next
from paimon.application.transactions.multisig.execute import execute_ready
from paimon.application.transactions.multisig.sync import sync_safes
from paimon.application.transactions.plans.calls import PlanRequest
from paimon.application.transactions.plans.submit import PlanSignature, submit_plan
from paimon.application.transactions.queries import list_open_intents
from paimon.composition import AppContext
from paimon.domain.kernel.chain import Address, ContractName, Hash32, checksum, hex0x
from paimon.domain.risk.risk_event import EFFECT_UNKNOWN_AFTER
from paimon.domain.transaction.attempt import Attempt
from paimon.domain.transaction.lifecycle import IntentKind
from paimon.domain.transaction.operator_action import ActionKind, ActionStatus
from paimon.domain.user.roles import User, UserRole
from paimon.gateway.cli.keystore_signing import DocumentSigner
from paimon.gateway.tasks.handlers import drive_wallet
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.rpc.endpoint import Request
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.models.ops.operator_action import OperatorActionRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow, WalletRow
from paimon.infrastructure.keys.local_key import LocalKey
from paimon_devkit.stack.chain_rpc import ChainRpc

_FAULT: Final = "a fault made by a test"


def operator_action_row(kind: ActionKind, wallet: Address, intent_id: UUID | None) -> OperatorActionRow:
    """Make the row of an operator action, as far as the driver depends on it."""
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
    """Return whether an operator action is requested and not carried out."""
    async with app_context.database.read() as session:
        return bool(
            (
                await session.scalars(select(OperatorActionRow.nonce).where(OperatorActionRow.status == ActionStatus.REQUESTED))
            ).all()
        )


@dataclass(frozen=True)
class Scenario:
    """One request, proposal or plan, the wallet that acts on it, and the signed transactions of other accounts."""

    request_id: int
    wallet: Address
    external_transactions: tuple[str, ...] = ()
    plan: PlanRequest | None = None
    """The plan that the wallet carries out, in place of a request."""
    plan_signature: PlanSignature | None = None
    recovery_transactions: tuple[str, ...] = ()
    """What must happen for the workflow to end well; sent by the process that takes over."""
    planner_key: bytes | None = None
    """The key that signs the plans of a planner's workflow."""


@dataclass(frozen=True)
class Runner:
    """Runs one scenario with an application context, on a chain whose blocks are mined by hand."""

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
        """Queue the call, as the scheduler's jobs do."""
        sending = self.app_context.settings.sending
        redemption = self.app_context.settings.redemption
        await settle_due(self.app_context.database, self.app_context.contracts, keeper=sending.keeper, options=redemption)
        scope = self.app_context.signing_rules.scope
        await queue_decided_calls(self.app_context.database, self.app_context.contracts, approver=sending.approver, scope=scope)
        if self.scenario.plan is not None:
            assert self.scenario.plan_signature is not None
            await submit_plan(self.scenario.plan, self.scenario.plan_signature, self.app_context.plan_context)
        await sync_safes(self.app_context.safe_context)
        await execute_ready(self.app_context.safe_context, keeper=sending.keeper)

    async def drive(self, **options: Any) -> None:
        settings = self.app_context.settings.model_copy(
            update={"sending": self.app_context.settings.sending.model_copy(update=options)}
        )
        await drive_wallet(replace(self.app_context, settings=settings), checksum(self.scenario.wallet))

    def with_node(self, rpc: Rpc) -> "Runner":
        """Return this runner with another node."""
        return replace(
            self, app_context=replace(self.app_context, contracts=FundContracts(rpc, self.app_context.contracts.addresses))
        )

    async def make_due(self) -> None:
        """Make every next check due now."""
        async with self.app_context.database.write() as session:
            await session.execute(update(IntentRow).values(next_check_at=text("now()")))

    async def request_action(self, kind: ActionKind) -> None:
        """Store an operator action. A clear-fault action brings the fault with it."""
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
    """Two calls of the hot key: one takes effect, the other is not needed."""
    await runner.sweep()
    await runner.drive()
    runner.mine(1)
    await runner.drive()
    runner.mine(3)
    await runner.drive()
    await runner.drive(wallet_refresh_seconds=0)  # judges what the hot key sent, once it is final


async def replaced(runner: Runner) -> None:
    """The call is stuck, swept again, and sent again for a higher fee."""
    await runner.sweep()
    await runner.drive()
    await runner.sweep()
    await runner.drive(stuck_seconds=0)
    runner.mine(3)
    await runner.drive()


async def resent(runner: Runner) -> None:
    """The call is stuck and has no attempt left: its bytes go to every write endpoint again."""
    await runner.sweep()
    await runner.drive()
    await runner.drive(stuck_seconds=0, attempts_max=1)
    runner.mine(3)
    await runner.drive()


async def cancelled(runner: Runner) -> None:
    """The node forgets the call and someone else settles: a self-send uses up the nonce."""
    await runner.sweep()
    await runner.drive()
    runner.chain("anvil_dropAllTransactions")
    runner.send_external(0)
    runner.mine(3)
    await runner.drive(stuck_seconds=0)
    runner.mine(3)
    await runner.drive()


async def unfunded(runner: Runner) -> None:
    """The fund lacks the money, gets it, loses it again before the block, and then has it for good."""
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
    """Someone else has the key and uses the nonce in flight."""
    await runner.sweep()
    await runner.drive()
    runner.chain("anvil_dropAllTransactions")
    runner.send_external(0)
    runner.mine(3)
    await runner.drive()
    runner.mine(3)
    await runner.drive()


async def mined_after_reorg(runner: Runner) -> None:
    """The replacement is mined; after a reorganisation the older attempt is."""
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
    """The wallet loses its money between the signature and the broadcast, and gets it back."""
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
    """An operator cancels the intent in flight, and later retries it."""
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
    """An operator speeds up the intent; when it is final, the node has pruned the state of its block."""
    await runner.sweep()
    await runner.drive()
    await runner.request_action(ActionKind.SPEED_UP)
    await runner.drive()
    runner.mine(4)
    url = runner.app_context.settings.chain.rpc_url.get_secret_value()
    async with _PrunedNode(url) as rpc:
        await runner.with_node(rpc).drive()


class _PrunedNode(Rpc):
    """A node without the state of the first block that is read by its hash."""

    def __init__(self, url: str) -> None:
        super().__init__(url, timeout_seconds=5, attempts_max=1)
        self.pruned_once: list[bool] = []  # one list for all views of the pool

    async def _exchange(self, requests: Sequence[Request], *, attempts_max: int | None = None) -> list[dict[str, Any]]:
        answers = await super()._exchange(requests, attempts_max=attempts_max)
        reads_by_hash = [len(params) > 1 and isinstance(params[1], dict) for _, params in requests]
        is_pruned = any(reads_by_hash) and not self.pruned_once
        self.pruned_once += [True] * is_pruned
        error = {"error": {"code": -32000, "message": "missing trie node"}}
        return [error if is_pruned and by_hash else answer for by_hash, answer in zip(reads_by_hash, answers, strict=True)]


async def effect_unknown(runner: Runner) -> None:
    """The node does not tell the effect for minutes, which opens a risk event, and then tells it."""
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
    """A node that fails the read of this scenario's request."""

    def __init__(self, runner: Runner) -> None:
        super().__init__(runner.app_context.settings.chain.rpc_url.get_secret_value(), timeout_seconds=5, attempts_max=1)
        manager = runner.app_context.contracts.abis[ContractName.REDEMPTION_MANAGER]
        self.hidden_read = hex0x(manager.encode_call("getRedemptionRequest", runner.scenario.request_id))

    async def _exchange(self, requests: Sequence[Request], *, attempts_max: int | None = None) -> list[dict[str, Any]]:
        answers = await super()._exchange(requests, attempts_max=attempts_max)
        is_hidden = [method == "eth_call" and params[0]["data"] == self.hidden_read for method, params in requests]
        error = {"error": {"code": -32000, "message": "missing trie node"}}
        return [error if hidden else answer for hidden, answer in zip(is_hidden, answers, strict=True)]


async def expired(runner: Runner) -> None:
    """The deadline passes while the intent is in flight."""
    await runner.sweep()
    await runner.drive()
    async with runner.app_context.database.write() as session:
        await session.execute(WITHOUT_TRIGGERS)
        await session.execute(update(IntentRow).values(expires_at=text("now()")))
    await runner.drive()
    runner.mine(3)
    await runner.drive()


async def fault_cleared(runner: Runner) -> None:
    """A wallet has a fault, its node is away for a while, and an operator clears the fault."""
    await runner.sweep()
    async with Rpc("http://127.0.0.1:1", timeout_seconds=1, attempts_max=1) as away:
        await runner.with_node(away).drive()
    await runner.request_action(ActionKind.CLEAR_FAULT)
    await runner.drive()
    runner.mine(3)
    await runner.drive()


async def private(runner: Runner) -> None:
    """The private endpoint is down, then withholds the transaction, and the fallback makes it public."""
    await runner.sweep()
    async with Rpc("http://127.0.0.1:1", timeout_seconds=1, attempts_max=1) as down:
        await replace(runner, app_context=replace(runner.app_context, private_rpc=down)).drive()
    await runner.drive()
    runner.chain("anvil_dropAllTransactions")
    runner.mine(3)
    await runner.drive(public_fallback=True, private_wait_blocks=1)
    runner.mine(3)
    await runner.drive(public_fallback=True)


async def rebalanced(runner: Runner) -> None:
    """One look of the planner at a fund that is off target: a decision, and its plan."""
    assert runner.scenario.planner_key is not None
    key = LocalKey(runner.scenario.planner_key)
    signer = DocumentSigner(User(key.address, UserRole.OPERATOR, "planner"), key)
    context = runner.app_context.rebalance_context(runner.app_context.plan_context)
    await rebalance_once(Planner(signer.user, signer.sign), context)


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
    "resent": Workflow(IntentKind.APPROVE_REDEMPTION, resent),
    "cancelled": Workflow(IntentKind.SETTLE_REDEMPTION, cancelled),
    "unfunded": Workflow(IntentKind.SETTLE_REDEMPTION, unfunded),
    "nonce_used_externally": Workflow(IntentKind.SETTLE_REDEMPTION, nonce_used_externally),
    "mined_after_reorg": Workflow(IntentKind.SETTLE_REDEMPTION, mined_after_reorg),
    "drained_before_broadcast": Workflow(IntentKind.SETTLE_REDEMPTION, drained_before_broadcast),
    "cancelled_by_operator": Workflow(IntentKind.SETTLE_REDEMPTION, cancelled_by_operator),
    "sped_up": Workflow(IntentKind.SETTLE_REDEMPTION, sped_up),
    "expired": Workflow(IntentKind.SETTLE_REDEMPTION, expired),
    "effect_unknown": Workflow(IntentKind.SETTLE_REDEMPTION, effect_unknown),
    "private": Workflow(IntentKind.SETTLE_REDEMPTION, private),
    "fault_cleared": Workflow(IntentKind.SETTLE_REDEMPTION, fault_cleared),
    "plan_steps": Workflow(IntentKind.PLAN_STEP, plan_steps),
}


async def resume_until_idle(runner: Runner, *, drives_max: int = 8) -> None:
    """Sweep and drive as a restarted worker does, while the chain moves on, until nothing is open."""
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
    raise AssertionError(f"still open: {[(intent.status, intent.reason) for intent in still_open]}")


PLANNER_WORKFLOWS: Final = {"rebalance": Workflow(IntentKind.PLAN_STEP, rebalanced)}
"""Those of the planner, which sends nothing itself."""
