// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IAssetScheduler} from "./interfaces/IAssetScheduler.sol";
import {ZeroAddress} from "./libraries/Errors.sol";
import {FundAccess} from "./libraries/FundAccess.sol";
import {Quarters} from "./libraries/Quarters.sol";

/// @title Quarterly settlement windows for redemptions of 2 % of the fund and more
/// @notice By the calendar a window settles on the first of March, June, September or December; an admin may move one. A
/// window's date is therefore an estimate until it has come, and whoever settles reads it again.
contract AssetScheduler is IAssetScheduler, FundAccess {
    struct ScheduledRedemption {
        address owner;
        address receiver;
        uint256 shares;
        uint256 grossAmount;
        uint256 lockedNav;
        uint256 windowId;
    }

    uint256 public scheduledCount;
    mapping(uint256 schedulerRequestId => ScheduledRedemption) public scheduledRedemptions;
    mapping(uint256 windowId => uint256 settlementTime) private _moved;

    event RedemptionScheduled(
        uint256 indexed schedulerRequestId, uint256 indexed windowId, address indexed owner, uint256 grossAmount
    );
    event WindowMoved(uint256 indexed windowId, uint256 oldSettlementTime, uint256 newSettlementTime);

    error UnknownWindow(uint256 windowId);

    constructor(address admin) FundAccess(admin) {}

    /// @notice Books the first window at least `advanceDays` SECONDS away.
    function scheduleRedemptionWithAdvance(
        address owner,
        address receiver,
        uint256 shares,
        uint256 grossAmount,
        uint256 lockedNav,
        uint256 advanceDays
    ) external onlyRole(OPERATOR_ROLE) returns (uint256 schedulerRequestId, uint256 windowId) {
        if (owner == address(0) || receiver == address(0)) revert ZeroAddress();
        (windowId,) = findWindow(advanceDays);
        schedulerRequestId = ++scheduledCount;
        scheduledRedemptions[schedulerRequestId] =
            ScheduledRedemption(owner, receiver, shares, grossAmount, lockedNav, windowId);
        emit RedemptionScheduled(schedulerRequestId, windowId, owner, grossAmount);
    }

    function moveWindow(uint256 windowId, uint256 settlementTime) external onlyRole(ADMIN_ROLE) {
        emit WindowMoved(windowId, getWindowSettlementTime(windowId), settlementTime);
        _moved[windowId] = settlementTime;
    }

    /// @notice The next window to settle.
    function getCurrentWindow() external view returns (uint256 windowId, uint256 settlementTime) {
        return findWindow(0);
    }

    function calculateNextWindowDate() external view returns (uint256 settlementTime) {
        (, settlementTime) = findWindow(0);
    }

    function getWindowSettlementTime(uint256 windowId) public view returns (uint256) {
        if (!Quarters.isWindow(windowId)) revert UnknownWindow(windowId);
        uint256 moved = _moved[windowId];
        return moved == 0 ? Quarters.settlementOf(windowId) : moved;
    }

    /// @notice The first window by the calendar, and not moved to an earlier day, that leaves the notice.
    function findWindow(uint256 noticeSeconds) public view returns (uint256 windowId, uint256 settlementTime) {
        uint256 earliest = block.timestamp + noticeSeconds;
        windowId = Quarters.atOrAfter(earliest);
        settlementTime = getWindowSettlementTime(windowId);
        while (settlementTime < earliest) {
            windowId = Quarters.following(windowId);
            settlementTime = getWindowSettlementTime(windowId);
        }
    }
}
