"""Events of roles, pauses, emergency mode, and the addresses the fund works with."""

from dataclasses import dataclass

from paimon.domain.events.base import ASSET_CONTROLLER, CORE_CONTRACTS, REDEMPTION_MANAGER, VAULT, FundEvent
from paimon.domain.kernel.chain import Address, ContractName, Hash32


@dataclass(frozen=True, slots=True)
class EmergencyModeChanged(FundEvent):
    emitters = VAULT
    enabled: bool


@dataclass(frozen=True, slots=True)
class RoleGranted(FundEvent):
    emitters = CORE_CONTRACTS
    role: Hash32
    account: Address
    sender: Address


@dataclass(frozen=True, slots=True)
class RoleRevoked(FundEvent):
    emitters = CORE_CONTRACTS
    role: Hash32
    account: Address
    sender: Address


@dataclass(frozen=True, slots=True)
class Paused(FundEvent):
    emitters = CORE_CONTRACTS
    account: Address


@dataclass(frozen=True, slots=True)
class Unpaused(FundEvent):
    emitters = CORE_CONTRACTS
    account: Address


@dataclass(frozen=True, slots=True)
class FeeRecipientUpdated(FundEvent):
    emitters = ASSET_CONTROLLER
    new_recipient: Address


@dataclass(frozen=True, slots=True)
class OracleAdapterUpdated(FundEvent):
    emitters = ASSET_CONTROLLER
    new_adapter: Address


@dataclass(frozen=True, slots=True)
class SwapHelperUpdated(FundEvent):
    emitters = ASSET_CONTROLLER
    new_helper: Address


@dataclass(frozen=True, slots=True)
class OTCManagerUpdated(FundEvent):
    """The OTC manager changes. Both managers' events are tracked from here on, since the old one may have open orders."""

    emitters = ASSET_CONTROLLER
    new_manager: Address


@dataclass(frozen=True, slots=True)
class AssetSchedulerUpdated(FundEvent):
    emitters = (*REDEMPTION_MANAGER, *ASSET_CONTROLLER)
    new_scheduler: Address


@dataclass(frozen=True, slots=True)
class AssetControllerUpdated(FundEvent):
    emitters = (ContractName.VAULT, ContractName.REDEMPTION_MANAGER)
    new_controller: Address
