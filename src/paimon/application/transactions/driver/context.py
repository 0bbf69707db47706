"""What every step of sending needs, in one value: made once for a drive, handed from step to step."""

from dataclasses import dataclass

from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.transaction.lifecycle import BroadcastChannel
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.finality import ChainAdapter
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.client import SignerClient
from paimon.settings import SendingSettings


@dataclass(slots=True)
class SendingContext:
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
    def channel(self) -> BroadcastChannel:
        """What is signed now goes this way."""
        return BroadcastChannel.PUBLIC if self.private is None else BroadcastChannel.PRIVATE

    def endpoint(self, channel: BroadcastChannel) -> Rpc:
        """Where bytes of this channel are handed in; a private endpoint that is configured no more leaves the public one."""
        return self.private if channel is BroadcastChannel.PRIVATE and self.private is not None else self.rpc

    async def final_block(self) -> BlockStamp:
        """The final block of this drive, asked for once: what is final stays so, and all of a drive is decided on one."""
        if self._final is None:
            self._final = await self.chain.final_block(self.rpc)
        return self._final
