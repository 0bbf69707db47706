// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {ZeroAddress} from "./Errors.sol";

/// @title The roles every contract of the fund knows
/// @notice A role's id is the keccak256 of its name. The admin named at construction holds DEFAULT_ADMIN_ROLE (hands out
/// roles) and ADMIN_ROLE (turns the screws).
abstract contract FundAccess is AccessControl {
    bytes32 public constant ADMIN_ROLE = keccak256("ADMIN_ROLE");
    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");
    bytes32 public constant REBALANCER_ROLE = keccak256("REBALANCER_ROLE");
    bytes32 public constant VIP_APPROVER_ROLE = keccak256("VIP_APPROVER_ROLE");

    constructor(address admin) {
        if (admin == address(0)) revert ZeroAddress();
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(ADMIN_ROLE, admin);
    }
}
