"""Capabilities of a fund's contracts: typed facts that rules ask, each found from the functions that the contracts have.

Deployments of the interface differ: later ones remove functions and change others, and not only add some. Nothing here knows
a version. A capability is present where its functions are, and a rule asks for the capability that it needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from paimon.domain.kernel.chain import ContractName

_VAULT, _MANAGER = ContractName.VAULT, ContractName.REDEMPTION_MANAGER
_CONTROLLER = ContractName.ASSET_CONTROLLER


class Capability(StrEnum):
    """Name what a deployment can do, or what it can be asked."""

    VALUATION = "valuation"
    CONTRACT_FIGURES = "contract_figures"
    VALUE_CACHE = "value_cache"
    PENDING_VALUE = "pending_value"
    REDEMPTION_REQUESTS = "redemption_requests"
    SETTLEMENT = "settlement"
    SCHEDULED_SETTLEMENT = "scheduled_settlement"
    APPROVAL = "approval"
    KEEPER_APPROVES = "keeper_approves"
    CANCELLATION = "cancellation"
    VOUCHERS = "vouchers"
    CUSTOM_DATES = "custom_dates"
    LIABILITY_BY_DAY = "liability_by_day"
    REDEMPTION_QUOTAS = "redemption_quotas"
    KEEPER_WORK = "keeper_work"
    EMERGENCY_MODE = "emergency_mode"
    EMERGENCY_WITHDRAWAL = "emergency_withdrawal"
    MANAGEMENT_FEES = "management_fees"
    PERFORMANCE_FEES = "performance_fees"
    REDEMPTION_FEE_WITHDRAWAL = "redemption_fee_withdrawal"
    REDEMPTION_FEE_WITHDRAWAL_TO = "redemption_fee_withdrawal_to"
    TIER_LIMITS = "tier_limits"
    TIER_ALLOCATION = "tier_allocation"
    BUFFER_POOL = "buffer_pool"
    PURCHASES = "purchases"
    PURCHASES_FROM_TOKEN = "purchases_from_token"  # noqa: S105 — a kind of purchase, no secret
    SALES = "sales"
    WATERFALL = "waterfall"
    OTC = "otc"
    DELAYED_SETTLEMENT = "delayed_settlement"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class CapabilityRule:
    """The functions that make up a capability, by contract, and what its absence switches off."""

    functions: Mapping[ContractName, tuple[str, ...]]
    switched_off: str
    is_required: bool = False
    """Whether the backend cannot value the fund without it."""


CAPABILITIES: Final[Mapping[Capability, CapabilityRule]] = {
    Capability.VALUATION: CapabilityRule(
        {
            _VAULT: (
                "asset()",
                "totalSupply()",
                "totalLockedShares()",
                "totalRedemptionLiability()",
                "withdrawableRedemptionFees()",
            ),
            _CONTROLLER: ("getAssetConfigs()", "oracleAdapter()"),
        },
        "snapshots, NAV, and all that follows from them: the fund cannot be valued",
        is_required=True,
    ),
    Capability.CONTRACT_FIGURES: CapabilityRule(
        {
            _VAULT: ("totalAssets()", "sharePrice()", "getLiquidityBreakdown()"),
            _CONTROLLER: ("calculateAssetValue()",),
        },
        "the comparison of NAV with the contracts' own figures",
    ),
    Capability.VALUE_CACHE: CapabilityRule(
        {_CONTROLLER: ("refreshCache()",)},
        "nothing: the contracts' own figures are then always fresh",
    ),
    Capability.PENDING_VALUE: CapabilityRule(
        {_CONTROLLER: ("totalPendingValue()",)},
        "the line of assets in transit for delayed settlements: there are none",
    ),
    Capability.REDEMPTION_REQUESTS: CapabilityRule(
        {_MANAGER: ("getRedemptionRequest(uint256)", "getRequestCount()", "requestRedemption(uint256,address)")},
        "the following of redemptions beyond their events",
    ),
    Capability.SETTLEMENT: CapabilityRule(
        {_MANAGER: ("settleRedemption(uint256)",)},
        "the settlement of due redemptions by the keeper",
    ),
    Capability.SCHEDULED_SETTLEMENT: CapabilityRule(
        {_MANAGER: ("settleScheduledRedemption(uint256)", "assetScheduler()")},
        "the scheduled channel and its windows",
    ),
    Capability.APPROVAL: CapabilityRule(
        {_MANAGER: ("approveRedemption(uint256)", "rejectRedemption(uint256,string)")},
        "the decision of approval tickets on chain",
    ),
    Capability.KEEPER_APPROVES: CapabilityRule(
        {_MANAGER: ("KEEPER_ROLE()",)},
        "nothing: VIP_APPROVER_ROLE approves",
    ),
    Capability.CANCELLATION: CapabilityRule(
        {_MANAGER: ("cancelRedemption(uint256)",)},
        "the cancellation of a request by its owner",
    ),
    Capability.VOUCHERS: CapabilityRule(
        {_MANAGER: ("settleWithVoucher(uint256)", "redemptionVoucher()", "voucherThreshold()")},
        "vouchers: the owner of a request is paid",
    ),
    Capability.CUSTOM_DATES: CapabilityRule(
        {_MANAGER: ("approveRedemptionWithDate(uint256,uint256)",)},
        "the choice of a settlement date by the voters",
    ),
    Capability.LIABILITY_BY_DAY: CapabilityRule(
        {_MANAGER: ("getSevenDayLiability()", "getOverdueLiability()")},
        "the contract's liability by day",
    ),
    Capability.REDEMPTION_QUOTAS: CapabilityRule(
        {_VAULT: ("emergencyQuota()", "lockedMintAssets()", "standardQuotaRatio()", "getStandardChannelQuota()")},
        "the quotas of the standard and the emergency channel",
    ),
    Capability.KEEPER_WORK: CapabilityRule(
        {
            _VAULT: ("resetLockedMintAssets()", "refreshEmergencyQuota(uint256)"),
            _MANAGER: ("adjustOverdueLiability(uint256)",),
        },
        "the keeper's daily adjustments",
    ),
    Capability.EMERGENCY_MODE: CapabilityRule(
        {_VAULT: ("emergencyMode()", "setEmergencyMode(bool)")},
        "the emergency mode and its switch",
    ),
    Capability.EMERGENCY_WITHDRAWAL: CapabilityRule(
        {_VAULT: ("emergencyWithdraw(address,address,uint256)",)},
        "withdrawals of tokens by the administrators in an emergency",
    ),
    Capability.MANAGEMENT_FEES: CapabilityRule(
        {_CONTROLLER: ("accumulatedManagementFees()", "getPendingFees()", "collectFees()")},
        "accrued and pending management fees: none are owed",
    ),
    Capability.PERFORMANCE_FEES: CapabilityRule(
        {
            _CONTROLLER: (
                "accumulatedPerformanceFees()",
                "accruePerformanceFee()",
                "setLayer3HighWaterMark(uint256)",
            )
        },
        "performance fees and the high-water mark of L3",
    ),
    Capability.REDEMPTION_FEE_WITHDRAWAL: CapabilityRule(
        {_CONTROLLER: ("withdrawRedemptionFees(uint256)",)},
        "the withdrawal of redemption fees to the fee recipient",
    ),
    Capability.REDEMPTION_FEE_WITHDRAWAL_TO: CapabilityRule(
        {_CONTROLLER: ("withdrawRedemptionFees(uint256,address)",)},
        "the withdrawal of redemption fees to a named recipient",
    ),
    Capability.TIER_LIMITS: CapabilityRule(
        {_CONTROLLER: ("getLayerConfigs()", "setLayerConfig(uint8,uint256,uint256,uint256)")},
        "the tiers' bands on chain: the settings' bands hold",
    ),
    Capability.TIER_ALLOCATION: CapabilityRule(
        {_CONTROLLER: ("allocateToLayer(uint8,uint256)",)},
        "plans that allocate cash to a whole tier",
    ),
    Capability.BUFFER_POOL: CapabilityRule(
        {_CONTROLLER: ("getBufferPoolInfo()", "rebalanceBuffer()")},
        "the buffer pool and plans that rebalance it",
    ),
    Capability.PURCHASES: CapabilityRule(
        {_CONTROLLER: ("purchaseAsset(address,uint256)",)},
        "plans that buy an asset with USDT",
    ),
    Capability.PURCHASES_FROM_TOKEN: CapabilityRule(
        {_CONTROLLER: ("purchaseAsset(address,address,uint256)",)},
        "plans that buy an asset with a token other than USDT",
    ),
    Capability.SALES: CapabilityRule(
        {_CONTROLLER: ("redeemAsset(address,uint256)",)},
        "plans that sell an asset",
    ),
    Capability.WATERFALL: CapabilityRule(
        {_CONTROLLER: ("executeWaterfallLiquidation(uint256,uint8)",)},
        "plans that raise cash by the waterfall",
    ),
    Capability.OTC: CapabilityRule(
        {
            _CONTROLLER: (
                "otcManager()",
                "createOTCOrder(address,uint256,uint256,address,uint256)",
                "executeOTCPayment(uint256)",
                "confirmOTCDelivery(uint256,uint256)",
            )
        },
        "OTC orders",
    ),
    Capability.DELAYED_SETTLEMENT: CapabilityRule(
        {_CONTROLLER: ("confirmSettlement(uint256,uint256)", "cancelSettlement(uint256)", "pendingSettlements(uint256)")},
        "purchases and sales that settle later",
    ),
    Capability.PAUSE: CapabilityRule(
        dict.fromkeys((_VAULT, _MANAGER, _CONTROLLER), ("paused()", "pause()", "unpause()")),
        "the pause of the contracts",
    ),
}
"""Every capability. Source: the on-chain interface and its generations."""

DISABLED_BY_ERROR: Final[Mapping[Capability, tuple[ContractName, str]]] = {
    Capability.CANCELLATION: (ContractName.REDEMPTION_MANAGER, "CancellationDisabled()"),
}
"""Capabilities whose function may stay and always revert: the contract then has this error."""


def expected_functions(contract: ContractName) -> tuple[str, ...]:
    """List the signatures of all functions that any capability needs of a contract, each once."""
    found = (signature for rule in CAPABILITIES.values() for signature in rule.functions.get(contract, ()))
    return tuple(dict.fromkeys(found))
