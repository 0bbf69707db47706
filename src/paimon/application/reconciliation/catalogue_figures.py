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
from paimon.domain.asset.protocol_address import Service
from paimon.domain.asset.tier import Tier
from paimon.domain.asset.token_transfer import TokenFlow
from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, BlockStamp, ContractName, checksum
from paimon.domain.risk.discrepancy import named_or_number
from paimon.domain.vault.fees import FeeAccount, FeeKind
from paimon.infrastructure.blockchain.contracts import FundContracts, NoAnswer, Read
from paimon.infrastructure.database.models.derived import (
    AssetConfigRow,
    FeeAccountRow,
    OtcOrderRow,
    ProtocolAddressRow,
    TierConfigRow,
    TokenFlowRow,
)
from paimon.infrastructure.database.sessions import ReadSession

Figures = dict[str, Hashable]

_VAULT, _MANAGER = ContractName.VAULT, ContractName.REDEMPTION_MANAGER
_CONTROLLER, _OTC = ContractName.ASSET_CONTROLLER, ContractName.OTC_MANAGER

_SERVICES: Final[dict[tuple[ContractName, Service], str]] = {
    (_VAULT, Service.ASSET_CONTROLLER): "assetController",
    (_MANAGER, Service.ASSET_CONTROLLER): "assetController",
    (_MANAGER, Service.ASSET_SCHEDULER): "assetScheduler",
    (_CONTROLLER, Service.ASSET_SCHEDULER): "assetScheduler",
    (_CONTROLLER, Service.FEE_RECIPIENT): "feeRecipient",
    (_CONTROLLER, Service.ORACLE_ADAPTER): "oracleAdapter",
    (_CONTROLLER, Service.OTC_MANAGER): "otcManager",
    (_CONTROLLER, Service.SWAP_HELPER): "swapHelper",
}


@dataclass(slots=True)
class CatalogueBooks:
    """The derived tables of the catalogue at the cursor's block. `balances` only of tokens whose first balance is known."""

    assets: list[Asset] = field(default_factory=list)
    bands: list[TierBand] = field(default_factory=list)
    orders: list[OtcOrder] = field(default_factory=list)
    services: dict[tuple[ContractName, Service], Address] = field(default_factory=dict)
    fees: dict[FeeKind, FeeAccount] = field(default_factory=dict)
    balances: dict[Address, int] = field(default_factory=dict)

    def fee(self, kind: FeeKind) -> FeeAccount:
        return self.fees.get(kind) or FeeAccount(kind)


async def load_catalogue(session: ReadSession) -> CatalogueBooks:
    flows = {Address(row.token): from_row(TokenFlow, row) for row in await session.scalars(select(TokenFlowRow))}
    tokens = await load_tokens(session)
    balances = {
        token: terms.balance_before + flow.received - flow.sent
        for token, terms in tokens.items()
        if (flow := flows.get(token, TokenFlow(token)))
    }
    return CatalogueBooks(
        assets=[from_row(Asset, row) for row in await session.scalars(select(AssetConfigRow))],
        bands=[from_row(TierBand, row) for row in await session.scalars(select(TierConfigRow))],
        orders=[from_row(OtcOrder, row) for row in await session.scalars(select(OtcOrderRow))],
        services={
            (row.contract, row.service): Address(row.address) for row in await session.scalars(select(ProtocolAddressRow))
        },
        fees={row.kind: from_row(FeeAccount, row) for row in await session.scalars(select(FeeAccountRow))},
        balances=balances,
    )


def catalogue_book_figures(books: CatalogueBooks) -> Figures:
    """Every figure the books hold, by subject."""
    figures: Figures = {
        "asset count": len(books.assets),
        "accrued management fees": int(books.fee(FeeKind.MANAGEMENT).owed),
        "accrued performance fees": int(books.fee(FeeKind.PERFORMANCE).owed),
        "withdrawable redemption fees": int(books.fee(FeeKind.REDEMPTION).owed),
        "redemption fees ever": int(books.fee(FeeKind.REDEMPTION).accrued),
    }
    for asset in books.assets:
        figures |= _asset_figures(asset.token, asset.tier.value, asset.allocation_bps, asset.is_active)
        if asset.adapter is not None:
            figures[f"asset {checksum(asset.token)} adapter"] = checksum(asset.adapter)
    for band in books.bands:
        figures[f"tier {band.tier} band"] = (int(band.min_bps), int(band.target_bps), int(band.max_bps))
    for key in _SERVICES:
        figures[_service_subject(*key)] = checksum(books.services.get(key, ZERO_ADDRESS))
    for order in books.orders:
        figures |= _order_figures(order)
    for token, ids in _open_orders(books).items():
        figures[f"open OTC orders of {checksum(token)}"] = ids
    for token, balance in books.balances.items():
        figures[f"vault's balance of {checksum(token)}"] = balance
    return figures


