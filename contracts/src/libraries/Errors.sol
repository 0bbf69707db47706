// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// Errors that more than one contract of the fund raises, with one selector each.
error ZeroAddress();
error ZeroAmount();
error InsufficientShares(uint256 available, uint256 required);
