// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

interface IAssetScheduler {
    /// @param advanceDays The notice to keep, in SECONDS despite its name.
    function scheduleRedemptionWithAdvance(
        address owner,
        address receiver,
        uint256 shares,
        uint256 grossAmount,
        uint256 lockedNav,
        uint256 advanceDays
    ) external returns (uint256 schedulerRequestId, uint256 windowId);
    function getWindowSettlementTime(uint256 windowId) external view returns (uint256);
    function getCurrentWindow() external view returns (uint256 windowId, uint256 settlementTime);
    function calculateNextWindowDate() external view returns (uint256);
    function findWindow(uint256 noticeSeconds) external view returns (uint256 windowId, uint256 settlementTime);
}
