// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// Prices are USDT per whole token, scaled by 1e18, whatever the token's own decimals.
interface IOracleAdapter {
    function getPrice(address token) external view returns (uint256 price);
    function getPriceWithTimestamp(address token) external view returns (uint256 price, uint256 updatedAt);
}
