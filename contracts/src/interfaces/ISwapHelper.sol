// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// A swap helper pulls `tokenIn` from the vault, by the allowance the controller gave it, and pays the vault.
interface ISwapHelper {
    function buyRWAAsset(address tokenIn, address tokenOut, uint256 amountIn, uint256 slippageBps)
        external
        returns (uint256 amountOut);
    function sellRWAAsset(address tokenIn, address tokenOut, uint256 amountIn, uint256 slippageBps)
        external
        returns (uint256 amountOut);
    function getAmountOut(address tokenIn, address tokenOut, uint256 amountIn) external view returns (uint256);
}
