"""What deployments of the interface have beside the shipped ABIs: other signatures of events, errors, reads and results.

The shipped ABIs are those of the test fund. Here are only things that are read: a function that changes state is called only
where a rule knows what it does. An event with the name of a shipped one is the same event with other arguments, and a result
with the name of a shipped read is the same read with another shape.
"""

from collections.abc import Mapping
from typing import Final

_PROXY: Final = (
    "event Upgraded(address indexed implementation)",
    "event Initialized(uint64 version)",
    "event AdminChanged(address previousAdmin, address newAdmin)",
    "event BeaconUpgraded(address indexed beacon)",
    "event PPTUpgraded(address indexed newImplementation, uint256 timestamp, uint256 blockNumber)",
    "error UUPSUnauthorizedCallContext()",
    "error UUPSUnsupportedProxiableUUID(bytes32 slot)",
    "error ERC1967InvalidImplementation(address implementation)",
    "error InvalidInitialization()",
    "error NotInitializing()",
)

_BEFORE_AND_AFTER: Final = "(uint256 oldValue, uint256 newValue)"

LATER: Final[Mapping[str, tuple[str, ...]]] = {
    "Vault": (
        *_PROXY,
        "event PendingApprovalSharesAdded(address indexed owner, uint256 shares)",
        "event PendingApprovalSharesConverted(address indexed owner, uint256 shares)",
        "event PendingApprovalSharesRemoved(address indexed owner, uint256 shares)",
        "event EmergencyQuotaRefreshed(uint256 amount)",
        "event EmergencyQuotaRestored(uint256 amount)",
        "event LockedMintAssetsReset(uint256 amount)",
        "event RedemptionManagerUpdated(address indexed oldManager, address indexed newManager)",
        f"event StandardQuotaRatioUpdated{_BEFORE_AND_AFTER}",
        "function redemptionManager() returns (address)",
        "function emergencyQuota() returns (uint256)",
        "function lockedMintAssets() returns (uint256)",
        "function standardQuotaRatio() returns (uint256)",
        "function getRedeemableLiquidity() returns (uint256)",
        "function getStandardChannelQuota() returns (uint256)",
    ),
    "RedemptionManager": (
        *_PROXY,
        "event VoucherMinted(uint256 indexed requestId, uint256 indexed tokenId, address indexed owner)",
        "event DailyLiabilityAdded(uint256 indexed day, uint256 amount)",
        "event LiabilityRemoved(uint256 indexed day, uint256 amount, bool overdue)",
        "event AdjustOverdueLiability(uint256 amount)",
        "event AdjustDailyLiability(uint256 day, uint256 amount)",
        "event SettlementWaterfallTriggered(uint256 indexed requestId, uint256 deficit, uint256 funded)",
        f"event BaseRedemptionFeeUpdated{_BEFORE_AND_AFTER}",
        f"event EmergencyPenaltyFeeUpdated{_BEFORE_AND_AFTER}",
        f"event StandardApprovalAmountUpdated{_BEFORE_AND_AFTER}",
        f"event StandardApprovalQuotaRatioUpdated{_BEFORE_AND_AFTER}",
        f"event EmergencyApprovalAmountUpdated{_BEFORE_AND_AFTER}",
        f"event EmergencyApprovalQuotaRatioUpdated{_BEFORE_AND_AFTER}",
        f"event VoucherThresholdUpdated{_BEFORE_AND_AFTER}",
        "error CancellationDisabled()",
        "error NotVoucherOwner(address caller, address owner)",
        "error EmergencyQuotaExceeded(uint256 requested, uint256 available)",
        "error InvalidSettlementTime(uint256 settlementTime, uint256 earliest)",
        "function KEEPER_ROLE() returns (bytes32)",
        "function redemptionVoucher() returns (address)",
        "function voucherThreshold() returns (uint256)",
        "function getSevenDayLiability() returns (uint256)",
        "function getOverdueLiability() returns (uint256)",
        "function getRedemptionRequest(uint256 requestId) returns ((uint256 requestId, address owner, address receiver,"
        " uint256 shares, uint256 grossAmount, uint256 lockedNav, uint256 estimatedFee, uint256 requestTime,"
        " uint256 settlementTime, uint8 status, uint8 channel, bool requiresApproval, uint256 windowId, bool hasVoucher))",
    ),
    "AssetController": (
        *_PROXY,
        "event AssetAdded(address indexed token, uint8 tier)",
        "event AssetActiveUpdated(address indexed token, bool isActive)",
        "event AssetTierUpdated(address indexed token, uint8 oldTier, uint8 newTier)",
        "event AssetConfigUpdated(address indexed token, uint8 tier, address adapter, uint8 method, uint256 maxSlippage)",
        "event AssetDelayedConfigUpdated(address indexed token, bool delayedPurchase, bool delayedRedemption)",
        "event SwapSlippageUpdate(uint256 slippage)",
        "event SettlementCreated(uint256 indexed settlementId, uint8 kind, address indexed token, uint256 amount,"
        " uint256 expected)",
        "event SettlementConfirmed(uint256 indexed settlementId, uint256 received)",
        "event SettlementCancelled(uint256 indexed settlementId)",
        "event WaterfallLiquidationExecuted(uint256 requested, uint8 tier, uint256 funded)",
        "event CacheRefreshed(uint256 value, uint256 timestamp)",
        "error InsufficientLiquidity(uint256 available, uint256 required)",
        "error ZeroAmount()",
        "error AssetNotAllowed(address token)",
        "error SameActiveStatus(bool isActive)",
        "error AssetHasBalance(address token, uint256 balance)",
        "error ExcessiveLiquidation()",
        "error OutputBelowMinimum()",
        "error OutputMismatch()",
        "error InsufficientVaultOutflow()",
        "function totalPendingValue() returns (uint256)",
        "function getAssetConfigs() returns ((address token, uint8 tier, bool isActive, address purchaseAdapter,"
        " uint8 decimals, uint8 purchaseMethod, uint256 maxSlippage)[])",
    ),
    "OTCManager": (
        "function getOrder(uint256 orderId) returns ((uint256 orderId, address rwaToken, uint256 usdtAmount,"
        " uint256 expectedTokens, address counterparty, uint256 createdAt, uint256 expiresAt, uint8 status))",
    ),
}
"""By contract. Source: the on-chain interface and its generations."""
