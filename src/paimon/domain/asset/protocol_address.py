"""The contracts and people the fund works with, as its settings' events name them."""

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


class Service(StrEnum):
    ASSET_CONTROLLER = "asset_controller"
    ASSET_SCHEDULER = "asset_scheduler"
    FEE_RECIPIENT = "fee_recipient"
    ORACLE_ADAPTER = "oracle_adapter"
    OTC_MANAGER = "otc_manager"
    SWAP_HELPER = "swap_helper"


def appointment(event: FundEvent) -> tuple[Service, Address] | None:
    """Who takes which part from this event on; None for an event that appoints nobody."""
    match event:
        case AssetControllerUpdated(new_controller=address):
            return Service.ASSET_CONTROLLER, address
        case AssetSchedulerUpdated(new_scheduler=address):
            return Service.ASSET_SCHEDULER, address
        case FeeRecipientUpdated(new_recipient=address):
            return Service.FEE_RECIPIENT, address
        case OracleAdapterUpdated(new_adapter=address):
            return Service.ORACLE_ADAPTER, address
        case OTCManagerUpdated(new_manager=address):
            return Service.OTC_MANAGER, address
        case SwapHelperUpdated(new_helper=address):
            return Service.SWAP_HELPER, address
    return None
