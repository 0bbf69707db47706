// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IOracleAdapter} from "../interfaces/IOracleAdapter.sol";
import {IPurchaseAdapter, IYieldAdapter} from "../interfaces/IPurchaseAdapter.sol";
import {TestToken} from "./TestToken.sol";

/// @title An issuer that sells and takes back its token at the oracle's price
/// @notice Moves the vault's USDT and tokens by the allowance the asset controller gave it there.
contract PurchaseAdapter is IPurchaseAdapter, IYieldAdapter {
    using SafeERC20 for IERC20;

    address public immutable vault;
    TestToken public immutable usdt;
    TestToken public immutable token;
    IOracleAdapter public immutable oracle;
    uint256 private immutable _unit;

    /// Earned on the vault's holding and not yet paid out, in USDT.
    uint256 public earnedYield;

    constructor(address vault_, TestToken usdt_, TestToken token_, IOracleAdapter oracle_) {
        vault = vault_;
        usdt = usdt_;
        token = token_;
        oracle = oracle_;
        _unit = 10 ** token_.decimals();
    }

    function purchase(uint256 usdtAmount) external returns (uint256 tokensReceived) {
        tokensReceived = _tokensFor(usdtAmount);
        IERC20(usdt).safeTransferFrom(vault, address(this), usdtAmount);
        token.mint(vault, tokensReceived);
    }

    function redeem(uint256 tokenAmount) external returns (uint256 usdtReceived) {
        usdtReceived = Math.mulDiv(tokenAmount, oracle.getPrice(address(token)), _unit);
        IERC20(token).safeTransferFrom(vault, address(this), tokenAmount);
        usdt.mint(vault, usdtReceived);
    }

    /// @notice Lets a test, or a simulated market, have the holding earn something.
    function earn(uint256 usdtAmount) external {
        earnedYield += usdtAmount;
    }

    function compound() external returns (uint256 yieldAmount, uint256 sharesIssued) {
        yieldAmount = earnedYield;
        sharesIssued = _tokensFor(yieldAmount);
        earnedYield = 0;
        token.mint(vault, sharesIssued);
    }

    function _tokensFor(uint256 usdtAmount) private view returns (uint256) {
        return Math.mulDiv(usdtAmount, _unit, oracle.getPrice(address(token)));
    }
}
