"""The contracts whose logs are fetched, and the block from which each is tracked.

The fund's three contracts are configured and the vault names its asset. Events name the rest: `AssetAdded` a token,
`OTCManagerUpdated` an OTC manager. No contract is ever dropped: the vault may still hold a removed asset, and a replaced
OTC manager may still have open orders.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from paimon.domain.events import AssetAdded, FundEvent, OTCManagerUpdated
from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, ContractName
from paimon.domain.kernel.treasury import Treasury


class ContractOrigin(StrEnum):
    """How the system learned of a contract."""

    SETTINGS = "settings"
    VAULT_ASSET = "vault_asset"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class TrackedContract:
    """One contract, tracked from the start of block `since_block` on."""

    address: Address
    contract: ContractName
    origin: ContractOrigin
    since_block: int


@dataclass(frozen=True, slots=True)
class TrackedContracts:
    """All tracked contracts, by address."""

    contracts: Mapping[Address, TrackedContract]

    @classmethod
    def of(cls, contracts: Iterable[TrackedContract]) -> "TrackedContracts":
        return cls({tracked.address: tracked for tracked in contracts})

    def names(self) -> dict[Address, ContractName]:
        return {address: tracked.contract for address, tracked in self.contracts.items()}

    def addresses(self, *, tokens: bool) -> list[Address]:
        """List the tokens, or all other contracts: the listener filters the two differently."""
        return [address for address, tracked in self.contracts.items() if (tracked.contract is ContractName.TOKEN) is tokens]

    @property
    def treasury(self) -> Treasury:
        vault = next(tracked.address for tracked in self.contracts.values() if tracked.contract is ContractName.VAULT)
        asset = next(tracked.address for tracked in self.contracts.values() if tracked.origin is ContractOrigin.VAULT_ASSET)
        return Treasury(vault, asset)

    def with_added(self, more: Iterable[TrackedContract]) -> "TrackedContracts":
        """Add contracts. A contract that is already tracked stays as it is."""
        return TrackedContracts({tracked.address: tracked for tracked in more} | dict(self.contracts))

    def discovered(self, events: Iterable[tuple[FundEvent, int]]) -> list[TrackedContract]:
        """List the contracts that these events introduce and that are not tracked yet; each event comes with its block."""
        found: dict[Address, TrackedContract] = {}
        for event, block in events:
            match event:
                case AssetAdded(token=address):
                    contract = ContractName.TOKEN
                case OTCManagerUpdated(new_manager=address) if address != ZERO_ADDRESS:
                    contract = ContractName.OTC_MANAGER
                case _:
                    continue
            if address not in self.contracts:
                found.setdefault(address, TrackedContract(address, contract, ContractOrigin.EVENT, block))
        return list(found.values())
