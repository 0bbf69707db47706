// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IOracleAdapter} from "./interfaces/IOracleAdapter.sol";
import {ZeroAmount} from "./libraries/Errors.sol";

/// @title Prices as the owner says
/// @notice USDT per whole token, 1e18, each with the time it was set. The fund is not told when one moves.
contract OracleAdapter is IOracleAdapter, Ownable {
    struct Quote {
        uint256 price;
        uint256 updatedAt;
    }

    mapping(address token => Quote) private _quotes;

    event PriceUpdated(address indexed token, uint256 price, uint256 updatedAt);

    error PriceNotAvailable(address token);

    constructor(address owner_) Ownable(owner_) {}

    function setPrice(address token, uint256 price) external {
        setPriceWithTimestamp(token, price, block.timestamp);
    }

    /// @notice With an `updatedAt` in the past the price is stale from the start.
    function setPriceWithTimestamp(address token, uint256 price, uint256 updatedAt) public onlyOwner {
        if (price == 0) revert ZeroAmount();
        _quotes[token] = Quote(price, updatedAt);
        emit PriceUpdated(token, price, updatedAt);
    }

    function getPrice(address token) external view returns (uint256) {
        return _quoteOf(token).price;
    }

    function getPriceWithTimestamp(address token) external view returns (uint256 price, uint256 updatedAt) {
        Quote storage quote = _quoteOf(token);
        return (quote.price, quote.updatedAt);
    }

    function _quoteOf(address token) private view returns (Quote storage quote) {
        quote = _quotes[token];
        if (quote.price == 0) revert PriceNotAvailable(token);
    }
}
