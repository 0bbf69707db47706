// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {BASIS_POINTS, Channel} from "./Types.sol";

/// @title The numbers and decisions of redemption, as functions of plain values
/// @notice Amounts are 18-decimal USDT, ratios are basis points.
library RedemptionRules {
    uint256 internal constant STANDARD_DELAY = 7 days;
    uint256 internal constant EMERGENCY_DELAY = 1 days;
    uint256 internal constant SCHEDULED_ADVANCE = 15 days;

    uint256 internal constant SCHEDULED_THRESHOLD_BPS = 200;

    uint256 internal constant STANDARD_APPROVAL_AMOUNT = 100_000e18;
    uint256 internal constant STANDARD_APPROVAL_BPS = 500;
    uint256 internal constant EMERGENCY_APPROVAL_AMOUNT = 30_000e18;
    uint256 internal constant EMERGENCY_APPROVAL_BPS = 1_000;

    uint256 internal constant BASE_FEE_BPS = 10;
    uint256 internal constant MEDIUM_AMOUNT = 50_000e18;
    uint256 internal constant MEDIUM_AMOUNT_FEE_BPS = 20;
    uint256 internal constant LARGE_AMOUNT = 100_000e18;
    uint256 internal constant LARGE_AMOUNT_FEE_BPS = 20;
    uint256 internal constant CRITICAL_LIQUIDITY_BPS = 1_500;
    uint256 internal constant CRITICAL_LIQUIDITY_FEE_BPS = 30;
    uint256 internal constant LOW_LIQUIDITY_BPS = 2_000;
    uint256 internal constant LOW_LIQUIDITY_FEE_BPS = 15;
    uint256 internal constant MAX_FEE_BPS = 50;
    uint256 internal constant EMERGENCY_FEE_BPS = 100;

    /// @notice 2 % of the fund's net assets or more must wait for a quarterly window.
    function isScheduled(uint256 grossAmount, uint256 totalAssets) internal pure returns (bool) {
        return grossAmount * BASIS_POINTS >= totalAssets * SCHEDULED_THRESHOLD_BPS;
    }

    /// @notice STANDARD: at 100 000 or at 5 % of L1+L2, inclusive.
    function standardNeedsApproval(uint256 grossAmount, uint256 layer1And2) internal pure returns (bool) {
        return
            grossAmount >= STANDARD_APPROVAL_AMOUNT || grossAmount * BASIS_POINTS >= layer1And2 * STANDARD_APPROVAL_BPS;
    }

    /// @notice EMERGENCY: above 30 000 or above 10 % of L1, exclusive.
    function emergencyNeedsApproval(uint256 grossAmount, uint256 layer1) internal pure returns (bool) {
        return grossAmount > EMERGENCY_APPROVAL_AMOUNT || grossAmount * BASIS_POINTS > layer1 * EMERGENCY_APPROVAL_BPS;
    }

    /// @notice T+1 for EMERGENCY, T+7 for STANDARD. SCHEDULED has no delay of its own: the scheduler dates it.
    function delayOf(Channel channel) internal pure returns (uint256) {
        return channel == Channel.EMERGENCY ? EMERGENCY_DELAY : STANDARD_DELAY;
    }

    /// @notice Base, plus size, plus scarcity, capped at 0.50 %; the emergency surcharge comes on top of the cap.
    function feeBps(uint256 grossAmount, uint256 liquidityBps, Channel channel) internal pure returns (uint256 bps) {
        bps = BASE_FEE_BPS + _sizeFeeBps(grossAmount) + _scarcityFeeBps(liquidityBps);
        if (bps > MAX_FEE_BPS) bps = MAX_FEE_BPS;
        if (channel == Channel.EMERGENCY) bps += EMERGENCY_FEE_BPS;
    }

    function fee(uint256 grossAmount, uint256 liquidityBps, Channel channel) internal pure returns (uint256) {
        return grossAmount * feeBps(grossAmount, liquidityBps, channel) / BASIS_POINTS;
    }

    function _sizeFeeBps(uint256 grossAmount) private pure returns (uint256 bps) {
        if (grossAmount > MEDIUM_AMOUNT) bps += MEDIUM_AMOUNT_FEE_BPS;
        if (grossAmount > LARGE_AMOUNT) bps += LARGE_AMOUNT_FEE_BPS;
    }

    function _scarcityFeeBps(uint256 liquidityBps) private pure returns (uint256) {
        if (liquidityBps < CRITICAL_LIQUIDITY_BPS) return CRITICAL_LIQUIDITY_FEE_BPS;
        if (liquidityBps < LOW_LIQUIDITY_BPS) return LOW_LIQUIDITY_FEE_BPS;
        return 0;
    }
}
