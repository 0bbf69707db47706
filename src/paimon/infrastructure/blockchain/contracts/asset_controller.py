"""Reads of the asset controller."""

from typing import Any, NamedTuple

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import Bps, RawAmount
from paimon.infrastructure.blockchain.contracts.contract import ManagedContract
from paimon.infrastructure.blockchain.contracts.reads import ContractRead


class AssetConfig(NamedTuple):
    """One entry of `getAssetConfigs`.

    `tier` and `purchase_method` are the contract's numbers. Times are chain seconds, 0 where none is set. A deployment whose
    entries have no allocation, minimum or subscription window has 0 for each: no target, no minimum, always open.
    """

    token: Address
    tier: int
    target_allocation: Bps
    is_active: bool
    purchase_adapter: Address
    decimals: int
    purchase_method: int
    max_slippage: Bps
    min_purchase_amount: RawAmount
    subscription_start: int
    subscription_end: int


class LayerConfig(NamedTuple):
    """One layer's target and tolerated band, as shares of gross assets."""

    target: Bps
    minimum: Bps
    maximum: Bps


class BufferPoolInfo(NamedTuple):
    """`getBufferPoolInfo`: layer 1 and its target, in units of the vault's asset."""

    cash: RawAmount
    yield_value: RawAmount
    total: RawAmount
    target: RawAmount
    ratio: Bps
    needs_rebalance: bool


class PendingFees(NamedTuple):
    """`getPendingFees`: fees due if they were collected now. `last_collection` is in chain seconds, 0 where none was."""

    management: RawAmount
    performance: RawAmount
    last_collection: int
    high_water_mark: RawAmount


class AssetController(ManagedContract):
    def vault(self) -> ContractRead[Address]:
        return self._read("vault", convert=Address)

    def asset_scheduler(self) -> ContractRead[Address]:
        return self._read("assetScheduler", convert=Address)

    def fee_recipient(self) -> ContractRead[Address]:
        return self._read("feeRecipient", convert=Address)

    def oracle_adapter(self) -> ContractRead[Address]:
        return self._read("oracleAdapter", convert=Address)

    def otc_manager(self) -> ContractRead[Address]:
        """The OTC manager's address, zero where none is set."""
        return self._read("otcManager", convert=Address)

    def swap_helper(self) -> ContractRead[Address]:
        return self._read("swapHelper", convert=Address)

    def asset_configs(self) -> ContractRead[list[AssetConfig]]:
        """Every asset that the controller ever knew, inactive ones included."""
        return self._read("getAssetConfigs", convert=_asset_configs)

    def layer_configs(self) -> ContractRead[tuple[LayerConfig, LayerConfig, LayerConfig]]:
        """The three layers' bands, layer 1 first."""
        return self._read("getLayerConfigs", convert=_layer_configs)

    def buffer_pool_info(self) -> ContractRead[BufferPoolInfo]:
        return self._read("getBufferPoolInfo", convert=_buffer_pool_info)

    def asset_value(self) -> ContractRead[RawAmount]:
        """Value of the active assets. The read reverts while a held asset has no price."""
        return self._read("calculateAssetValue", convert=RawAmount)

    def pending_fees(self) -> ContractRead[PendingFees]:
        return self._read("getPendingFees", convert=_pending_fees)

    def total_pending_value(self) -> ContractRead[RawAmount]:
        """What delayed settlements are worth, in later deployments."""
        return self._read("totalPendingValue", convert=RawAmount)

    def accumulated_management_fees(self) -> ContractRead[RawAmount]:
        return self._read("accumulatedManagementFees", convert=RawAmount)

    def accumulated_performance_fees(self) -> ContractRead[RawAmount]:
        return self._read("accumulatedPerformanceFees", convert=RawAmount)

    def default_swap_slippage(self) -> ContractRead[Bps]:
        return self._read("defaultSwapSlippage", convert=Bps)


def _asset_configs(result: list[dict[str, Any]]) -> list[AssetConfig]:
    return [
        AssetConfig(
            token=Address(config["token"]),
            tier=config["tier"],
            target_allocation=Bps(config.get("targetAllocation", 0)),
            is_active=config["isActive"],
            purchase_adapter=Address(config["purchaseAdapter"]),
            decimals=config["decimals"],
            purchase_method=config["purchaseMethod"],
            max_slippage=Bps(config["maxSlippage"]),
            min_purchase_amount=RawAmount(config.get("minPurchaseAmount", 0)),
            subscription_start=config.get("subscriptionStart", 0),
            subscription_end=config.get("subscriptionEnd", 0),
        )
        for config in result
    ]


def _layer_configs(result: dict[str, Any]) -> tuple[LayerConfig, LayerConfig, LayerConfig]:
    return _layer_config(result["layer1"]), _layer_config(result["layer2"]), _layer_config(result["layer3"])


def _layer_config(layer: dict[str, Any]) -> LayerConfig:
    return LayerConfig(Bps(layer["targetRatio"]), Bps(layer["minRatio"]), Bps(layer["maxRatio"]))


def _buffer_pool_info(result: dict[str, Any]) -> BufferPoolInfo:
    return BufferPoolInfo(
        cash=RawAmount(result["cash"]),
        yield_value=RawAmount(result["yield"]),
        total=RawAmount(result["total"]),
        target=RawAmount(result["target"]),
        ratio=Bps(result["ratio"]),
        needs_rebalance=result["needsRebalance"],
    )


def _pending_fees(result: dict[str, Any]) -> PendingFees:
    return PendingFees(
        management=RawAmount(result["management"]),
        performance=RawAmount(result["performance"]),
        last_collection=result["lastCollection"],
        high_water_mark=RawAmount(result["highWaterMark"]),
    )
