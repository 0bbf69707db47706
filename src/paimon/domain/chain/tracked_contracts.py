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


class Origin(StrEnum):
    """How the house came to know of a contract."""

    SETTINGS = "settings"
    VAULT_ASSET = "vault_asset"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class FollowedContract:
    """One contract, followed from the whole of block `since_block` on."""

    address: Address
    contract: ContractName
    origin: Origin
    since_block: int


@dataclass(frozen=True, slots=True)
class Followed:
    """Everything that is followed, by address."""

    contracts: Mapping[Address, FollowedContract]

    @classmethod
    def of(cls, contracts: Iterable[FollowedContract]) -> "Followed":
        return cls({each.address: each for each in contracts})

    def names(self) -> dict[Address, ContractName]:
        return {address: each.contract for address, each in self.contracts.items()}

    def addresses(self, *, tokens: bool) -> list[Address]:
        """The tokens, or all others: the two are asked for differently."""
        return [address for address, each in self.contracts.items() if (each.contract is ContractName.TOKEN) is tokens]

    @property
    def treasury(self) -> Treasury:
        vault = next(each.address for each in self.contracts.values() if each.contract is ContractName.VAULT)
        asset = next(each.address for each in self.contracts.values() if each.origin is Origin.VAULT_ASSET)
        return Treasury(vault, asset)

    def with_more(self, more: Iterable[FollowedContract]) -> "Followed":
        """Whoever is followed already stays as it is."""
        return Followed({each.address: each for each in more} | dict(self.contracts))

    def announced(self, events: Iterable[tuple[FundEvent, int]]) -> list[FollowedContract]:
        """Contracts that these events, each with its block, bring in and that are not followed yet."""
        found: dict[Address, FollowedContract] = {}
        for event, block in events:
            match event:
                case AssetAdded(token=address):
                    contract = ContractName.TOKEN
                case OTCManagerUpdated(new_manager=address) if address != ZERO_ADDRESS:
                    contract = ContractName.OTC_MANAGER
                case _:
                    continue
            if address not in self.contracts:
                found.setdefault(address, FollowedContract(address, contract, Origin.EVENT, block))
        return list(found.values())
