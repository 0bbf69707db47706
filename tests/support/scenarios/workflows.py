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

from paimon.application.approval_workflow.queue_call import carry_out_decided
from paimon.application.redemptions.settlement import settle_due
from paimon.application.transactions.driver.context import Desk
from paimon.application.transactions.driver.prepare import prepare_next
from paimon.application.transactions.multisig.execute import execute_ready
from paimon.application.transactions.multisig.sync import observe_safes
from paimon.application.transactions.plans.calls import WantedPlan
from paimon.application.transactions.plans.submit import submit_plan
from paimon.application.transactions.queries import list_open_intents
from paimon.composition import House
from paimon.domain.kernel.chain import Address, ContractName, Hash32, checksum, hex0x
from paimon.domain.risk.risk_event import UNTOLD_AFTER
from paimon.domain.transaction.lifecycle import IntentKind
from paimon.domain.transaction.operator_action import DeedKind, DeedState
from paimon.gateway.tasks.handlers import drive_wallet
from paimon.infrastructure.blockchain.contracts import FundContracts
from paimon.infrastructure.blockchain.rpc import Request, Rpc
from paimon.infrastructure.database.models.ops.operator_action import OperatorActionRow
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow, WalletRow
from paimon_devkit.stack.chain_rpc import ChainRpc

_TROUBLE: Final = "it was said to be in trouble"


def wish(kind: DeedKind, wallet: Address, intent_id: UUID | None) -> OperatorActionRow:
    """What the desk writes down when a person asks for this, as far as its carrying out depends on it."""
    return OperatorActionRow(
        nonce=Hash32(secrets.token_bytes(32)),
        kind=kind,
        wallet=wallet,
        intent_id=intent_id,
        about=_TROUBLE,
        reason="",
        asked_by=wallet,
        typed_data={},
        signature=b"",
        expires_at=datetime.now(UTC),
    )


async def open_wishes(house: House) -> bool:
    """Whether anything that was asked for is not carried out yet."""
    async with house.database.read() as session:
        return bool(
            (await session.scalars(select(OperatorActionRow.nonce).where(OperatorActionRow.state == DeedState.ASKED))).all()
        )


@dataclass(frozen=True)
class Story:
    """One request, or a Safe's proposal, and the wallet that acts on it; and, signed beforehand, what others will send."""

    request_id: int
    wallet: Address
    others: tuple[str, ...] = ()
    plan: WantedPlan | None = None
    """What the wallet is to carry out, where it is no request."""
    rescue: tuple[str, ...] = ()
    """What must have happened for the life to end well; sent by whoever takes it over."""


@dataclass(frozen=True)
class Teller:
    """A house, a chain on which blocks are made by hand, and a story to be lived there."""

    house: House
    story: Story

    @property
    def _node(self) -> ChainRpc:
        return ChainRpc(self.house.settings.chain.rpc_url.get_secret_value())

    def chain(self, method: str, *params: Any) -> Any:
        return self._node.call(method, *params)

    def mine(self, blocks: int) -> None:
        for _ in range(blocks):
            self.chain("evm_mine")

    def others_send(self, *numbers: int) -> None:
        for number in numbers:
            self.chain("eth_sendRawTransaction", self.story.others[number])

    async def sweep(self) -> None:
        """What queues the call, as the scheduler has it done."""
        sending = self.house.settings.sending
        await settle_due(self.house.database, self.house.contracts, keeper=sending.keeper)
        await carry_out_decided(self.house.database, self.house.contracts, approver=sending.approver)
        if self.story.plan is not None:
            await submit_plan(self.story.plan, None, self.house.plans)
        await observe_safes(self.house.safes)
        await execute_ready(self.house.safes, keeper=sending.keeper)

    async def drive(self, **options: Any) -> None:
        settings = self.house.settings.model_copy(update={"sending": self.house.settings.sending.model_copy(update=options)})
        await drive_wallet(replace(self.house, settings=settings), checksum(self.story.wallet))

    def with_node(self, rpc: Rpc) -> "Teller":
        """The same, asking this node."""
        return replace(self, house=replace(self.house, contracts=FundContracts(rpc, self.house.contracts.addresses)))

    async def look_again(self) -> None:
        """What waits for its next check need not wait."""
        async with self.house.database.write() as session:
            await session.execute(update(IntentRow).values(next_check_at=text("now()")))

    async def ask(self, kind: DeedKind) -> None:
        """What the desk writes down when a person asks; the wallet's trouble comes with the wish to clear it."""
        async with self.house.database.write() as session:
            intents = select(IntentRow.id).order_by(IntentRow.created_at.desc()).limit(1)
            of_wallet = kind is DeedKind.CLEAR_TROUBLE
            if of_wallet:
                await session.execute(update(WalletRow).values(trouble=_TROUBLE))
            session.add(wish(kind, self.story.wallet, None if of_wallet else (await session.scalars(intents)).one()))

    async def newest(self) -> AttemptRow:
        async with self.house.database.read() as session:
            (intent,) = await list_open_intents(session, self.story.wallet)
            return intent.attempts[-1]


