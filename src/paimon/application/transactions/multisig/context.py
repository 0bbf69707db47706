"""The context of the Safes: what every step with them needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from paimon.domain.kernel.chain import Address, BlockStamp, checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.transaction.safe_transaction import SafeName, SafeScope
from paimon.errors import Conflict
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.safe import SafeContract
from paimon.infrastructure.blockchain.finality import ChainAdapter
from paimon.infrastructure.database.sessions import Database


class SafeNotConfigured(Conflict):
    """The settings name no such Safe."""


@dataclass(frozen=True, slots=True)
class SafeContext:
    database: Database
    contracts: FundContracts
    chain: ChainAdapter
    chain_id: int
    safes: Mapping[SafeName, Address]
    multi_send: Address
    proposal_ttl: timedelta

    def address(self, name: SafeName) -> Address:
        """Raises SafeNotConfigured."""
        if name not in self.safes:
            raise SafeNotConfigured(f"the settings name no {name} Safe: set PAIMON_SENDING__{name.upper()} to its address")
        return self.safes[name]

    def name(self, safe: Address) -> SafeName:
        """Raises SafeNotConfigured. Proposals of a Safe that the settings name no longer are kept and not touched."""
        found = next((name for name, address in self.safes.items() if address == safe), None)
        if found is None:
            raise SafeNotConfigured(
                f"{checksum(safe)} is none of the settings' Safes (PAIMON_SENDING__WARM, PAIMON_SENDING__COLD)"
            )
        return found

    @property
    def signing_scope(self) -> SigningScope:
        """The scope of what people sign here, as opposed to what owners sign for a Safe."""
        return SigningScope(self.chain_id, self.contracts.addresses.redemption_manager)

    def scope(self, safe: Address) -> SafeScope:
        return SafeScope(self.chain_id, safe)

    def contract(self, safe: Address) -> SafeContract:
        return SafeContract(self.contracts.rpc, self.scope(safe))

    async def final_block(self) -> BlockStamp:
        return await self.chain.final_block(self.contracts.rpc)
