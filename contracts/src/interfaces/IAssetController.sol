// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Tier} from "../libraries/Types.sol";

/// What the vault and the redemption manager ask of the asset controller.
interface IAssetController {
    /// @notice All assets beside cash; may be a value cached for five minutes.
    function calculateAssetValue() external view returns (uint256);
    /// @notice One tier's assets beside cash, always at present prices.
    function getLayerValue(Tier tier) external view returns (uint256);
    function executeWaterfallLiquidation(uint256 amountNeeded, Tier maxTier) external returns (uint256 funded);
}
