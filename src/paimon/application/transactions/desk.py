"""What every step of sending needs, in one value: made once for a drive, handed from step to step."""

from dataclasses import dataclass

from paimon.domain.chain import BlockStamp
from paimon.infrastructure.blockchain.contracts import FundContracts
from paimon.infrastructure.blockchain.finality import ChainAdapter
from paimon.infrastructure.blockchain.rpc import Rpc
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.client import SignerClient
from paimon.settings import SendingSettings


@dataclass(frozen=True, slots=True)
class Desk:
    database: Database
    contracts: FundContracts
    chain: ChainAdapter
    signer: SignerClient
    options: SendingSettings
    chain_id: int

    @property
    def rpc(self) -> Rpc:
        return self.contracts.rpc

    async def final_block(self) -> BlockStamp:
        return await self.chain.final_block(self.rpc)
