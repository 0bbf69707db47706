"""Figures of assets, tiers, OTC orders, token balances, fees and protocol addresses: as recorded, and as read from the chain.

What has no event (deployed behaviour 6) is no figure here: an asset's purchase terms, an adapter given when the asset was
added, a tier's first band, the high-water mark.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final

from paimon.application.reconciliation.recorded_state import RecordedCatalogue
from paimon.domain.asset.otc_order import OrderStatus, OtcOrder
from paimon.domain.asset.protocol_address import ProtocolAddressKind
from paimon.domain.asset.tier import Tier
from paimon.domain.deployment.contract_facts import Deployment
from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, BlockStamp, ContractName, checksum
from paimon.domain.risk.discrepancy import enum_name_or_number
from paimon.domain.vault.fees import FeeKind
from paimon.infrastructure.blockchain.contracts.asset_controller import AssetConfig
from paimon.infrastructure.blockchain.contracts.erc20 import Erc20
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.otc_manager import OtcOrderResult
from paimon.infrastructure.blockchain.contracts.present_reads import PresentReads
from paimon.infrastructure.blockchain.contracts.reads import ContractRead, FailedRead, PendingRead, ReadBatch

FigureMap = dict[str, Hashable]
"""The value of each figure by its subject."""

_VAULT, _MANAGER = ContractName.VAULT, ContractName.REDEMPTION_MANAGER
_CONTROLLER = ContractName.ASSET_CONTROLLER

_PROTOCOL_ADDRESSES: Final[dict[tuple[ContractName, ProtocolAddressKind], Callable[[FundContracts], ContractRead[Address]]]] = {
    (_VAULT, ProtocolAddressKind.ASSET_CONTROLLER): lambda fund: fund.vault.asset_controller(),
    (_MANAGER, ProtocolAddressKind.ASSET_CONTROLLER): lambda fund: fund.redemption_manager.asset_controller(),
    (_MANAGER, ProtocolAddressKind.ASSET_SCHEDULER): lambda fund: fund.redemption_manager.asset_scheduler(),
    (_CONTROLLER, ProtocolAddressKind.ASSET_SCHEDULER): lambda fund: fund.asset_controller.asset_scheduler(),
    (_CONTROLLER, ProtocolAddressKind.FEE_RECIPIENT): lambda fund: fund.asset_controller.fee_recipient(),
    (_CONTROLLER, ProtocolAddressKind.ORACLE_ADAPTER): lambda fund: fund.asset_controller.oracle_adapter(),
    (_CONTROLLER, ProtocolAddressKind.OTC_MANAGER): lambda fund: fund.asset_controller.otc_manager(),
    (_CONTROLLER, ProtocolAddressKind.SWAP_HELPER): lambda fund: fund.asset_controller.swap_helper(),
}


def recorded_catalogue_figures(catalogue: RecordedCatalogue) -> FigureMap:
    """Return every recorded figure, by subject."""
    figures: FigureMap = {
        "asset count": len(catalogue.assets),
        "accrued management fees": int(catalogue.fee(FeeKind.MANAGEMENT).owed),
        "accrued performance fees": int(catalogue.fee(FeeKind.PERFORMANCE).owed),
        "withdrawable redemption fees": int(catalogue.fee(FeeKind.REDEMPTION).owed),
        "redemption fees ever": int(catalogue.fee(FeeKind.REDEMPTION).accrued),
    }
    for asset in catalogue.assets:
        figures |= _asset_figures(asset.token, asset.tier.value, asset.allocation_bps, asset.is_active)
        if asset.adapter is not None:
            figures[f"asset {checksum(asset.token)} adapter"] = checksum(asset.adapter)
    for band in catalogue.bands:
        figures[f"tier {band.tier} band"] = (int(band.min_bps), int(band.target_bps), int(band.max_bps))
    for key in _PROTOCOL_ADDRESSES:
        figures[_protocol_address_subject(*key)] = checksum(catalogue.protocol_addresses.get(key, ZERO_ADDRESS))
    for order in catalogue.orders:
        figures |= _order_figures(order)
    for token, ids in _open_orders(catalogue).items():
        figures[f"open OTC orders of {checksum(token)}"] = ids
    for token, balance in catalogue.balances.items():
        figures[f"vault's balance of {checksum(token)}"] = balance
    return figures


def _asset_figures(token: Address, tier: str, allocation: int, is_active: bool) -> FigureMap:
    subject = f"asset {checksum(token)}"
    return {f"{subject} tier": tier, f"{subject} allocation": int(allocation), f"{subject} active": is_active}


def _protocol_address_subject(contract: ContractName, role: ProtocolAddressKind) -> str:
    return f"{role} of {contract}"


def _order_subject(order: OtcOrder) -> str:
    return f"OTC order {order.order_id} of {checksum(order.manager)}"


def _order_figures(order: OtcOrder) -> FigureMap:
    subject = _order_subject(order)
    return {
        f"{subject} status": order.status.value,
        f"{subject} terms": (checksum(order.token), checksum(order.counterparty), order.usdt_amount, order.expected_tokens),
        f"{subject} delivered": int(order.actual_tokens or 0),
    }


def _open_orders(catalogue: RecordedCatalogue) -> dict[Address, tuple[int, ...]]:
    """Return the open orders of the asset controller's present OTC manager, by token."""
    manager = catalogue.protocol_addresses.get((_CONTROLLER, ProtocolAddressKind.OTC_MANAGER))
    if manager is None:
        return {}
    return {
        asset.token: tuple(
            sorted(
                order.order_id
                for order in catalogue.orders
                if (order.manager, order.token) == (manager, asset.token) and order.closed_at is None
            )
        )
        for asset in catalogue.assets
    }


