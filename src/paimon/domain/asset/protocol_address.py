"""Addresses the fund works with, as the contracts' events set them."""

from enum import StrEnum

from paimon.domain.events import (
    AssetControllerUpdated,
    AssetSchedulerUpdated,
    FeeRecipientUpdated,
    FundEvent,
    OracleAdapterUpdated,
    OTCManagerUpdated,
    SwapHelperUpdated,
)
from paimon.domain.kernel.chain import Address


class ProtocolAddressKind(StrEnum):
    """The purpose of a protocol address."""

    ASSET_CONTROLLER = "asset_controller"
    ASSET_SCHEDULER = "asset_scheduler"
    FEE_RECIPIENT = "fee_recipient"
    ORACLE_ADAPTER = "oracle_adapter"
    OTC_MANAGER = "otc_manager"
    SWAP_HELPER = "swap_helper"


def protocol_address_change(event: FundEvent) -> tuple[ProtocolAddressKind, Address] | None:
    """Return the kind and the address that an event sets; None for an event that sets no address."""
    match event:
        case AssetControllerUpdated(new_controller=address):
            return ProtocolAddressKind.ASSET_CONTROLLER, address
        case AssetSchedulerUpdated(new_scheduler=address):
            return ProtocolAddressKind.ASSET_SCHEDULER, address
        case FeeRecipientUpdated(new_recipient=address):
            return ProtocolAddressKind.FEE_RECIPIENT, address
        case OracleAdapterUpdated(new_adapter=address):
            return ProtocolAddressKind.ORACLE_ADAPTER, address
        case OTCManagerUpdated(new_manager=address):
            return ProtocolAddressKind.OTC_MANAGER, address
        case SwapHelperUpdated(new_helper=address):
            return ProtocolAddressKind.SWAP_HELPER, address
    return None
