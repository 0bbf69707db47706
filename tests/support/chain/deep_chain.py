"""A fund on a chain whose last 32 blocks are not final: transactions on it, and reorganisations.

No transaction is signed: the node lets every account send, so that a reorganised transaction can be mined again in another
block, or never. A call that a contract rejects is mined as a failure, so callers need not know what is allowed.
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
    """Contracts that are deployed and not part of the fund yet: tokens to add as assets, and an OTC manager to appoint."""

    tokens: tuple[str, ...]
    otc_manager: str


@dataclass
class DeepChain:
    """The chain with its fund. `base` is its final block right after the deployment."""

    fund: TestFund
    spare_contracts: SpareContracts
    session: aiohttp.ClientSession
    base: int = 0
    final_max: int = 0
    """The highest block that was ever final. No block up to it is reorganised."""
    _head: int = 0
    _mined_transactions: dict[int, list[RpcTransaction]] = field(default_factory=dict)
    _snapshot: Any = None

    async def reset(self) -> None:
        """Return to the state right after the fund's deployment, which is final."""
        if self._snapshot is not None:
            await self.call("evm_revert", self._snapshot)
        self._snapshot = await self.call("evm_snapshot")
        self._mined_transactions.clear()
        # New block hashes each time: the node prunes the states of old blocks by hash.
        await self.call("evm_increaseTime", next(_reset_offsets))
        await self.mine(FINAL_DEPTH + 1)
        self.final_max = self.base = self._head - FINAL_DEPTH

    async def undo(self) -> None:
        await self.call("evm_revert", self._snapshot)

    async def call(self, method: str, *params: Any) -> Any:
        (answer,) = await self._batch([(method, *params)])
        return answer["result"]

    async def _batch(self, calls: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
        bodies = [{"jsonrpc": "2.0", "id": index, "method": call[0], "params": call[1:]} for index, call in enumerate(calls)]
        async with self.session.post(self.fund.rpc_url, json=bodies) as response:
            answers: list[dict[str, Any]] = await response.json(content_type=None)
        return answers

    async def mine(self, blocks: int) -> None:
        await self.call("anvil_mine", hex(blocks))
        await self._read_head()

    async def mine_block(self, transactions: list[RpcTransaction]) -> None:
        """Mine a block with these transactions; those of one sender keep their order."""
        await self._batch([*(("eth_sendTransaction", transaction) for transaction in transactions), ("evm_mine",)])
        await self._read_head()
        self._mined_transactions[self._head] = transactions

    async def pass_days(self, days: int) -> None:
        await self.call("evm_increaseTime", days * 86_400)
        await self.mine(1)

    async def reorganise(self, depth: int, *, reinclusion_chance: float, rng: random.Random) -> int:
        """Replace the last `depth` blocks, as far as they are not final. Return how many were replaced.

        Some of their transactions are mined again, in another order.
        """
        depth = min(depth, self._head - max(self.final_max, self.base + FINAL_DEPTH))
        if depth < 1:
            return 0
        await self._batch([("anvil_rollback", depth), ("evm_increaseTime", rng.randint(1, 9))])
        removed = [
            transaction
            for number in sorted(self._mined_transactions)
            if number > self._head - depth
            for transaction in self._mined_transactions.pop(number)
        ]
        self._head -= depth
        reincluded = [transaction for transaction in removed if rng.random() < reinclusion_chance]
        rng.shuffle(reincluded)
        while reincluded:
            count_here = rng.randint(1, 4)
            await self.mine_block(reincluded[:count_here])
            reincluded = reincluded[count_here:]
        await self.mine(rng.randint(1, depth + 2))
        return depth

    async def finalize_all(self) -> int:
        """Mine until every transaction so far is final. Return the final block's number."""
        await self.mine(FINAL_DEPTH + 1)
        return self.final_max

    async def _read_head(self) -> None:
        self._head = int(await self.call("eth_blockNumber"), 16)
        self.final_max = max(self.final_max, self._head - FINAL_DEPTH)


@contextmanager
def deploy_deep_chain(data: Path) -> Iterator[tuple[TestFund, SpareContracts]]:
    """Deploy the fund with everything that the fund actions need, on a chain that mines only on request."""
    fund = start_fund(data, anvil=find_anvil(CONTRACTS), slots_in_an_epoch=EPOCH_SLOTS)
    try:
        admin, deployment = fund.accounts.account(ADMIN), fund.deployment
        with fund.chain() as chain:
            tokens = tuple(
                chain.deploy(admin, "TestToken", f"Spare {number}", f"SPR{number}", 18) for number in range(_SPARE_TOKENS)
            )
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