async def read_chain_catalogue_figures(
    contracts: FundContracts, catalogue: RecordedCatalogue, *, at: BlockStamp, deployment: Deployment | None = None
) -> FigureMap:
    """Return the same subjects, read from the contracts at a block; assets that are not recorded are included.

    A figure that the deployment cannot show is None.

    Raises:
        CallReverted, RpcUnavailable, RpcError.
    """
    open_orders = _open_orders(catalogue)
    manager = catalogue.protocol_addresses.get((_CONTROLLER, ProtocolAddressKind.OTC_MANAGER))
    controller, vault = contracts.asset_controller, contracts.vault
    batch = PresentReads(contracts, deployment)
    configs, layers = batch.add(controller.asset_configs()), batch.add_if_present(controller.layer_configs(), None)
    figures_read: list[tuple[str, PendingRead[Any]]] = [
        ("accrued management fees", batch.add_if_present(controller.accumulated_management_fees(), None)),
        ("accrued performance fees", batch.add_if_present(controller.accumulated_performance_fees(), None)),
        ("withdrawable redemption fees", batch.add(vault.withdrawable_redemption_fees())),
        ("redemption fees ever", batch.add_if_present(vault.total_accumulated_redemption_fees(), None)),
        *(
            (_protocol_address_subject(*key), batch.add_if_present(build_read(contracts), None))
            for key, build_read in _PROTOCOL_ADDRESSES.items()
        ),
    ]
    # Reads at recorded addresses, which may therefore be wrong.
    named = ReadBatch()
    figures_read += [
        (f"vault's balance of {checksum(token)}", named.try_add(Erc20(token).balance_of(vault.address)))
        for token in catalogue.balances
    ]
    if manager is not None:
        figures_read += [
            (
                f"open OTC orders of {checksum(token)}",
                named.try_add(contracts.otc_manager(manager).pending_orders(token)),
            )
            for token in open_orders
        ]
    orders = [named.try_add(contracts.otc_manager(order.manager).order(order.order_id)) for order in catalogue.orders]
    await contracts.run(batch, at=at)
    await contracts.run(named, at=at)
    figures: FigureMap = {"asset count": len(configs.result)}
    figures |= _chain_assets(configs.result, {asset.token for asset in catalogue.assets if asset.adapter is not None})
    bands = {band.tier for band in catalogue.bands}
    for tier, layer in zip(Tier, layers.result or (None,) * len(Tier), strict=True):
        if tier in bands:
            figures[f"tier {tier} band"] = layer and (layer.minimum, layer.target, layer.maximum)
    for subject, pending in figures_read:
        figures[subject] = None if pending.answer is None else _comparable(pending.answer)
    for order, on_chain in zip(catalogue.orders, orders, strict=True):
        if not isinstance(on_chain.answer, FailedRead):  # else the order is absent on chain
            figures |= _chain_order(order, on_chain.answer)
    return figures


def _comparable(answer: bytes | tuple[int, ...] | FailedRead | int) -> Hashable:
    """Return an answer of the contracts in the form that recorded figures have."""
    match answer:
        case bytes():
            return checksum(answer)
        case tuple():
            return tuple(sorted(answer))
        case FailedRead():
            return str(answer)
    return int(answer)


def _chain_assets(configs: Iterable[AssetConfig], with_adapter: set[Address]) -> FigureMap:
    figures: FigureMap = {}
    for config in configs:
        tier = enum_name_or_number(tuple(Tier), config.tier)
        figures |= _asset_figures(config.token, tier, config.target_allocation, config.is_active)
        if config.token in with_adapter:
            figures[f"asset {checksum(config.token)} adapter"] = checksum(config.purchase_adapter)
    return figures


def _chain_order(order: OtcOrder, on_chain: OtcOrderResult) -> FigureMap:
    """Return the contract's figures of an order. Where it does not keep what was delivered, the records stand alone."""
    subject = _order_subject(order)
    recorded = int(order.actual_tokens or 0)
    return {
        f"{subject} status": enum_name_or_number(tuple(OrderStatus), on_chain.status),
        f"{subject} terms": (
            checksum(on_chain.token),
            checksum(on_chain.counterparty),
            on_chain.usdt_amount,
            on_chain.expected_tokens,
        ),
        f"{subject} delivered": recorded if on_chain.actual_tokens is None else on_chain.actual_tokens,
    }