async def plain(life: Teller) -> None:
    await life.sweep()
    await life.drive()
    life.mine(1)
    await life.drive()
    life.mine(3)
    await life.drive()


async def planned(life: Teller) -> None:
    """Two calls of the hot key: one takes effect, the other was not needed."""
    await life.sweep()
    await life.drive()
    life.mine(1)
    await life.drive()
    life.mine(3)
    await life.drive()


async def replaced(life: Teller) -> None:
    """It is stuck, swept again, and the same call goes out for more."""
    await life.sweep()
    await life.drive()
    await life.sweep()
    await life.drive(stuck_seconds=0)
    life.mine(3)
    await life.drive()


async def cancelled(life: Teller) -> None:
    """Forgotten by the node, and done by somebody else meanwhile: the nonce is used up by a self-send."""
    await life.sweep()
    await life.drive()
    life.chain("anvil_dropAllTransactions")
    life.others_send(0)
    life.mine(3)
    await life.drive(stuck_seconds=0)
    life.mine(3)
    await life.drive()


async def unfunded(life: Teller) -> None:
    """No money; then money; gone again before the block; then there for good."""
    await life.sweep()
    await life.drive()
    life.others_send(0)
    life.mine(3)
    await life.look_again()
    await life.drive()
    life.others_send(1)
    life.mine(3)
    await life.drive()
    life.others_send(2)
    life.mine(3)
    await life.look_again()
    await life.drive()
    life.mine(3)
    await life.drive()


async def taken(life: Teller) -> None:
    """Somebody else has the key and uses the nonce of what is in flight."""
    await life.sweep()
    await life.drive()
    life.chain("anvil_dropAllTransactions")
    life.others_send(0)
    life.mine(3)
    await life.drive()
    life.mine(3)
    await life.drive()


async def reorganised(life: Teller) -> None:
    """The replacement was mined, and then it was the older attempt after all."""
    await life.sweep()
    await life.drive()
    older = await life.newest()
    await life.drive(stuck_seconds=0)
    life.mine(1)
    await life.drive()
    life.chain("anvil_rollback", 1)
    life.chain("anvil_dropAllTransactions")
    life.chain("eth_sendRawTransaction", hex0x(older.raw))
    life.mine(1)
    await life.drive()
    life.mine(3)
    await life.drive()


async def poor(life: Teller) -> None:
    """The wallet's money is gone between the signature and the broadcast, and comes back."""
    await life.sweep()
    house = life.house
    desk = Desk(
        house.database, house.contracts, house.chain, house.signer, house.settings.sending, house.settings.chain.chain_id
    )
    assert isinstance(await prepare_next(desk, life.story.wallet), AttemptRow)
    life.chain("anvil_setBalance", checksum(life.story.wallet), "0x1")
    await life.drive()
    life.chain("anvil_setBalance", checksum(life.story.wallet), hex(10**20))
    await life.drive()
    life.mine(3)
    await life.drive()


async def called_off(life: Teller) -> None:
    """A person cancels what is in flight, and later wants it after all."""
    await life.sweep()
    await life.drive()
    await life.ask(DeedKind.CANCEL)
    await life.drive()
    life.mine(3)
    await life.drive()
    await life.ask(DeedKind.RETRY)
    await life.drive()
    life.mine(3)
    await life.drive()


async def hurried(life: Teller) -> None:
    """A person wants it sped up; and when it is final the node has thrown away the state of its block."""
    await life.sweep()
    await life.drive()
    await life.ask(DeedKind.SPEED_UP)
    await life.drive()
    life.mine(4)
    url = life.house.settings.chain.rpc_url.get_secret_value()
    async with _Forgetful(url) as rpc:
        await life.with_node(rpc).drive()


class _Forgetful(Rpc):
    """A node that does not have the state of the first block it is asked about by its hash."""

    def __init__(self, url: str) -> None:
        super().__init__(url, timeout_seconds=5, attempts_max=1)
        self.forgot: list[bool] = []  # one list for all views of the pool

    async def _exchange(self, requests: Sequence[Request], *, attempts_max: int | None = None) -> list[dict[str, Any]]:
        answers = await super()._exchange(requests, attempts_max=attempts_max)
        at_a_hash = [len(params) > 1 and isinstance(params[1], dict) for _, params in requests]
        forgets = any(at_a_hash) and not self.forgot
        self.forgot += [True] * forgets
        error = {"error": {"code": -32000, "message": "missing trie node"}}
        return [error if forgets and there else answer for there, answer in zip(at_a_hash, answers, strict=True)]


