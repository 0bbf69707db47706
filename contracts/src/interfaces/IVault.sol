// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";

/// What the vault's operators (redemption manager, asset controller) read and may do.
interface IVault is IERC4626 {
    function sharePrice() external view returns (uint256);
    function emergencyMode() external view returns (bool);
    function lockedSharesOf(address owner) external view returns (uint256);
    function grossAssets() external view returns (uint256);
    function totalRedemptionLiability() external view returns (uint256);
    function withdrawableRedemptionFees() external view returns (uint256);
    function totalAccumulatedRedemptionFees() external view returns (uint256);
    function getLayer1Cash() external view returns (uint256);
    function getLayer1Liquidity() external view returns (uint256);
    function getAvailableLiquidity() external view returns (uint256);

    function lockShares(address owner, uint256 shares) external;
    function unlockShares(address owner, uint256 shares) external;
    function burnLockedShares(address owner, uint256 shares) external;
    function addRedemptionLiability(uint256 amount) external;
    function reduceRedemptionLiability(uint256 amount) external;
    function addRedemptionFee(uint256 fee) external;
    function reduceRedemptionFee(uint256 fee) external;
    function approveToken(address token, address spender, uint256 amount) external;
    function payOut(address to, uint256 amount) external;
}
