"""Read the chain so that no single endpoint can deceive the signer: what counts is what most endpoints say.

Each endpoint is asked on its own. An answer counts when more than half of all configured endpoints give it; the others' are
logged. One endpoint alone is believed in everything but one: a spend that counts is never taken back on its word.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, checksum
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.reads import CallReverted
from paimon.infrastructure.blockchain.finality import ChainAdapter, get_block
from paimon.infrastructure.blockchain.rpc.endpoint import Request
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable

log = structlog.get_logger(__name__)

T = TypeVar("T")


class ChainNotRead(Exception):
    """Too few endpoints answer, or they contradict one another. The message names each and what it says."""


@dataclass(frozen=True, slots=True)
class _Reverted:
    """The call reverts, with this explanation."""

    explanation: str

    def __str__(self) -> str:
        return self.explanation


@dataclass(frozen=True, slots=True)
class _Answer(Generic[T]):
    """What one endpoint says."""

    endpoint: str
    outcome: T | _Reverted

    def __str__(self) -> str:
        return f"{self.endpoint}: {self.outcome}"


@dataclass(frozen=True, slots=True)
class NonceCounts:
    """How many nonces a wallet has used: at the final block, and at the newest one."""

    final: int
    latest: int


class AgreedChain:
    """The chain as most of the signer's endpoints see it."""

    def __init__(self, endpoints: Sequence[FundContracts], chain: ChainAdapter) -> None:
        """`endpoints` are the fund's contracts, each bound to one endpoint."""
        self._endpoints = tuple(endpoints)
        self._chain = chain

    @property
    def abis(self) -> Mapping[ContractName, ContractAbi]:
        return self._endpoints[0].abis

    @property
    def majority(self) -> int:
        """The number of endpoints that must agree: more than half of them."""
        return len(self._endpoints) // 2 + 1

    @property
    def has_second_opinion(self) -> bool:
        return self.majority > 1

    async def read(self, read: Callable[[FundContracts], Awaitable[T]]) -> T:
        """Return what most endpoints answer to this read. It must give the same answer at every honest endpoint.

        Raises:
            CallReverted: it reverts at most endpoints.
            ChainNotRead.
        """
        answers = await self._ask(read)
        outcomes = [answer.outcome for answer in answers]
        common = [outcome for outcome in outcomes if outcomes.count(outcome) >= self.majority]
        if not common:
            raise ChainNotRead(f"the endpoints contradict one another: {'; '.join(map(str, answers))}")
        agreed = common[0]
        for answer in answers:
            if answer.outcome != agreed:
                log.warning("signer.endpoint_disagrees", endpoint=answer.endpoint, says=str(answer), agreed=str(agreed))
        if isinstance(agreed, _Reverted):
            raise CallReverted(agreed.explanation, None)
        return agreed

    async def final_block(self) -> BlockStamp:
        """Return the highest block that most endpoints call final, with the hash that they agree on.

        Raises:
            ChainNotRead.
        """
        answers = await self._ask(lambda contracts: self._chain.final_block(contracts.rpc))
        stamps = sorted((answer.outcome for answer in answers if isinstance(answer.outcome, BlockStamp)), reverse=True)
        reached = stamps[self.majority - 1]
        if not self.has_second_opinion:
            return reached
        return await self.read(lambda contracts: get_block(contracts.rpc, hex(reached.number)))

    async def nonce_counts(self, wallet: Address, *, final: BlockStamp) -> NonceCounts:
        """Read how many nonces the wallet has used. The newest count is one that most endpoints have reached.

        Raises:
            ChainNotRead.
        """
        requests: list[Request] = [
            ("eth_getTransactionCount", [checksum(wallet), tag]) for tag in (hex(final.number), "latest")
        ]

        async def counts(contracts: FundContracts) -> NonceCounts:
            at_final, latest = await contracts.rpc.batch(requests)
            return NonceCounts(int(at_final, 16), int(latest, 16))

        found = [answer.outcome for answer in await self._ask(counts) if isinstance(answer.outcome, NonceCounts)]
        latest = sorted((count.latest for count in found), reverse=True)[self.majority - 1]
        at_final = [count.final for count in found]
        agreed = next((count for count in at_final if at_final.count(count) >= self.majority), None)
        if agreed is None:
            raise ChainNotRead(
                f"the endpoints count {', '.join(map(str, at_final))} transactions of {checksum(wallet)} at block {final}"
            )
        return NonceCounts(agreed, max(latest, agreed))

    async def _ask(self, read: Callable[[FundContracts], Awaitable[T]]) -> list[_Answer[T]]:
        """Ask every endpoint. Raises ChainNotRead unless most of them answer."""
        asked = await asyncio.gather(*(_answer(contracts, read) for contracts in self._endpoints))
        answers = [answer for answer in asked if isinstance(answer, _Answer)]
        if len(answers) < self.majority:
            failures = "; ".join(answer for answer in asked if isinstance(answer, str))
            raise ChainNotRead(f"{len(answers)} of {len(asked)} endpoints answer, {self.majority} must: {failures}")
        return answers


async def _answer(contracts: FundContracts, read: Callable[[FundContracts], Awaitable[T]]) -> _Answer[T] | str:
    name = contracts.rpc.endpoint
    try:
        return _Answer(name, await read(contracts))
    except CallReverted as reverted:
        return _Answer(name, _Reverted(str(reverted)))
    except (RpcUnavailable, RpcError, ValueError, TypeError, KeyError) as error:
        return f"{name}: {error}"
