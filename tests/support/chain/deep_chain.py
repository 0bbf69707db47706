"""A fund on a chain whose last 32 blocks are not final: what people do on it, and how it reorganises.

Nobody signs: the node lets anyone send as anyone, so that a transaction can come back in another block, or not at all. What
the contracts refuse is mined as a failure; nothing here needs to know what is allowed.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import aiohttp
from tests.support.chain.fund import WAD, TestFund, start_fund
from tests.support.faults.chain_proxy import EPOCH_SLOTS, FINAL_DEPTH
from tests.support.paths import CONTRACTS

from paimon.domain.kernel.chain import OnChainRole
from paimon_devkit.stack.accounts import ADMIN, INVESTORS
from paimon_devkit.stack.embedded_chain import find_anvil

_UNLIMITED: Final = 2**255
_SPARE_TOKENS: Final = 4
_reset_offsets: Final = count(1)

RpcTransaction = dict[str, str]
"""A transaction as `eth_sendTransaction` takes it."""


@dataclass(frozen=True)
class SpareContracts:
    """What is deployed and not yet of the fund: tokens to add as assets, an OTC manager to appoint."""

    tokens: tuple[str, ...]
    otc_manager: str


@dataclass
class DeepChain:
    fund: TestFund
    spare_contracts: SpareContracts
    session: aiohttp.ClientSession
    base: int = 0
    final_max: int = 0
    """The highest block that was ever final: nothing at or below it is reorganised."""
    _head: int = 0
    _mined_transactions: dict[int, list[RpcTransaction]] = field(default_factory=dict)
    _snapshot: Any = None

    async def reset(self) -> None:
        """As it was right after the fund's deployment, which is final."""
        if self._snapshot is not None:
            await self.call("evm_revert", self._snapshot)
        self._snapshot = await self.call("evm_snapshot")
        self._mined_transactions.clear()
        # Blocks that never were: the chain forgets the states of old ones by their hash.
        await self.call("evm_increaseTime", next(_reset_offsets))
        await self.mine(FINAL_DEPTH + 1)
        self.final_max = self.base = self._head - FINAL_DEPTH

    async def undo(self) -> None:
        await self.call("evm_revert", self._snapshot)

    async def call(self, method: str, *params: Any) -> Any:
        (answer,) = await self._batch([(method, *params)])
        return answer["result"]

    async def _batch(self, calls: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
        bodies = [{"jsonrpc": "2.0", "id": place, "method": each[0], "params": each[1:]} for place, each in enumerate(calls)]
        async with self.session.post(self.fund.rpc_url, json=bodies) as response:
            answers: list[dict[str, Any]] = await response.json(content_type=None)
        return answers

    async def mine(self, blocks: int) -> None:
        await self.call("anvil_mine", hex(blocks))
        await self._read_head()

    async def mine_block(self, transactions: list[RpcTransaction]) -> None:
        """A block with these in it, in this order where one person sent them."""
        await self._batch([*(("eth_sendTransaction", each) for each in transactions), ("evm_mine",)])
        await self._read_head()
        self._mined_transactions[self._head] = transactions

    async def pass_days(self, days: int) -> None:
        await self.call("evm_increaseTime", days * 86_400)
        await self.mine(1)

    async def reorganise(self, depth: int, *, reinclusion_chance: float, rng: random.Random) -> int:
        """The last blocks, as many of `depth` as are not final, give way to others; how many. Of what was in them some
        comes back, in another order."""
        depth = min(depth, self._head - max(self.final_max, self.base + FINAL_DEPTH))
        if depth < 1:
            return 0
        await self._batch([("anvil_rollback", depth), ("evm_increaseTime", rng.randint(1, 9))])
        gone = [
            each
            for number in sorted(self._mined_transactions)
            if number > self._head - depth
            for each in self._mined_transactions.pop(number)
        ]
        self._head -= depth
        back = [each for each in gone if rng.random() < reinclusion_chance]
        rng.shuffle(back)
        while back:
            here = rng.randint(1, 4)
            await self.mine_block(back[:here])
            back = back[here:]
        await self.mine(rng.randint(1, depth + 2))
        return depth

    async def finalize_all(self) -> int:
        """The last block in which anything happened is final; the final block's number."""
        await self.mine(FINAL_DEPTH + 1)
        return self.final_max

    async def _read_head(self) -> None:
        self._head = int(await self.call("eth_blockNumber"), 16)
        self.final_max = max(self.final_max, self._head - FINAL_DEPTH)


@contextmanager
def deploy_deep_chain(data: Path) -> Iterator[tuple[TestFund, SpareContracts]]:
    """The fund, with everything at hand that the deeds need, on a chain that mines only when told."""
    fund = start_fund(data, anvil=find_anvil(CONTRACTS), slots_in_an_epoch=EPOCH_SLOTS)
    try:
        admin, deployment = fund.accounts.account(ADMIN), fund.deployment
        with fund.chain() as chain:
            tokens = tuple(chain.deploy(admin, "TestToken", f"Spare {each}", f"SPR{each}", 18) for each in range(_SPARE_TOKENS))
            otc = chain.deploy(admin, "OTCManager", deployment.vault, deployment.usdt, admin.address)
            for token in tokens:
                chain.call(admin, "OracleAdapter", deployment.oracle_adapter, "setPrice", token, WAD)
            chain.call(admin, "OTCManager", otc, "grantRole", OnChainRole.OPERATOR_ROLE.id, deployment.asset_controller)
            chain.call(admin, "OTCManager", otc, "setCounterpartyWhitelist", deployment.otc_counterparty, True)
            for name in INVESTORS:
                chain.call(fund.accounts.account(name), "TestToken", deployment.usdt, "approve", deployment.vault, _UNLIMITED)
            chain.confirm()
        fund.node.rpc.call("evm_setIntervalMining", 0)
        fund.node.rpc.call("anvil_autoImpersonateAccount", True)
        yield fund, SpareContracts(tokens, otc)
    finally:
        fund.node.stop()
