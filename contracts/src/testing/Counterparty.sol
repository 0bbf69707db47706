// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {TestToken} from "./TestToken.sol";

/// @title An OTC counterparty that delivers when told to
/// @notice Takes the vault's money as an order's counterparty; `deliver` readies the tokens for the OTC manager to fetch.
contract Counterparty {
    function deliver(TestToken token, address otcManager, uint256 amount) external {
        token.mint(address(this), amount);
        token.approve(otcManager, amount);
    }
}