async def untold(life: Teller) -> None:
    """What became of it is not told for minutes, which is made known; and then it is told."""
    await life.sweep()
    await life.drive()
    life.mine(3)
    async with _Reticent(life) as rpc:
        reticent = life.with_node(rpc)
        await reticent.drive()
        async with life.house.database.write() as session:
            aged = {"untold_since": IntentRow.untold_since - UNTOLD_AFTER}
            await session.execute(update(IntentRow).values(aged))
        await reticent.look_again()
        await reticent.drive(look_seconds=0)
    await life.look_again()
    await life.drive()
    await life.drive(look_seconds=0)


class _Reticent(Rpc):
    """A node that does not say how this story's request stands."""

    def __init__(self, life: Teller) -> None:
        super().__init__(life.house.settings.chain.rpc_url.get_secret_value(), timeout_seconds=5, attempts_max=1)
        manager = life.house.contracts.abis[ContractName.REDEMPTION_MANAGER]
        self.untold = hex0x(manager.encode_call("getRedemptionRequest", life.story.request_id))

    async def _exchange(self, requests: Sequence[Request], *, attempts_max: int | None = None) -> list[dict[str, Any]]:
        answers = await super()._exchange(requests, attempts_max=attempts_max)
        asked = [method == "eth_call" and params[0]["data"] == self.untold for method, params in requests]
        error = {"error": {"code": -32000, "message": "missing trie node"}}
        return [error if about_it else answer for about_it, answer in zip(asked, answers, strict=True)]


async def expired(life: Teller) -> None:
    """Its deadline comes while it is in flight."""
    await life.sweep()
    await life.drive()
    async with life.house.database.write() as session:
        await session.execute(update(IntentRow).values(expires_at=text("now()")))
    await life.drive()
    life.mine(3)
    await life.drive()


async def untroubled(life: Teller) -> None:
    """A wallet is in trouble, its node away for a while, and a person has dealt with the trouble."""
    await life.sweep()
    async with Rpc("http://127.0.0.1:1", timeout_seconds=1, attempts_max=1) as away:
        await life.with_node(away).drive()
    await life.ask(DeedKind.CLEAR_TROUBLE)
    await life.drive()
    life.mine(3)
    await life.drive()


async def private(life: Teller) -> None:
    """The private endpoint is down, then does not get it mined, and the policy lets it go public."""
    await life.sweep()
    async with Rpc("http://127.0.0.1:1", timeout_seconds=1, attempts_max=1) as down:
        await replace(life, house=replace(life.house, private_rpc=down)).drive()
    await life.drive()
    life.chain("anvil_dropAllTransactions")
    life.mine(3)
    await life.drive(public_fallback=True, private_blocks=1)
    life.mine(3)
    await life.drive(public_fallback=True)


@dataclass(frozen=True)
class Life:
    kind: IntentKind
    live: Callable[[Teller], Coroutine[Any, Any, None]]


LIVES: Final = {
    "settle": Life(IntentKind.SETTLE_REDEMPTION, plain),
    "approve": Life(IntentKind.APPROVE_REDEMPTION, plain),
    "reject": Life(IntentKind.REJECT_REDEMPTION, plain),
    "execute": Life(IntentKind.EXECUTE_SAFE, plain),
    "replaced": Life(IntentKind.APPROVE_REDEMPTION, replaced),
    "cancelled": Life(IntentKind.SETTLE_REDEMPTION, cancelled),
    "unfunded": Life(IntentKind.SETTLE_REDEMPTION, unfunded),
    "taken": Life(IntentKind.SETTLE_REDEMPTION, taken),
    "reorganised": Life(IntentKind.SETTLE_REDEMPTION, reorganised),
    "poor": Life(IntentKind.SETTLE_REDEMPTION, poor),
    "called off": Life(IntentKind.SETTLE_REDEMPTION, called_off),
    "hurried": Life(IntentKind.SETTLE_REDEMPTION, hurried),
    "expired": Life(IntentKind.SETTLE_REDEMPTION, expired),
    "untold": Life(IntentKind.SETTLE_REDEMPTION, untold),
    "private": Life(IntentKind.SETTLE_REDEMPTION, private),
    "untroubled": Life(IntentKind.SETTLE_REDEMPTION, untroubled),
    "planned": Life(IntentKind.PLAN_STEP, planned),
}


async def go_on(life: Teller, *, drives_max: int = 8) -> None:
    """What a restarted house does, until it is quiet: sweeps and drives, while the chain moves on."""
    life.chain("anvil_setBalance", checksum(life.story.wallet), hex(10**20))
    for raw in life.story.rescue:
        life.chain("eth_sendRawTransaction", raw)
    life.mine(3)
    for _ in range(drives_max):
        await life.sweep()
        await life.look_again()
        await life.drive()
        async with life.house.database.read() as session:
            still_open = await list_open_intents(session, life.story.wallet)
        if not still_open and not await open_wishes(life.house):
            return
        life.mine(3)
    raise AssertionError(f"still open: {[(each.status, each.reason) for each in still_open]}")
