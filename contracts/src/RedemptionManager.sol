// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";
import {IAssetController} from "./interfaces/IAssetController.sol";
import {IAssetScheduler} from "./interfaces/IAssetScheduler.sol";
import {IVault} from "./interfaces/IVault.sol";
import {InsufficientShares, ZeroAddress, ZeroAmount} from "./libraries/Errors.sol";
import {FundAccess} from "./libraries/FundAccess.sol";
import {RedemptionRules} from "./libraries/RedemptionRules.sol";
import {BASIS_POINTS, Channel, ONE, Status, Tier} from "./libraries/Types.sol";

/// @title The way out of the fund
/// @notice A request locks shares and fixes its gross amount at that moment's NAV; the vault owes that amount from then on,
/// approval or not. Approval (where the rules ask for it) sets the date; settlement burns the shares, computes the fee anew
/// and pays the receiver, selling L1 yield and L2 through the waterfall when cash is short.
///
///   PENDING ──────────────────────────► SETTLED
///   PENDING_APPROVAL ──► APPROVED ────► SETTLED
///   PENDING, PENDING_APPROVAL ────────► CANCELLED   (by the owner, or by a rejection)
contract RedemptionManager is FundAccess, Pausable, ReentrancyGuard {
    using EnumerableSet for EnumerableSet.UintSet;

    struct RedemptionRequest {
        uint256 requestId;
        address owner;
        address receiver;
        uint256 shares;
        uint256 grossAmount;
        uint256 lockedNav;
        uint256 estimatedFee;
        uint256 requestTime;
        uint256 settlementTime;
        Status status;
        Channel channel;
        bool requiresApproval;
        uint256 windowId;
    }

    struct RedemptionPreview {
        uint256 grossAmount;
        uint256 fee;
        uint256 netAmount;
        Channel channel;
        bool requiresApproval;
        uint256 settlementDelay;
        uint256 estimatedSettlementTime;
        uint256 windowId;
        bool canProcess;
        string channelReason;
    }

    IVault public immutable vault;
    address public assetScheduler;
    address public assetController;

    /// Ids start at 1.
    uint256 public getRequestCount;
    uint256 public getTotalPendingApprovalAmount;

    mapping(uint256 requestId => RedemptionRequest) private _requests;
    mapping(address owner => uint256[]) private _requestsOf;
    EnumerableSet.UintSet private _pendingApprovals;

    event RedemptionRequested(
        uint256 indexed requestId,
        address indexed owner,
        address receiver,
        uint256 shares,
        uint256 lockedAmount,
        uint256 estimatedFee,
        Channel channel,
        bool requiresApproval,
        uint256 settlementTime,
        uint256 windowId
    );
    event RedemptionSettled(
        uint256 indexed requestId,
        address indexed owner,
        address receiver,
        uint256 grossAmount,
        uint256 fee,
        uint256 netAmount,
        Channel channel
    );
    event RedemptionApproved(uint256 indexed requestId, address indexed approver, uint256 settlementTime);
    event RedemptionRejected(uint256 indexed requestId, address indexed rejector, string reason);
    event RedemptionCancelled(uint256 indexed requestId, address indexed owner);
    event LowLiquidityAlert(uint256 currentRatio, uint256 threshold, uint256 available, uint256 total);
    event CriticalLiquidityAlert(uint256 currentRatio, uint256 threshold, uint256 available);
    event AssetSchedulerUpdated(address indexed oldScheduler, address indexed newScheduler);
    event AssetControllerUpdated(address indexed oldController, address indexed newController);

    error InsufficientLiquidity(uint256 available, uint256 required);
    error RequestNotFound(uint256 requestId);
    error InvalidRequestStatus(uint256 requestId);
    error SettlementTimeNotReached(uint256 settlementTime, uint256 currentTime);
    error NotPendingApproval(uint256 requestId);
    error EmergencyModeNotActive();
    error SchedulerNotConfigured();
    error NotRequestOwner();

    constructor(IVault vault_, address admin) FundAccess(admin) {
        if (address(vault_) == address(0)) revert ZeroAddress();
        vault = vault_;
    }

    // ---------------------------------------------------------------------------------------------- requesting

    /// @notice STANDARD below 2 % of the fund's net assets, SCHEDULED from there on.
    function requestRedemption(uint256 shares, address receiver)
        external
        nonReentrant
        whenNotPaused
        returns (uint256 requestId)
    {
        _requireRequestable(shares, receiver);
        uint256 nav = vault.sharePrice();
        uint256 grossAmount = shares * nav / ONE;
        if (RedemptionRules.isScheduled(grossAmount, vault.totalAssets())) {
            return _openScheduled(shares, receiver, grossAmount, nav);
        }
        bool requiresApproval = RedemptionRules.standardNeedsApproval(grossAmount, vault.getAvailableLiquidity());
        return _open(shares, receiver, grossAmount, nav, Channel.STANDARD, requiresApproval);
    }

    /// @notice T+1 for an extra fee, while emergency mode is on. Not stopped by this contract's pause: the way out that
    /// emergency mode opens stays open.
    function requestEmergencyRedemption(uint256 shares, address receiver)
        external
        nonReentrant
        returns (uint256 requestId)
    {
        if (!vault.emergencyMode()) revert EmergencyModeNotActive();
        _requireRequestable(shares, receiver);
        uint256 nav = vault.sharePrice();
        uint256 grossAmount = shares * nav / ONE;
        bool requiresApproval = RedemptionRules.emergencyNeedsApproval(grossAmount, vault.getLayer1Liquidity());
        return _open(shares, receiver, grossAmount, nav, Channel.EMERGENCY, requiresApproval);
    }

    /// @notice The owner's change of mind, until an approval or the settlement.
    function cancelRedemption(uint256 requestId) external nonReentrant {
        RedemptionRequest storage request = _existing(requestId);
        if (request.owner != msg.sender) revert NotRequestOwner();
        if (request.status != Status.PENDING && request.status != Status.PENDING_APPROVAL) {
            revert InvalidRequestStatus(requestId);
        }
        _undo(request);
        emit RedemptionCancelled(requestId, msg.sender);
    }

    // ------------------------------------------------------------------------------------------------ approving

    /// @notice The clock starts here: T+7 or T+1 from the approval.
    function approveRedemption(uint256 requestId) external onlyRole(VIP_APPROVER_ROLE) nonReentrant {
        RedemptionRequest storage request = _awaitingApproval(requestId);
        _leaveApproval(request);
        request.status = Status.APPROVED;
        request.settlementTime = block.timestamp + RedemptionRules.delayOf(request.channel);
        emit RedemptionApproved(requestId, msg.sender, request.settlementTime);
    }

    /// @notice Ends as CANCELLED on chain; that it was a rejection is only in the event.
    function rejectRedemption(uint256 requestId, string calldata reason)
        external
        onlyRole(VIP_APPROVER_ROLE)
        nonReentrant
    {
        _undo(_awaitingApproval(requestId));
        emit RedemptionRejected(requestId, msg.sender, reason);
    }

    // ------------------------------------------------------------------------------------------------- settling

    /// @notice Anyone may settle a due STANDARD or EMERGENCY request; a pause does not stop it.
    function settleRedemption(uint256 requestId) external nonReentrant {
        RedemptionRequest storage request = _existing(requestId);
        if (request.channel == Channel.SCHEDULED) revert InvalidRequestStatus(requestId);
        _settle(request, request.settlementTime);
    }

    /// @notice A SCHEDULED request is due when the scheduler says so now, whatever it said at the request.
    function settleScheduledRedemption(uint256 requestId) external nonReentrant {
        RedemptionRequest storage request = _existing(requestId);
        if (request.channel != Channel.SCHEDULED) revert InvalidRequestStatus(requestId);
        _settle(request, _scheduler().getWindowSettlementTime(request.windowId));
    }

    /// @notice Always scans from the first request ever made; skips SCHEDULED ones and whatever reverts.
    function batchSettleRedemptions(uint256 maxCount) external returns (uint256 settled) {
        for (uint256 id = 1; id <= getRequestCount && settled < maxCount; id++) {
            if (!_mayBeBatched(_requests[id])) continue;
            try this.settleRedemption(id) {
                settled++;
            } catch {}
        }
    }

    // ------------------------------------------------------------------------------------------------- previews

    /// @notice What a request of so many shares would become, whoever makes it.
    function previewRedemption(uint256 shares) external view returns (RedemptionPreview memory) {
        return _previewRegular(shares);
    }

    /// @notice The same, and whether this account has the shares.
    function previewRedemptionFor(address account, uint256 shares)
        external
        view
        returns (RedemptionPreview memory preview)
    {
        preview = _previewRegular(shares);
        if (_availableShares(account) < shares) _refuse(preview, "Insufficient shares");
    }

    function previewEmergencyRedemption(uint256 shares) external view returns (RedemptionPreview memory preview) {
        preview.grossAmount = shares * vault.sharePrice() / ONE;
        preview.channel = Channel.EMERGENCY;
        preview.requiresApproval =
            RedemptionRules.emergencyNeedsApproval(preview.grossAmount, vault.getLayer1Liquidity());
        _fillPreview(preview, "Emergency channel: T+1");
        if (!vault.emergencyMode()) _refuse(preview, "Emergency mode is not active");
        if (shares == 0) _refuse(preview, "Zero shares");
    }

    // ---------------------------------------------------------------------------------------------------- reads

    function getRedemptionRequest(uint256 requestId) external view returns (RedemptionRequest memory) {
        return _existing(requestId);
    }

    function getUserRedemptions(address owner) external view returns (uint256[] memory) {
        return _requestsOf[owner];
    }

    function getPendingApprovals() external view returns (uint256[] memory) {
        return _pendingApprovals.values();
    }

    // --------------------------------------------------------------------------------------------------- admins

    function setAssetScheduler(address scheduler) external onlyRole(ADMIN_ROLE) {
        if (scheduler == address(0)) revert ZeroAddress();
        emit AssetSchedulerUpdated(assetScheduler, scheduler);
        assetScheduler = scheduler;
    }

    function setAssetController(address controller) external onlyRole(ADMIN_ROLE) {
        if (controller == address(0)) revert ZeroAddress();
        emit AssetControllerUpdated(assetController, controller);
        assetController = controller;
    }

    /// @notice Stops new STANDARD and SCHEDULED requests; neither emergency requests nor settlement.
    function pause() external onlyRole(ADMIN_ROLE) {
        _pause();
    }

    function unpause() external onlyRole(ADMIN_ROLE) {
        _unpause();
    }

    // ------------------------------------------------------------------------------------- internal: requesting

    function _requireRequestable(uint256 shares, address receiver) private view {
        if (shares == 0) revert ZeroAmount();
        if (receiver == address(0)) revert ZeroAddress();
        uint256 available = _availableShares(msg.sender);
        if (available < shares) revert InsufficientShares(available, shares);
    }

    /// Locked shares have already left the balance and are taken off once more here: whoever has redeemed half cannot
    /// redeem one share of the other half until the first settles.
    function _availableShares(address account) private view returns (uint256) {
        uint256 balance = vault.balanceOf(account);
        uint256 locked = vault.lockedSharesOf(account);
        return balance > locked ? balance - locked : 0;
    }

    function _open(
        uint256 shares,
        address receiver,
        uint256 grossAmount,
        uint256 nav,
        Channel channel,
        bool requiresApproval
    ) private returns (uint256) {
        RedemptionRequest storage request = _newRequest(shares, receiver, grossAmount, nav, channel);
        request.requiresApproval = requiresApproval;
        if (requiresApproval) {
            request.status = Status.PENDING_APPROVAL;
            getTotalPendingApprovalAmount += grossAmount;
            _pendingApprovals.add(request.requestId);
        } else {
            request.settlementTime = block.timestamp + RedemptionRules.delayOf(channel);
        }
        return _commit(request);
    }

    function _openScheduled(uint256 shares, address receiver, uint256 grossAmount, uint256 nav)
        private
        returns (uint256)
    {
        IAssetScheduler scheduler = _scheduler();
        RedemptionRequest storage request = _newRequest(shares, receiver, grossAmount, nav, Channel.SCHEDULED);
        (, uint256 windowId) = scheduler.scheduleRedemptionWithAdvance(
            msg.sender, receiver, shares, grossAmount, nav, RedemptionRules.SCHEDULED_ADVANCE
        );
        request.windowId = windowId;
        request.settlementTime = scheduler.getWindowSettlementTime(windowId);
        return _commit(request);
    }

    function _newRequest(uint256 shares, address receiver, uint256 grossAmount, uint256 nav, Channel channel)
        private
        returns (RedemptionRequest storage request)
    {
        uint256 requestId = ++getRequestCount;
        request = _requests[requestId];
        request.requestId = requestId;
        request.owner = msg.sender;
        request.receiver = receiver;
        request.shares = shares;
        request.grossAmount = grossAmount;
        request.lockedNav = nav;
        request.estimatedFee = _feeNow(grossAmount, channel);
        request.requestTime = block.timestamp;
        request.channel = channel;
        _requestsOf[msg.sender].push(requestId);
    }

    function _commit(RedemptionRequest storage request) private returns (uint256) {
        vault.lockShares(request.owner, request.shares);
        vault.addRedemptionLiability(request.grossAmount);
        emit RedemptionRequested(
            request.requestId,
            request.owner,
            request.receiver,
            request.shares,
            request.grossAmount,
            request.estimatedFee,
            request.channel,
            request.requiresApproval,
            request.settlementTime,
            request.windowId
        );
        _alertIfLiquidityIsLow();
        return request.requestId;
    }

    // ---------------------------------------------------------------------------- internal: approving, settling

    function _undo(RedemptionRequest storage request) private {
        if (request.status == Status.PENDING_APPROVAL) _leaveApproval(request);
        request.status = Status.CANCELLED;
        vault.reduceRedemptionLiability(request.grossAmount);
        vault.unlockShares(request.owner, request.shares);
    }

    function _leaveApproval(RedemptionRequest storage request) private {
        getTotalPendingApprovalAmount -= request.grossAmount;
        _pendingApprovals.remove(request.requestId);
    }

    function _settle(RedemptionRequest storage request, uint256 dueTime) private {
        if (request.status != Status.PENDING && request.status != Status.APPROVED) {
            revert InvalidRequestStatus(request.requestId);
        }
        if (block.timestamp < dueTime) revert SettlementTimeNotReached(dueTime, block.timestamp);

        uint256 grossAmount = request.grossAmount;
        uint256 fee = _feeNow(grossAmount, request.channel);
        _raiseCash(grossAmount);

        request.status = Status.SETTLED;
        vault.reduceRedemptionLiability(grossAmount);
        vault.burnLockedShares(request.owner, request.shares);
        vault.addRedemptionFee(fee);
        vault.payOut(request.receiver, grossAmount - fee);
        emit RedemptionSettled(
            request.requestId, request.owner, request.receiver, grossAmount, fee, grossAmount - fee, request.channel
        );
        _alertIfLiquidityIsLow();
    }

    /// Cash for the whole gross amount, since the fee stays behind as somebody's money. Needs REBALANCER_ROLE on the asset
    /// controller when cash is short.
    function _raiseCash(uint256 required) private {
        uint256 available = _freeCash();
        if (available < required && assetController != address(0)) {
            IAssetController(assetController).executeWaterfallLiquidation(required - available, Tier.TIER_2_MMF);
            available = _freeCash();
        }
        if (available < required) revert InsufficientLiquidity(available, required);
    }

    function _freeCash() private view returns (uint256) {
        uint256 cash = vault.getLayer1Cash();
        uint256 fees = vault.withdrawableRedemptionFees();
        return cash > fees ? cash - fees : 0;
    }

    function _mayBeBatched(RedemptionRequest storage request) private view returns (bool) {
        return request.channel != Channel.SCHEDULED
            && (request.status == Status.PENDING || request.status == Status.APPROVED)
            && request.settlementTime <= block.timestamp;
    }

    // -------------------------------------------------------------------------------------- internal: liquidity

    function _feeNow(uint256 grossAmount, Channel channel) private view returns (uint256) {
        (uint256 ratio,,) = _liquidity();
        return RedemptionRules.fee(grossAmount, ratio, channel);
    }

    /// (L1 + L2) ÷ (net assets + redemption liability), in bps.
    function _liquidity() private view returns (uint256 ratio, uint256 available, uint256 total) {
        available = vault.getAvailableLiquidity();
        total = vault.totalAssets() + vault.totalRedemptionLiability();
        ratio = total == 0 ? BASIS_POINTS : available * BASIS_POINTS / total;
    }

    function _alertIfLiquidityIsLow() private {
        (uint256 ratio, uint256 available, uint256 total) = _liquidity();
        if (ratio < RedemptionRules.CRITICAL_LIQUIDITY_BPS) {
            emit CriticalLiquidityAlert(ratio, RedemptionRules.CRITICAL_LIQUIDITY_BPS, available);
        } else if (ratio < RedemptionRules.LOW_LIQUIDITY_BPS) {
            emit LowLiquidityAlert(ratio, RedemptionRules.LOW_LIQUIDITY_BPS, available, total);
        }
    }

    // --------------------------------------------------------------------------------------- internal: previews

    function _previewRegular(uint256 shares) private view returns (RedemptionPreview memory preview) {
        preview.grossAmount = shares * vault.sharePrice() / ONE;
        if (RedemptionRules.isScheduled(preview.grossAmount, vault.totalAssets())) {
            preview.channel = Channel.SCHEDULED;
            _fillPreview(preview, "Scheduled channel: 2% of the fund or more waits for a quarterly window");
        } else {
            preview.requiresApproval =
                RedemptionRules.standardNeedsApproval(preview.grossAmount, vault.getAvailableLiquidity());
            _fillPreview(preview, "Standard channel: T+7");
        }
        if (paused()) _refuse(preview, "Redemptions are paused");
        if (shares == 0) _refuse(preview, "Zero shares");
    }

    function _fillPreview(RedemptionPreview memory preview, string memory reason) private view {
        preview.fee = _feeNow(preview.grossAmount, preview.channel);
        preview.netAmount = preview.grossAmount - preview.fee;
        preview.canProcess = true;
        preview.channelReason = reason;
        if (preview.channel == Channel.SCHEDULED) {
            _fillWindow(preview);
        } else {
            // With approval still to come this is the earliest date, as if it were given now.
            preview.settlementDelay = RedemptionRules.delayOf(preview.channel);
            preview.estimatedSettlementTime = block.timestamp + preview.settlementDelay;
        }
    }

    function _fillWindow(RedemptionPreview memory preview) private view {
        if (assetScheduler == address(0)) {
            _refuse(preview, "No scheduler is configured");
            return;
        }
        (preview.windowId, preview.estimatedSettlementTime) =
            IAssetScheduler(assetScheduler).findWindow(RedemptionRules.SCHEDULED_ADVANCE);
        preview.settlementDelay = preview.estimatedSettlementTime - block.timestamp;
    }

    function _refuse(RedemptionPreview memory preview, string memory reason) private pure {
        preview.canProcess = false;
        preview.channelReason = reason;
    }

    // ---------------------------------------------------------------------------------------- internal: look-up

    function _existing(uint256 requestId) private view returns (RedemptionRequest storage request) {
        request = _requests[requestId];
        if (request.owner == address(0)) revert RequestNotFound(requestId);
    }

    function _awaitingApproval(uint256 requestId) private view returns (RedemptionRequest storage request) {
        request = _existing(requestId);
        if (request.status != Status.PENDING_APPROVAL) revert NotPendingApproval(requestId);
    }

    function _scheduler() private view returns (IAssetScheduler) {
        if (assetScheduler == address(0)) revert SchedulerNotConfigured();
        return IAssetScheduler(assetScheduler);
    }
}