def _asset_figures(token: Address, tier: str, allocation: int, is_active: bool) -> Figures:
    subject = f"asset {checksum(token)}"
    return {f"{subject} tier": tier, f"{subject} allocation": int(allocation), f"{subject} active": is_active}


def _service_subject(contract: ContractName, service: Service) -> str:
    return f"{service} of {contract}"


def _order_subject(order: OtcOrder) -> str:
    return f"OTC order {order.order_id} of {checksum(order.manager)}"


def _order_figures(order: OtcOrder) -> Figures:
    subject = _order_subject(order)
    return {
        f"{subject} status": order.status.value,
        f"{subject} terms": (checksum(order.token), checksum(order.counterparty), order.usdt_amount, order.expected_tokens),
        f"{subject} delivered": int(order.actual_tokens or 0),
    }


def _open_orders(books: CatalogueBooks) -> dict[Address, tuple[int, ...]]:
    """Of the manager the asset controller works with now, by token."""
    manager = books.services.get((_CONTROLLER, Service.OTC_MANAGER))
    if manager is None:
        return {}
    return {
        asset.token: tuple(
            sorted(
                each.order_id
                for each in books.orders
                if (each.manager, each.token) == (manager, asset.token) and each.closed_at is None
            )
        )
        for asset in books.assets
    }


async def catalogue_chain_figures(contracts: FundContracts, books: CatalogueBooks, *, at: BlockStamp) -> Figures:
    """The same subjects, read at the same block; assets the books do not know included.

    Raises:
        CallReverted, RpcUnavailable, RpcError.
    """
    open_orders = _open_orders(books)
    manager = books.services.get((_CONTROLLER, Service.OTC_MANAGER))
    questions: list[tuple[str, Read]] = [
        ("accrued management fees", Read(_CONTROLLER, "accumulatedManagementFees")),
        ("accrued performance fees", Read(_CONTROLLER, "accumulatedPerformanceFees")),
        ("withdrawable redemption fees", Read(_VAULT, "withdrawableRedemptionFees")),
        ("redemption fees ever", Read(_VAULT, "totalAccumulatedRedemptionFees")),
        *((_service_subject(*key), Read(key[0], function)) for key, function in _SERVICES.items()),
    ]
    elsewhere: list[tuple[str, Read]] = [  # at addresses that the books name, and that may therefore be wrong
        *(
            (
                f"vault's balance of {checksum(token)}",
                Read(ContractName.TOKEN, "balanceOf", (contracts.addresses.vault,), token),
            )
            for token in books.balances
        ),
        *(
            (f"open OTC orders of {checksum(token)}", Read(_OTC, "getPendingOrders", (token,), manager))
            for token in open_orders
        ),
    ]
    orders = [Read(_OTC, "getOrder", (each.order_id,), each.manager) for each in books.orders]
    fixed = [Read(_CONTROLLER, "getAssetConfigs"), Read(_CONTROLLER, "getLayerConfigs")]
    configs, layers, *answers = await contracts.read([*fixed, *(read for _, read in questions)], at=at)
    found = await contracts.try_read([*(read for _, read in elsewhere), *orders], at=at)
    figures: Figures = {"asset count": len(configs)}
    figures |= _chain_assets(configs, {each.token for each in books.assets if each.adapter is not None})
    bands = {band.tier for band in books.bands}
    for tier, layer in zip(Tier, layers.values(), strict=True):
        if tier in bands:
            target, least, most = layer.values()
            figures[f"tier {tier} band"] = (least, target, most)
    answers += found[: len(elsewhere)]
    for (subject, _), answer in zip((*questions, *elsewhere), answers, strict=True):
        figures[subject] = _plain(answer)
    for order, told in zip(books.orders, found[len(elsewhere) :], strict=True):
        if not isinstance(told, NoAnswer):  # else it is absent on chain
            figures |= _chain_order(order, told)
    return figures


def _plain(answer: Any) -> Hashable:
    match answer:
        case bytes():
            return checksum(answer)
        case list():
            return tuple(sorted(answer))
        case NoAnswer():
            return str(answer)
    return int(answer)


def _chain_assets(configs: Iterable[dict[str, Any]], with_adapter: set[Address]) -> Figures:
    figures: Figures = {}
    for config in configs:
        token = Address(config["token"])
        figures |= _asset_figures(
            token, named_or_number(tuple(Tier), config["tier"]), config["targetAllocation"], config["isActive"]
        )
        if token in with_adapter:
            figures[f"asset {checksum(token)} adapter"] = checksum(config["purchaseAdapter"])
    return figures


def _chain_order(order: OtcOrder, told: dict[str, Any]) -> Figures:
    subject = _order_subject(order)
    terms = (checksum(told["rwaToken"]), checksum(told["counterparty"]), told["usdtAmount"], told["expectedTokens"])
    return {
        f"{subject} status": named_or_number(tuple(OrderStatus), told["status"]),
        f"{subject} terms": terms,
        f"{subject} delivered": told["actualTokens"],
    }
