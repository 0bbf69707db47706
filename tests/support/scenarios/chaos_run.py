"""A storm: senders work at once through faulty nodes while the chain reorganises and other people act, on the chain
and at the desk; then it clears.

One storm is drawn from one seed: each sender's faults, what happens on the chain in each round, who drives which wallet how
impatiently. How the senders' steps interleave within a round is the machine's, so a seed repeats the weather, not every
collision. Afterwards one house works on a sound node until nothing is open.
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
from tests.support.scenarios.setup import signed
from tests.support.scenarios.workflows import Story, Teller, open_wishes, wish

from paimon.application.transactions.queries import list_wallets_with_work
from paimon.composition import House
from paimon.domain.kernel.chain import Address, Hash32, checksum
from paimon.domain.transaction.operator_action import DeedKind, DeedState
from paimon.infrastructure.database.models.ops.operator_action import OperatorActionRow
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow
from paimon_devkit.stack.errors import DemoError

ROUNDS: Final = (2, 5)
NEVER: Final = 10**6
_PRICE_WEI: Final = 10**9
_RICH: Final = hex(10**20)
_DEEDS: Final = (DeedKind.SPEED_UP, DeedKind.CANCEL, DeedKind.RETRY)


@dataclass
class Storm:
    """`house` works on a sound node, `senders` each through the faulty node of its place."""

    fund: TestFund
    house: House
    senders: Sequence[House]
    nodes: Sequence[FaultyNode]
    wallets: Sequence[Address]
    others: Sequence[str]
    """What other people may do, signed beforehand; each is sent at most once."""
    seed: str = ""
    happened: list[str] = field(default_factory=list)
    elsewhere: set[Hash32] = field(default_factory=set)
    wishes: list[tuple[DeedKind, float]] = field(default_factory=list)

    async def rage(self, seed: str) -> None:
        """All of one storm, up to the calm."""
        self.seed, self.rng = seed, random.Random(seed)
        self.happened, self.elsewhere, self.unsent, self.wishes = [], set(), list(self.others), []
        self.began = self._head()
        self.nodes[0].finality.floor = self.began - FINAL_DEPTH
        chance = self.rng.choice((0.1, 0.25, 0.5))
        for place, node in enumerate(self.nodes):
            node.become(f"{seed}/{place}", chance)
        await asyncio.gather(*(self._teller(sender, self.wallets[0]).sweep() for sender in self.senders))
        for _ in range(self.rng.randint(*ROUNDS)):
            for _ in range(self.rng.randint(1, 2)):
                await self._something_happens()
            asked, self.wishes = self.wishes, []
            await asyncio.gather(*(self._work(sender) for sender in self.senders), self._ask(asked))
        await self._calm()

    def told(self) -> str:
        weather = "; ".join(f"sender {place}: {', '.join(node.met)}" for place, node in enumerate(self.nodes))
        return f"seed {self.seed}: {', '.join(self.happened)}; {weather}"

    async def _work(self, sender: House) -> None:
        impatience = {"stuck_seconds": self.rng.choice((0, NEVER, NEVER))}
        wallets = self.rng.sample(self.wallets, self.rng.randint(1, len(self.wallets)))
        teller = self._teller(sender, wallets[0])
        if self.rng.random() < 0.5:
            await teller.look_again()
        for wallet in wallets:
            await self._teller(sender, wallet).drive(**impatience)

    def _teller(self, house: House, wallet: Address) -> Teller:
        return Teller(house, Story(0, wallet))

    async def _calm(self) -> None:
        """The weather clears, the house restarts, and works until nothing is open."""
        self._chain("anvil_setNextBlockBaseFeePerGas", hex(_PRICE_WEI))
        for wallet in self.wallets:
            self._chain("anvil_setBalance", checksum(wallet), _RICH)
        teller = self._teller(self.house, self.wallets[0])
        await teller.sweep()
        for _ in range(12):
            await teller.look_again()
            for wallet in self.wallets:
                await self._teller(self.house, wallet).drive(stuck_seconds=NEVER)
            async with self.house.database.read() as session:
                is_idle = not await list_wallets_with_work(session)
            if is_idle and not await open_wishes(self.house):
                self._mine(1)  # what others sent last
                return
            self._mine(3)
        raise AssertionError("the weather cleared, and something is still open")

    async def _something_happens(self) -> None:
        what = self.rng.choices(list(_HAPPENINGS), list(_HAPPENINGS.values()))[0]
        self.happened.append(what.__name__.strip("_"))
        if asyncio.iscoroutine(done := what(self)):
            await done

    def _chain(self, method: str, *params: Any) -> Any:
        return self.fund.node.rpc.call(method, *params)

    def _head(self) -> int:
        return int(self._chain("eth_blockNumber"), 16)

    def _mine(self, blocks: int) -> None:
        for _ in range(blocks):
            self._chain("evm_mine")
            self.nodes[0].finality.at(self._head())

    # ------------------------------------------------------------------------------------------------- what happens

    def _blocks(self) -> None:
        self._mine(self.rng.randint(1, 4))

    async def _reorganisation(self) -> None:
        """Some blocks are gone; of what was in them, some comes back, in another order, and some the pool has lost."""
        head = self._head()
        deepest = min(head - self.nodes[0].finality.floor, head - self.began, FINAL_DEPTH - 1)
        if deepest < 1:
            return
        async with self.house.database.read() as session:
            raws = list(await session.scalars(select(AttemptRow.raw).order_by(func.md5(AttemptRow.raw))))
        self._try("anvil_rollback", self.rng.randint(1, deepest))  # refused once anvil has forgotten the block's state
        for raw in self.rng.sample(raws, self.rng.randint(0, len(raws))):
            self._try("eth_sendRawTransaction", "0x" + raw.hex())
        self._mine(self.rng.randint(0, 3))

    def _forgotten_pool(self) -> None:
        self._chain("anvil_dropAllTransactions")

    def _someone_acts(self) -> None:
        """Another person settles, approves or takes back what one of ours is about."""
        if self.unsent:
            self._try("eth_sendRawTransaction", self.unsent.pop(self.rng.randrange(len(self.unsent))))

    def _dear_block(self) -> None:
        self._chain("anvil_setNextBlockBaseFeePerGas", hex(_PRICE_WEI * self.rng.choice((2, 10, 60))))
        self._mine(1)

    def _empty_purse(self) -> None:
        self._chain("anvil_setBalance", checksum(self.rng.choice(self.wallets)), hex(10**9))

    def _full_purses(self) -> None:
        for wallet in self.wallets:
            self._chain("anvil_setBalance", checksum(wallet), _RICH)

    def _key_used_elsewhere(self) -> None:
        name = self.rng.choice(("keeper", "approver"))
        raw = signed(self.fund, name, self.fund.people.address(name))
        self._try("eth_sendRawTransaction", raw)
        self.elsewhere.add(Hash32(keccak(hexstr=raw)))

    def _someone_asks(self) -> None:
        """The desk is told what to do with some intent, whatever has become of it, while the senders work."""
        self.wishes.append((self.rng.choice(_DEEDS), self.rng.random()))
        self.happened[-1] += f" to {self.wishes[-1][0]}"

    async def _ask(self, wishes: Sequence[tuple[DeedKind, float]]) -> None:
        """Of one intent there is one wish at a time."""
        asked = exists().where(OperatorActionRow.intent_id == IntentRow.id, OperatorActionRow.state == DeedState.ASKED)
        query = select(IntentRow).where(~asked).order_by(IntentRow.idempotency_key)
        for kind, drawn in wishes:
            async with self.house.database.write() as session:
                if intents := (await session.scalars(query)).all():
                    about = intents[int(drawn * len(intents))]
                    session.add(wish(kind, Address(about.wallet), about.id))

    def _try(self, method: str, *params: Any) -> None:
        """The chain may refuse what others ask of it; that is theirs to bear."""
        try:
            self._chain(method, *params)
        except DemoError as error:
            self.happened[-1] += f" ({error})"


_HAPPENINGS: Final[dict[Callable[[Storm], Any], int]] = {
    Storm._blocks: 8,
    Storm._reorganisation: 8,
    Storm._forgotten_pool: 2,
    Storm._someone_acts: 2,
    Storm._dear_block: 2,
    Storm._empty_purse: 1,
    Storm._full_purses: 1,
    Storm._key_used_elsewhere: 1,
    Storm._someone_asks: 6,
}
