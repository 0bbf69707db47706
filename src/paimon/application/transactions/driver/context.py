"""The context of one drive: what every step of sending needs."""

from dataclasses import dataclass

from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.transaction.lifecycle import BroadcastChannel
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.finality import ChainAdapter
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.client import SignerClient
from paimon.settings import SendingSettings


@dataclass(slots=True)
class SendingContext:
    """Made once for a drive, because it remembers the drive's final block."""

    database: Database
    contracts: FundContracts
    chain: ChainAdapter
    signer: SignerClient
    options: SendingSettings
    chain_id: int
    private: Rpc | None = None
    _final: BlockStamp | None = None

    @property
    def rpc(self) -> Rpc:
        return self.contracts.rpc

    @property
    def scope(self) -> SigningScope:
        """Where signed actions about the fund count."""
        return SigningScope(self.chain_id, self.contracts.addresses.redemption_manager)

    @property
    def channel(self) -> BroadcastChannel:
        """The channel of new transactions."""
        return BroadcastChannel.PUBLIC if self.private is None else BroadcastChannel.PRIVATE

    def endpoint(self, channel: BroadcastChannel) -> Rpc:
        """Return the endpoint of this channel: the public node if the settings name no private endpoint any more."""
        return self.private if channel is BroadcastChannel.PRIVATE and self.private is not None else self.rpc

    async def final_block(self) -> BlockStamp:
        """Return the final block of this drive. It is read once, so that one block decides everything in the drive."""
        if self._final is None:
            self._final = await self.chain.final_block(self.rpc)
        return self._final
