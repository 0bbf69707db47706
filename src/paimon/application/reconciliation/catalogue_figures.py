"""Figures of assets, tiers, OTC orders, token balances, fees and appointments: as the books have them, and as the chain does.

What has no event (deployed behaviour 6) is no figure here: an asset's purchase terms, an adapter given when the asset was
added, a tier's first band, the high-water mark.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import select

from paimon.application.event_listener.record.projection_rows import from_row
from paimon.application.vault.tokens import load_tokens
from paimon.domain.asset.asset import Asset, TierBand
from paimon.domain.asset.otc_order import OrderStatus, OtcOrder
from paimon.domain.asset.protocol_address import ProtocolAddressKind
from paimon.domain.asset.tier import Tier
from paimon.domain.asset.token_transfer import TokenFlow
from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, BlockStamp, ContractName, checksum
from paimon.domain.risk.discrepancy import enum_name_or_number
from paimon.domain.vault.fees import FeeAccount, FeeKind
from paimon.infrastructure.blockchain.contracts.fund import ContractRead, FailedRead, FundContracts
from paimon.infrastructure.database.models.derived import (
    AssetConfigRow,
    FeeAccountRow,
    OtcOrderRow,
    ProtocolAddressRow,
    TierConfigRow,
    TokenFlowRow,
)
from paimon.infrastructure.database.sessions import ReadSession

FigureMap = dict[str, Hashable]

_VAULT, _MANAGER = ContractName.VAULT, ContractName.REDEMPTION_MANAGER
_CONTROLLER, _OTC = ContractName.ASSET_CONTROLLER, ContractName.OTC_MANAGER

_SERVICES: Final[dict[tuple[ContractName, ProtocolAddressKind], str]] = {
    (_VAULT, ProtocolAddressKind.ASSET_CONTROLLER): "assetController",
    (_MANAGER, ProtocolAddressKind.ASSET_CONTROLLER): "assetController",
    (_MANAGER, ProtocolAddressKind.ASSET_SCHEDULER): "assetScheduler",
    (_CONTROLLER, ProtocolAddressKind.ASSET_SCHEDULER): "assetScheduler",
    (_CONTROLLER, ProtocolAddressKind.FEE_RECIPIENT): "feeRecipient",
    (_CONTROLLER, ProtocolAddressKind.ORACLE_ADAPTER): "oracleAdapter",
    (_CONTROLLER, ProtocolAddressKind.OTC_MANAGER): "otcManager",
    (_CONTROLLER, ProtocolAddressKind.SWAP_HELPER): "swapHelper",
}


@dataclass(slots=True)
class RecordedCatalogue:
    """The derived tables of the catalogue at the cursor's block. `balances` only of tokens whose first balance is known."""

    assets: list[Asset] = field(default_factory=list)
    bands: list[TierBand] = field(default_factory=list)
    orders: list[OtcOrder] = field(default_factory=list)
    protocol_addresses: dict[tuple[ContractName, ProtocolAddressKind], Address] = field(default_factory=dict)
    fees: dict[FeeKind, FeeAccount] = field(default_factory=dict)
    balances: dict[Address, int] = field(default_factory=dict)

    def fee(self, kind: FeeKind) -> FeeAccount:
        return self.fees.get(kind) or FeeAccount(kind)


async def load_catalogue(session: ReadSession) -> RecordedCatalogue:
    flows = {Address(row.token): from_row(TokenFlow, row) for row in await session.scalars(select(TokenFlowRow))}
    tokens = await load_tokens(session)
    balances = {
        token: terms.balance_before + flow.received - flow.sent
        for token, terms in tokens.items()
        if (flow := flows.get(token, TokenFlow(token)))
    }
    return RecordedCatalogue(
        assets=[from_row(Asset, row) for row in await session.scalars(select(AssetConfigRow))],
        bands=[from_row(TierBand, row) for row in await session.scalars(select(TierConfigRow))],
        orders=[from_row(OtcOrder, row) for row in await session.scalars(select(OtcOrderRow))],
        protocol_addresses={
            (row.contract, row.role): Address(row.address) for row in await session.scalars(select(ProtocolAddressRow))
        },
        fees={row.kind: from_row(FeeAccount, row) for row in await session.scalars(select(FeeAccountRow))},
        balances=balances,
    )


def recorded_catalogue_figures(catalogue: RecordedCatalogue) -> FigureMap:
    """Every figure the books hold, by subject."""
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
    for key in _SERVICES:
        figures[_service_subject(*key)] = checksum(catalogue.protocol_addresses.get(key, ZERO_ADDRESS))
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


