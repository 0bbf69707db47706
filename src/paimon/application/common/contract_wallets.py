"""Ask contract wallets about signatures, at the newest final block: what it shows, no reorganisation takes back."""

from dataclasses import dataclass

from paimon.domain.kernel.chain import Address, BlockStamp, Hash32
from paimon.infrastructure.blockchain.contracts.contract_wallet import ContractWallet
from paimon.infrastructure.blockchain.contracts.reads import ContractReader
from paimon.infrastructure.blockchain.finality import ChainAdapter
from paimon.infrastructure.blockchain.rpc.pool import Rpc


@dataclass(frozen=True, slots=True)
class ContractWallets:
    """The contracts of a chain that may sign (EIP-1271)."""

    rpc: Rpc
    chain: ChainAdapter

    async def find_accepting_block(self, wallet: Address, digest: Hash32, signature: bytes) -> BlockStamp | None:
        """Return the block at which the contract at this address accepts the signature; None if it does not, or is no contract.

        Raises:
            RpcUnavailable, RpcError.
        """
        final = await self.chain.final_block(self.rpc)
        (accepted,) = await ContractReader(self.rpc).try_read([ContractWallet(wallet).accepts(digest, signature)], at=final)
        return final if accepted is True else None
