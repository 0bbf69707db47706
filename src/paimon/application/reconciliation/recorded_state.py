"""The recorded state of the fund: the derived tables at the cursor's block, as domain values."""

from dataclasses import dataclass, field

from paimon.domain.asset.asset import Asset, TierBand
from paimon.domain.asset.otc_order import OtcOrder
from paimon.domain.asset.protocol_address import ProtocolAddressKind
from paimon.domain.kernel.chain import Address, BlockStamp, ContractName
from paimon.domain.projection import ContractFlag, RoleKey
from paimon.domain.redemption.request import Redemption
from paimon.domain.vault.fees import FeeAccount, FeeKind
from paimon.domain.vault.share_balance import ShareBalance


@dataclass(slots=True)
class RecordedCatalogue:
    """Assets, tiers, OTC orders, protocol addresses, fees and token balances.

    `balances` has only the tokens whose first balance is known.
    """

    assets: list[Asset] = field(default_factory=list)
    bands: list[TierBand] = field(default_factory=list)
    orders: list[OtcOrder] = field(default_factory=list)
    protocol_addresses: dict[tuple[ContractName, ProtocolAddressKind], Address] = field(default_factory=dict)
    fees: dict[FeeKind, FeeAccount] = field(default_factory=dict)
    balances: dict[Address, int] = field(default_factory=dict)

    def fee(self, kind: FeeKind) -> FeeAccount:
        return self.fees.get(kind) or FeeAccount(kind)


@dataclass(slots=True)
class RecordedState:
    """Everything a reconciliation compares. `roles_seen` has every role that ever appeared, held or not."""

    at: BlockStamp
    share_balances: list[ShareBalance] = field(default_factory=list)
    redemptions: list[Redemption] = field(default_factory=list)
    roles_held: set[RoleKey] = field(default_factory=set)
    roles_seen: set[RoleKey] = field(default_factory=set)
    flags: dict[tuple[ContractName, ContractFlag], bool] = field(default_factory=dict)
    locked_navs: dict[int, int] = field(default_factory=dict)
    catalogue: RecordedCatalogue = field(default_factory=RecordedCatalogue)
