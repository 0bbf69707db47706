// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// An issuer's own door: it moves the vault's USDT or tokens by the allowance the controller gave it, and pays the vault.
interface IPurchaseAdapter {
    function purchase(uint256 usdtAmount) external returns (uint256 tokensReceived);
    function redeem(uint256 tokenAmount) external returns (uint256 usdtReceived);
}

/// What an adapter of a yield-paying asset adds: pay out what has been earned, as more tokens to the vault.
interface IYieldAdapter {
    function compound() external returns (uint256 yieldAmount, uint256 sharesIssued);
}