def _service_subject(contract: ContractName, role: ProtocolAddressKind) -> str:
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
    """Of the manager the asset controller works with now, by token."""
    manager = catalogue.protocol_addresses.get((_CONTROLLER, ProtocolAddressKind.OTC_MANAGER))
    if manager is None:
        return {}
    return {
        asset.token: tuple(
            sorted(
                each.order_id
                for each in catalogue.orders
                if (each.manager, each.token) == (manager, asset.token) and each.closed_at is None
            )
        )
        for asset in catalogue.assets
    }


async def read_chain_catalogue_figures(contracts: FundContracts, catalogue: RecordedCatalogue, *, at: BlockStamp) -> FigureMap:
    """The same subjects, read at the same block; assets the books do not know included.

    Raises:
        CallReverted, RpcUnavailable, RpcError.
    """
    open_orders = _open_orders(catalogue)
    manager = catalogue.protocol_addresses.get((_CONTROLLER, ProtocolAddressKind.OTC_MANAGER))
    reads: list[tuple[str, ContractRead]] = [
        ("accrued management fees", ContractRead(_CONTROLLER, "accumulatedManagementFees")),
        ("accrued performance fees", ContractRead(_CONTROLLER, "accumulatedPerformanceFees")),
        ("withdrawable redemption fees", ContractRead(_VAULT, "withdrawableRedemptionFees")),
        ("redemption fees ever", ContractRead(_VAULT, "totalAccumulatedRedemptionFees")),
        *((_service_subject(*key), ContractRead(key[0], function)) for key, function in _SERVICES.items()),
    ]
    address_reads: list[tuple[str, ContractRead]] = [  # at addresses that the books name, and that may therefore be wrong
        *(
            (
                f"vault's balance of {checksum(token)}",
                ContractRead(ContractName.TOKEN, "balanceOf", (contracts.addresses.vault,), token),
            )
            for token in catalogue.balances
        ),
        *(
            (f"open OTC orders of {checksum(token)}", ContractRead(_OTC, "getPendingOrders", (token,), manager))
            for token in open_orders
        ),
    ]
    orders = [ContractRead(_OTC, "getOrder", (each.order_id,), each.manager) for each in catalogue.orders]
    fixed = [ContractRead(_CONTROLLER, "getAssetConfigs"), ContractRead(_CONTROLLER, "getLayerConfigs")]
    configs, layers, *answers = await contracts.read([*fixed, *(read for _, read in reads)], at=at)
    found = await contracts.try_read([*(read for _, read in address_reads), *orders], at=at)
    figures: FigureMap = {"asset count": len(configs)}
    figures |= _chain_assets(configs, {each.token for each in catalogue.assets if each.adapter is not None})
    bands = {band.tier for band in catalogue.bands}
    for tier, layer in zip(Tier, layers.values(), strict=True):
        if tier in bands:
            target, least, most = layer.values()
            figures[f"tier {tier} band"] = (least, target, most)
    answers += found[: len(address_reads)]
    for (subject, _), answer in zip((*reads, *address_reads), answers, strict=True):
        figures[subject] = _comparable(answer)
    for order, on_chain in zip(catalogue.orders, found[len(address_reads) :], strict=True):
        if not isinstance(on_chain, FailedRead):  # else it is absent on chain
            figures |= _chain_order(order, on_chain)
    return figures


def _comparable(answer: Any) -> Hashable:
    match answer:
        case bytes():
            return checksum(answer)
        case list():
            return tuple(sorted(answer))
        case FailedRead():
            return str(answer)
    return int(answer)


def _chain_assets(configs: Iterable[dict[str, Any]], with_adapter: set[Address]) -> FigureMap:
    figures: FigureMap = {}
    for config in configs:
        token = Address(config["token"])
        figures |= _asset_figures(
            token, enum_name_or_number(tuple(Tier), config["tier"]), config["targetAllocation"], config["isActive"]
        )
        if token in with_adapter:
            figures[f"asset {checksum(token)} adapter"] = checksum(config["purchaseAdapter"])
    return figures


def _chain_order(order: OtcOrder, on_chain: dict[str, Any]) -> FigureMap:
    subject = _order_subject(order)
    terms = (
        checksum(on_chain["rwaToken"]),
        checksum(on_chain["counterparty"]),
        on_chain["usdtAmount"],
        on_chain["expectedTokens"],
    )
    return {
        f"{subject} status": enum_name_or_number(tuple(OrderStatus), on_chain["status"]),
        f"{subject} terms": terms,
        f"{subject} delivered": on_chain["actualTokens"],
    }
