"""Storage format of a snapshot: versioned JSON with amounts as decimal strings, times in ISO 8601 and names in camelCase.

It is the format of the `observations` table and of nothing else; what the API shows is made by the gateway's views. A stored
snapshot is evidence and is never rewritten. A later version of the format gets a new number, and `from_stored_json` goes on
reading the old ones.
"""

from datetime import datetime
from typing import Any, Final

from paimon.domain.asset.purchase_method import PurchaseMethod
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import BlockStamp, ContractName, Hash32, checksum, hex0x, parse_address
from paimon.domain.kernel.units import Bps, NavPerShare, RawAmount
from paimon.domain.vault.fund_snapshot import (
    AssetPosition,
    BufferPool,
    ContractFigures,
    FeeFigures,
    FundSnapshot,
    OperationalFlags,
    OrderInTransit,
    PurchaseTerms,
    RoleAssignment,
    TierLimits,
)

VERSION: Final = 1


class UnknownVersion(Exception):
    """The stored snapshot has a format that only a later version of this software reads."""


def to_stored_json(snapshot: FundSnapshot) -> dict[str, Any]:
    """Return a snapshot in the storage format."""
    fees, buffer, contract, flags = snapshot.fees, snapshot.buffer, snapshot.contract, snapshot.flags
    return {
        "version": VERSION,
        "block": {
            "number": snapshot.at.number,
            "hash": hex0x(snapshot.at.hash),
            "timestamp": snapshot.at.timestamp.isoformat(),
        },
        "asset": checksum(snapshot.asset),
        "assetDecimals": snapshot.asset_decimals,
        "cash": str(snapshot.cash),
        "assets": [_position(position) for position in snapshot.assets],
        "totalSupply": str(snapshot.total_supply),
        "lockedShares": str(snapshot.locked_shares),
        "redemptionLiability": str(snapshot.redemption_liability),
        "withdrawableRedemptionFees": str(snapshot.withdrawable_redemption_fees),
        "accumulatedRedemptionFees": str(snapshot.accumulated_redemption_fees),
        "fees": {
            "accruedManagement": str(fees.accrued_management),
            "accruedPerformance": str(fees.accrued_performance),
            "pendingManagement": str(fees.pending_management),
            "pendingPerformance": str(fees.pending_performance),
            "lastAccrualAt": _time(fees.last_accrual_at),
            "highWaterMark": str(fees.high_water_mark),
            "recipient": checksum(fees.recipient),
        },
        "tierLimits": [
            {"targetBps": limits.target, "minimumBps": limits.minimum, "maximumBps": limits.maximum}
            for limits in snapshot.tier_limits
        ],
        "buffer": None if buffer is None else _buffer(buffer),
        "defaultSlippageBps": str(snapshot.default_slippage),
        "switches": {
            "vaultPaused": flags.vault_paused,
            "managerPaused": flags.manager_paused,
            "controllerPaused": flags.controller_paused,
            "emergencyMode": flags.emergency_mode,
        },
        "inTransit": [_order(order) for order in snapshot.in_transit],
        "contract": {
            "totalAssets": str(contract.total_assets),
            "sharePrice": str(contract.share_price),
            "assetValue": str(contract.asset_value),
            "layer1Yield": str(contract.layer1_yield),
            "layer2": str(contract.layer2),
            "layer3": str(contract.layer3),
        },
        "roles": [
            {"contract": grant.contract.value, "role": hex0x(grant.role), "account": checksum(grant.account)}
            for grant in snapshot.roles
        ],
        "pendingValue": str(snapshot.pending_value),
    }


def _position(position: AssetPosition) -> dict[str, Any]:
    terms = position.terms
    return {
        "token": checksum(position.token),
        "tier": position.tier.name,
        "decimals": position.decimals,
        "active": position.is_listed,
        "balance": str(position.balance),
        "price": None if position.price is None else str(position.price),
        "pricedAt": _time(position.priced_at),
        "value": str(position.value),
        "terms": {
            "targetAllocationBps": str(terms.target_allocation),
            "adapter": checksum(terms.adapter),
            "method": terms.method.name,
            "maxSlippageBps": str(terms.max_slippage),
            "minimum": str(terms.minimum),
            "subscriptionStart": _time(terms.subscription_start),
            "subscriptionEnd": _time(terms.subscription_end),
        },
    }


def _buffer(buffer: BufferPool) -> dict[str, Any]:
    return {
        "cash": str(buffer.cash),
        "yieldValue": str(buffer.yield_value),
        "target": str(buffer.target),
        "ratioBps": str(buffer.ratio),
        "needsRebalance": buffer.needs_rebalance,
    }


