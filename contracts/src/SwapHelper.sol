// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IOracleAdapter} from "./interfaces/IOracleAdapter.sol";
import {ISwapHelper} from "./interfaces/ISwapHelper.sol";
import {ZeroAddress} from "./libraries/Errors.sol";
import {BASIS_POINTS, ONE} from "./libraries/Types.sol";
import {TestToken} from "./testing/TestToken.sol";

/// @title A market as deep as the sea, at the oracle's price less a settable impact
/// @notice It pulls from the VAULT, by the allowance the asset controller gave it there, and pays the vault: one that pulled
/// from its caller would fail every swap. What it sells it mints.
contract SwapHelper is ISwapHelper, Ownable {
    using SafeERC20 for IERC20;

    address public immutable vault;
    address public immutable usdt;
    IOracleAdapter public immutable oracle;

    /// What a trade in this token costs against the oracle's price, either way.
    mapping(address token => uint256) public priceImpactBps;

    event PriceImpactUpdated(address indexed token, uint256 impactBps);

    error InsufficientOutput(uint256 amountOut, uint256 minimum);
    error ImpactTooHigh(uint256 impactBps);

    constructor(address vault_, address usdt_, IOracleAdapter oracle_, address owner_) Ownable(owner_) {
        if (vault_ == address(0) || usdt_ == address(0) || address(oracle_) == address(0)) revert ZeroAddress();
        vault = vault_;
        usdt = usdt_;
        oracle = oracle_;
    }

    function setPriceImpactBps(address token, uint256 impactBps) external onlyOwner {
        if (impactBps >= BASIS_POINTS) revert ImpactTooHigh(impactBps);
        priceImpactBps[token] = impactBps;
        emit PriceImpactUpdated(token, impactBps);
    }

    function buyRWAAsset(address tokenIn, address tokenOut, uint256 amountIn, uint256 slippageBps)
        external
        returns (uint256)
    {
        return _swap(tokenIn, tokenOut, amountIn, slippageBps);
    }

    function sellRWAAsset(address tokenIn, address tokenOut, uint256 amountIn, uint256 slippageBps)
        external
        returns (uint256)
    {
        return _swap(tokenIn, tokenOut, amountIn, slippageBps);
    }

    /// @notice The oracle's price less the impact of the side that is not USDT.
    function getAmountOut(address tokenIn, address tokenOut, uint256 amountIn) public view returns (uint256) {
        uint256 impact = priceImpactBps[tokenIn == usdt ? tokenOut : tokenIn];
        return _fairAmountOut(tokenIn, tokenOut, amountIn) * (BASIS_POINTS - impact) / BASIS_POINTS;
    }

    function _swap(address tokenIn, address tokenOut, uint256 amountIn, uint256 slippageBps)
        private
        returns (uint256 amountOut)
    {
        amountOut = getAmountOut(tokenIn, tokenOut, amountIn);
        uint256 minimum = _fairAmountOut(tokenIn, tokenOut, amountIn) * (BASIS_POINTS - slippageBps) / BASIS_POINTS;
        if (amountOut < minimum) revert InsufficientOutput(amountOut, minimum);
        IERC20(tokenIn).safeTransferFrom(vault, address(this), amountIn);
        TestToken(tokenOut).mint(vault, amountOut);
    }

    function _fairAmountOut(address tokenIn, address tokenOut, uint256 amountIn) private view returns (uint256) {
        uint256 value = Math.mulDiv(amountIn, _priceOf(tokenIn), 10 ** IERC20Metadata(tokenIn).decimals());
        return Math.mulDiv(value, 10 ** IERC20Metadata(tokenOut).decimals(), _priceOf(tokenOut));
    }

    function _priceOf(address token) private view returns (uint256) {
        return token == usdt ? ONE : oracle.getPrice(token);
    }
}
