"""Which contracts' logs are asked for, and from which block on.

The fund's three contracts are configured, the vault names its asset, and events announce the rest: `AssetAdded` a token,
`OTCManagerUpdated` an OTC manager. Nothing is ever dropped: a removed asset may still be in the vault, and a replaced OTC
manager may still have open orders.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from paimon.domain.events import AssetAdded, FundEvent, OTCManagerUpdated
from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, ContractName
from paimon.domain.kernel.treasury import Treasury


class ContractOrigin(StrEnum):
    """How the house came to know of a contract."""

    SETTINGS = "settings"
    VAULT_ASSET = "vault_asset"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class TrackedContract:
    """One contract, followed from the whole of block `since_block` on."""

    address: Address
    contract: ContractName
    origin: ContractOrigin
    since_block: int


@dataclass(frozen=True, slots=True)
class TrackedContracts:
    """Everything that is followed, by address."""

    contracts: Mapping[Address, TrackedContract]

    @classmethod
    def of(cls, contracts: Iterable[TrackedContract]) -> "TrackedContracts":
        return cls({each.address: each for each in contracts})

    def names(self) -> dict[Address, ContractName]:
        return {address: each.contract for address, each in self.contracts.items()}

    def addresses(self, *, tokens: bool) -> list[Address]:
        """The tokens, or all others: the two are asked for differently."""
        return [address for address, each in self.contracts.items() if (each.contract is ContractName.TOKEN) is tokens]

    @property
    def treasury(self) -> Treasury:
        vault = next(each.address for each in self.contracts.values() if each.contract is ContractName.VAULT)
        asset = next(each.address for each in self.contracts.values() if each.origin is ContractOrigin.VAULT_ASSET)
        return Treasury(vault, asset)

    def with_added(self, more: Iterable[TrackedContract]) -> "TrackedContracts":
        """Whoever is followed already stays as it is."""
        return TrackedContracts({each.address: each for each in more} | dict(self.contracts))

    def discovered(self, events: Iterable[tuple[FundEvent, int]]) -> list[TrackedContract]:
        """Contracts that these events, each with its block, bring in and that are not followed yet."""
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
