"""Reads of the vault."""

from typing import Any, NamedTuple

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import NavPerShare, RawAmount
from paimon.infrastructure.blockchain.contracts.contract import ManagedContract
from paimon.infrastructure.blockchain.contracts.reads import ContractRead


class LiquidityBreakdown(NamedTuple):
    """`getLiquidityBreakdown`: the layers by value, layer 1 in its two parts."""

    layer1_cash: RawAmount
    layer1_yield: RawAmount
    layer2: RawAmount
    layer3: RawAmount


class Vault(ManagedContract):
    def asset(self) -> ContractRead[Address]:
        """The token in which the vault counts."""
        return self._read("asset", convert=Address)

    def asset_controller(self) -> ContractRead[Address]:
        return self._read("assetController", convert=Address)

    def total_supply(self) -> ContractRead[RawAmount]:
        return self._read("totalSupply", convert=RawAmount)

    def balance_of(self, holder: Address) -> ContractRead[RawAmount]:
        return self._read("balanceOf", holder, convert=RawAmount)

    def total_locked_shares(self) -> ContractRead[RawAmount]:
        return self._read("totalLockedShares", convert=RawAmount)

    def locked_shares_of(self, holder: Address) -> ContractRead[RawAmount]:
        return self._read("lockedSharesOf", holder, convert=RawAmount)

    def total_redemption_liability(self) -> ContractRead[RawAmount]:
        return self._read("totalRedemptionLiability", convert=RawAmount)

    def withdrawable_redemption_fees(self) -> ContractRead[RawAmount]:
        return self._read("withdrawableRedemptionFees", convert=RawAmount)

    def total_accumulated_redemption_fees(self) -> ContractRead[RawAmount]:
        return self._read("totalAccumulatedRedemptionFees", convert=RawAmount)

    def gross_assets(self) -> ContractRead[RawAmount]:
        return self._read("grossAssets", convert=RawAmount)

    def total_assets(self) -> ContractRead[RawAmount]:
        """Net assets, as the contract computes them."""
        return self._read("totalAssets", convert=RawAmount)

    def share_price(self) -> ContractRead[NavPerShare]:
        return self._read("sharePrice", convert=NavPerShare)

    def liquidity_breakdown(self) -> ContractRead[LiquidityBreakdown]:
        return self._read("getLiquidityBreakdown", convert=_liquidity_breakdown)

    def emergency_mode(self) -> ContractRead[bool]:
        return self._read("emergencyMode", convert=bool)


def _liquidity_breakdown(result: dict[str, Any]) -> LiquidityBreakdown:
    return LiquidityBreakdown(
        RawAmount(result["layer1Cash"]),
        RawAmount(result["layer1Yield"]),
        RawAmount(result["layer2"]),
        RawAmount(result["layer3"]),
    )
