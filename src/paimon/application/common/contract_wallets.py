"""Ask contract wallets about signatures, at the newest final block: what it shows, no reorganisation takes back.

The node that answers for a contract decides who signs in and what is signed. So each endpoint is asked by itself, at the block
that it calls final itself, and more than half of those that read must say yes. An old block that one endpoint calls the newest
final one would show the owners of then.
"""

import asyncio
from dataclasses import dataclass

import structlog

from paimon.domain.chain.endpoint_health import EndpointUse
from paimon.domain.kernel.chain import Address, BlockStamp, Hash32, checksum
from paimon.errors import Unavailable
from paimon.infrastructure.blockchain.contracts.contract_wallet import ContractWallet
from paimon.infrastructure.blockchain.contracts.reads import ContractRead, ContractReader
from paimon.infrastructure.blockchain.finality import ChainAdapter
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.blockchain.rpc.pool import Rpc

log = structlog.get_logger(__name__)


class WalletNotRead(Unavailable):
    """Too few of the chain's nodes answer whether a contract wallet accepts the signature; try again shortly."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """Whether the contract accepts the signature at one endpoint's final block."""

    accepts: bool
    at: BlockStamp


@dataclass(frozen=True, slots=True)
class ContractWallets:
    """The contracts of a chain that may sign (EIP-1271)."""

    rpc: Rpc
    chain: ChainAdapter

    async def find_accepting_block(self, wallet: Address, digest: Hash32, signature: bytes) -> BlockStamp | None:
        """Return the block at which the contract at this address accepts the signature; None if it does not, or is no contract.

        Raises:
            WalletNotRead
        """
        readers = [report.name for report in self.rpc.endpoints() if EndpointUse.READ in report.uses]
        read = ContractWallet(wallet).accepts(digest, signature)
        answers = await asyncio.gather(*(self._ask(name, read) for name in readers))
        majority = len(readers) // 2 + 1
        accepted_at = sorted(answer.at for answer in answers if answer is not None and answer.accepts)
        if len(accepted_at) >= majority:
            return accepted_at[-majority]
        if answers.count(None) > len(readers) - majority:
            raise WalletNotRead
        if accepted_at:
            names = [name for name, answer in zip(readers, answers, strict=True) if answer is not None and answer.accepts]
            log.error("wallet.endpoints_disagree", wallet=checksum(wallet), accepted_by=names)
        return None

    async def _ask(self, endpoint: str, read: ContractRead[bool]) -> _Answer | None:
        """Return what one endpoint says at the block that it calls final, or None when it does not answer."""
        node = self.rpc.only_endpoint(endpoint)
        try:
            final = await self.chain.final_block(node)
            (answer,) = await ContractReader(node).try_read([read], at=final)
        except (RpcUnavailable, RpcError) as error:
            log.warning("wallet.endpoint_failed", endpoint=endpoint, reason=str(error)[:200])
            return None
        return _Answer(answer is True, final)
