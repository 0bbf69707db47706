"""A chaos run: senders work at once through faulty nodes, the chain reorganises, and other accounts and operators act.

One seed draws one run: each sender's faults, the events on chain in each round, which sender drives which wallet and how soon
it replaces. The machine decides how the senders' steps interleave within a round, so that a seed repeats the faults, not
every collision. Afterwards one context works on a sound node until nothing is open.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from eth_utils.crypto import keccak
from sqlalchemy import exists, func, select
from tests.support.chain.fund import TestFund
from tests.support.faults.faulty_node import FINAL_DEPTH, FaultyNode
from tests.support.scenarios.setup import signed_transaction
from tests.support.scenarios.workflows import Runner, Scenario, has_open_actions, operator_action_row

from paimon.application.transactions.queries import list_wallets_with_work
from paimon.composition import AppContext
from paimon.domain.kernel.chain import Address, Hash32, checksum
from paimon.domain.transaction.operator_action import ActionKind, ActionStatus
from paimon.infrastructure.database.models.ops.operator_action import OperatorActionRow
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow
from paimon_devkit.stack.errors import DemoError

ROUNDS: Final = (2, 5)
NEVER: Final = 10**6
_PRICE_WEI: Final = 10**9
_FULL_BALANCE: Final = hex(10**20)
_ACTION_KINDS: Final = (ActionKind.SPEED_UP, ActionKind.CANCEL, ActionKind.RETRY)


@dataclass
class ChaosRun:
    """`app_context` works on a sound node, each of `senders` through the faulty node at its index."""

    fund: TestFund
    app_context: AppContext
    senders: Sequence[AppContext]
    nodes: Sequence[FaultyNode]
    wallets: Sequence[Address]
    external_transactions: Sequence[str]
    """Transactions of other accounts, signed beforehand; each is sent at most once."""
    seed: str = ""
    events: list[str] = field(default_factory=list)
    external_hashes: set[Hash32] = field(default_factory=set)
    action_requests: list[tuple[ActionKind, float]] = field(default_factory=list)

    async def run(self, seed: str) -> None:
        """Run all rounds of one seed, and recover."""
        self.seed, self.rng = seed, random.Random(seed)
        self.events, self.external_hashes, self.unsent, self.action_requests = [], set(), list(self.external_transactions), []
        self.began = self._head()
        self.nodes[0].finality.final_max = self.began - FINAL_DEPTH
        chance = self.rng.choice((0.1, 0.25, 0.5))
        for index, node in enumerate(self.nodes):
            node.restart_profile(f"{seed}/{index}", chance)
        await asyncio.gather(*(self._runner(sender, self.wallets[0]).sweep() for sender in self.senders))
        for _ in range(self.rng.randint(*ROUNDS)):
            for _ in range(self.rng.randint(1, 2)):
                await self._apply_random_event()
            requested, self.action_requests = self.action_requests, []
            await asyncio.gather(*(self._work(sender) for sender in self.senders), self._submit_actions(requested))
        await self._recover()

    def describe(self) -> str:
        faults = "; ".join(f"sender {index}: {', '.join(node.faults_met)}" for index, node in enumerate(self.nodes))
        return f"seed {self.seed}: {', '.join(self.events)}; {faults}"

    async def _work(self, sender: AppContext) -> None:
        options = {"stuck_seconds": self.rng.choice((0, NEVER, NEVER))}
        wallets = self.rng.sample(self.wallets, self.rng.randint(1, len(self.wallets)))
        runner = self._runner(sender, wallets[0])
        if self.rng.random() < 0.5:
            await runner.make_due()
        for wallet in wallets:
            await self._runner(sender, wallet).drive(**options)

    def _runner(self, app_context: AppContext, wallet: Address) -> Runner:
        return Runner(app_context, Scenario(0, wallet))

    async def _recover(self) -> None:
        """End every fault, restart, and work until nothing is open."""
        self._chain("anvil_setNextBlockBaseFeePerGas", hex(_PRICE_WEI))
        for wallet in self.wallets:
            self._chain("anvil_setBalance", checksum(wallet), _FULL_BALANCE)
        runner = self._runner(self.app_context, self.wallets[0])
        await runner.sweep()
        for _ in range(12):
            await runner.make_due()
            for wallet in self.wallets:
                await self._runner(self.app_context, wallet).drive(stuck_seconds=NEVER)
            async with self.app_context.database.read() as session:
                is_idle = not await list_wallets_with_work(session)
            if is_idle and not await has_open_actions(self.app_context):
                self._mine(1)  # what other accounts sent last
                return
            self._mine(3)
        raise AssertionError("the faults ended, and something is still open")

    async def _apply_random_event(self) -> None:
        event = self.rng.choices(list(_EVENTS), list(_EVENTS.values()))[0]
        self.events.append(event.__name__.strip("_"))
        if asyncio.iscoroutine(done := event(self)):
            await done

    def _chain(self, method: str, *params: Any) -> Any:
        return self.fund.node.rpc.call(method, *params)

    def _head(self) -> int:
        return int(self._chain("eth_blockNumber"), 16)

    def _mine(self, blocks: int) -> None:
        for _ in range(blocks):
            self._chain("evm_mine")
            self.nodes[0].finality.at(self._head())

    # --------------------------------------------------------------------------------------------------------- events

    def _mine_blocks(self) -> None:
        self._mine(self.rng.randint(1, 4))

    async def _reorganize(self) -> None:
        """Roll back some blocks; some of their transactions come back in another order, and the pool loses the others."""
        head = self._head()
        deepest = min(head - self.nodes[0].finality.final_max, head - self.began, FINAL_DEPTH - 1)
        if deepest < 1:
            return
        async with self.app_context.database.read() as session:
            raws = list(await session.scalars(select(AttemptRow.raw).order_by(func.md5(AttemptRow.raw))))
        self._try("anvil_rollback", self.rng.randint(1, deepest))  # anvil refuses once it has forgotten the block's state
        for raw in self.rng.sample(raws, self.rng.randint(0, len(raws))):
            self._try("eth_sendRawTransaction", "0x" + raw.hex())
        self._mine(self.rng.randint(0, 3))

    def _drop_pool(self) -> None:
        self._chain("anvil_dropAllTransactions")

    def _send_external(self) -> None:
        """Another account settles, approves or cancels a request that an intent is about."""
        if self.unsent:
            self._try("eth_sendRawTransaction", self.unsent.pop(self.rng.randrange(len(self.unsent))))

    def _mine_expensive_block(self) -> None:
        self._chain("anvil_setNextBlockBaseFeePerGas", hex(_PRICE_WEI * self.rng.choice((2, 10, 60))))
        self._mine(1)

    def _drain_wallet(self) -> None:
        self._chain("anvil_setBalance", checksum(self.rng.choice(self.wallets)), hex(10**9))

    def _refill_wallets(self) -> None:
        for wallet in self.wallets:
            self._chain("anvil_setBalance", checksum(wallet), _FULL_BALANCE)

    def _use_key_externally(self) -> None:
        name = self.rng.choice(("keeper", "approver"))
        raw = signed_transaction(self.fund, name, self.fund.accounts.address(name))
        self._try("eth_sendRawTransaction", raw)
        self.external_hashes.add(Hash32(keccak(hexstr=raw)))

    def _request_operator_action(self) -> None:
        """Request an action on some intent, in any status, while the senders work."""
        self.action_requests.append((self.rng.choice(_ACTION_KINDS), self.rng.random()))
        self.events[-1] += f" to {self.action_requests[-1][0]}"

    async def _submit_actions(self, action_requests: Sequence[tuple[ActionKind, float]]) -> None:
        """Store the actions; an intent has one requested action at a time."""
        requested = exists().where(
            OperatorActionRow.intent_id == IntentRow.id, OperatorActionRow.status == ActionStatus.REQUESTED
        )
        query = select(IntentRow).where(~requested).order_by(IntentRow.idempotency_key)
        for kind, position in action_requests:
            async with self.app_context.database.write() as session:
                if intents := (await session.scalars(query)).all():
                    target = intents[int(position * len(intents))]
                    session.add(operator_action_row(kind, Address(target.wallet), target.id))

    def _try(self, method: str, *params: Any) -> None:
        """Call the chain, and record a refusal as part of the event."""
        try:
            self._chain(method, *params)
        except DemoError as error:
            self.events[-1] += f" ({error})"


_EVENTS: Final[dict[Callable[[ChaosRun], Any], int]] = {
    ChaosRun._mine_blocks: 8,
    ChaosRun._reorganize: 8,
    ChaosRun._drop_pool: 2,
    ChaosRun._send_external: 2,
    ChaosRun._mine_expensive_block: 2,
    ChaosRun._drain_wallet: 1,
    ChaosRun._refill_wallets: 1,
    ChaosRun._use_key_externally: 1,
    ChaosRun._request_operator_action: 6,
}
