// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title Many small transfers in one transaction
/// @notice Makes the dense histories that measurements need: one Transfer for each recipient.
contract Scatter {
    function scatter(IERC20 token, address[] calldata recipients, uint256 amount) external {
        for (uint256 i = 0; i < recipients.length; ++i) {
            require(token.transfer(recipients[i], amount), "transfer refused");
        }
    }
}