def _order(order: OrderInTransit) -> dict[str, Any]:
    return {
        "orderId": str(order.order_id),
        "token": checksum(order.token),
        "paid": str(order.paid),
        "expectedTokens": str(order.expected_tokens),
        "counterparty": checksum(order.counterparty),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def from_stored_json(data: dict[str, Any]) -> FundSnapshot:
    """Return the snapshot that was stored.

    Raises:
        UnknownVersion.
    """
    if data.get("version") != VERSION:
        raise UnknownVersion(f"a snapshot of version {data.get('version')} cannot be read by this one, which knows {VERSION}")
    block, fees, buffer = data["block"], data["fees"], data["buffer"]
    contract, switches = data["contract"], data["switches"]
    limits = [
        TierLimits(Bps(tier["targetBps"]), Bps(tier["minimumBps"]), Bps(tier["maximumBps"])) for tier in data["tierLimits"]
    ]
    return FundSnapshot(
        at=BlockStamp(block["number"], Hash32(bytes.fromhex(block["hash"][2:])), datetime.fromisoformat(block["timestamp"])),
        asset=parse_address(data["asset"]),
        asset_decimals=data["assetDecimals"],
        cash=_raw(data["cash"]),
        assets=tuple(_read_position(position) for position in data["assets"]),
        total_supply=_raw(data["totalSupply"]),
        locked_shares=_raw(data["lockedShares"]),
        redemption_liability=_raw(data["redemptionLiability"]),
        withdrawable_redemption_fees=_raw(data["withdrawableRedemptionFees"]),
        accumulated_redemption_fees=_raw(data["accumulatedRedemptionFees"]),
        fees=FeeFigures(
            accrued_management=_raw(fees["accruedManagement"]),
            accrued_performance=_raw(fees["accruedPerformance"]),
            pending_management=_raw(fees["pendingManagement"]),
            pending_performance=_raw(fees["pendingPerformance"]),
            last_accrual_at=_moment(fees["lastAccrualAt"]),
            high_water_mark=_raw(fees["highWaterMark"]),
            recipient=parse_address(fees["recipient"]),
        ),
        tier_limits=(limits[0], limits[1], limits[2]),
        buffer=None if buffer is None else _read_buffer(buffer),
        default_slippage=Bps(int(data["defaultSlippageBps"])),
        flags=OperationalFlags(
            vault_paused=switches["vaultPaused"],
            manager_paused=switches["managerPaused"],
            controller_paused=switches["controllerPaused"],
            emergency_mode=switches["emergencyMode"],
        ),
        in_transit=tuple(_read_order(order) for order in data["inTransit"]),
        contract=ContractFigures(
            total_assets=_raw(contract["totalAssets"]),
            share_price=NavPerShare(int(contract["sharePrice"])),
            asset_value=_raw(contract["assetValue"]),
            layer1_yield=_raw(contract["layer1Yield"]),
            layer2=_raw(contract["layer2"]),
            layer3=_raw(contract["layer3"]),
        ),
        roles=tuple(
            RoleAssignment(
                ContractName(grant["contract"]), Hash32(bytes.fromhex(grant["role"][2:])), parse_address(grant["account"])
            )
            for grant in data.get("roles", ())  # the first snapshots were taken without roles
        ),
        pending_value=_raw(data.get("pendingValue", "0")),  # nor was it read for them
    )


def _read_buffer(data: dict[str, Any]) -> BufferPool:
    return BufferPool(
        cash=_raw(data["cash"]),
        yield_value=_raw(data["yieldValue"]),
        target=_raw(data["target"]),
        ratio=Bps(int(data["ratioBps"])),
        needs_rebalance=data["needsRebalance"],
    )


def _read_position(data: dict[str, Any]) -> AssetPosition:
    terms = data["terms"]
    return AssetPosition(
        token=parse_address(data["token"]),
        tier=Tier[data["tier"]],
        decimals=data["decimals"],
        is_listed=data["active"],
        terms=PurchaseTerms(
            target_allocation=Bps(int(terms["targetAllocationBps"])),
            adapter=parse_address(terms["adapter"]),
            method=PurchaseMethod[terms["method"]],
            max_slippage=Bps(int(terms["maxSlippageBps"])),
            minimum=_raw(terms["minimum"]),
            subscription_start=_moment(terms["subscriptionStart"]),
            subscription_end=_moment(terms["subscriptionEnd"]),
        ),
        balance=_raw(data["balance"]),
        price=None if data["price"] is None else _raw(data["price"]),
        priced_at=_moment(data["pricedAt"]),
    )


def _read_order(data: dict[str, Any]) -> OrderInTransit:
    return OrderInTransit(
        order_id=int(data["orderId"]),
        token=parse_address(data["token"]),
        paid=_raw(data["paid"]),
        expected_tokens=_raw(data["expectedTokens"]),
        counterparty=parse_address(data["counterparty"]),
    )


def _raw(text: str) -> RawAmount:
    return RawAmount(int(text))


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
