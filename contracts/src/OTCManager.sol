// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IOTCManager} from "./interfaces/IOTCManager.sol";
import {ZeroAddress, ZeroAmount} from "./libraries/Errors.sol";
import {FundAccess} from "./libraries/FundAccess.sol";

/// @title Orders with a named counterparty: paid first, delivered later
/// @notice PENDING → PAID → DELIVERED, or PENDING → CANCELLED. Money goes from the vault to the counterparty by the
/// allowance the asset controller gave; tokens come from the counterparty, by its own allowance, to the vault.
contract OTCManager is IOTCManager, FundAccess {
    using SafeERC20 for IERC20;

    address public immutable vault;
    address private immutable _usdt;

    mapping(address counterparty => bool) public isWhitelisted;
    mapping(uint256 orderId => Order) private _orders;
    mapping(address token => uint256[]) private _ordersOf;
    uint256 public orderCount;

    event OrderCreated(
        uint256 indexed orderId,
        address indexed rwaToken,
        uint256 usdtAmount,
        uint256 expectedTokens,
        address indexed counterparty
    );
    event OrderPaid(uint256 indexed orderId, uint256 usdtAmount);
    event OrderDelivered(uint256 indexed orderId, uint256 actualTokens);
    event OrderCancelled(uint256 indexed orderId);
    event CounterpartyWhitelisted(address indexed counterparty, bool status);

    error OrderNotFound(uint256 orderId);
    error InvalidOrderStatus(uint256 orderId);
    error OrderExpired(uint256 orderId);
    error CounterpartyNotWhitelisted(address counterparty);

    constructor(address vault_, IERC20 usdt, address admin) FundAccess(admin) {
        if (vault_ == address(0) || address(usdt) == address(0)) revert ZeroAddress();
        vault = vault_;
        _usdt = address(usdt);
    }

    function createOrder(
        address token,
        uint256 usdtAmount,
        uint256 expectedTokens,
        address counterparty,
        uint256 expiresIn
    ) external onlyRole(OPERATOR_ROLE) returns (uint256 orderId) {
        if (token == address(0)) revert ZeroAddress();
        if (usdtAmount == 0 || expectedTokens == 0) revert ZeroAmount();
        if (!isWhitelisted[counterparty]) revert CounterpartyNotWhitelisted(counterparty);
        orderId = ++orderCount;
        _orders[orderId] = Order({
            orderId: orderId,
            rwaToken: token,
            usdtAmount: usdtAmount,
            expectedTokens: expectedTokens,
            actualTokens: 0,
            counterparty: counterparty,
            createdAt: block.timestamp,
            expiresAt: block.timestamp + expiresIn,
            status: OrderStatus.PENDING
        });
        _ordersOf[token].push(orderId);
        emit OrderCreated(orderId, token, usdtAmount, expectedTokens, counterparty);
    }

    function executePayment(uint256 orderId) external onlyRole(OPERATOR_ROLE) {
        Order storage order = _inStatus(orderId, OrderStatus.PENDING);
        if (block.timestamp > order.expiresAt) revert OrderExpired(orderId);
        order.status = OrderStatus.PAID;
        IERC20(_usdt).safeTransferFrom(vault, order.counterparty, order.usdtAmount);
        emit OrderPaid(orderId, order.usdtAmount);
    }

    /// @notice What arrives may differ from what was expected, and is what counts.
    function confirmDelivery(uint256 orderId, uint256 actualTokens) external onlyRole(OPERATOR_ROLE) {
        if (actualTokens == 0) revert ZeroAmount();
        Order storage order = _inStatus(orderId, OrderStatus.PAID);
        order.status = OrderStatus.DELIVERED;
        order.actualTokens = actualTokens;
        IERC20(order.rwaToken).safeTransferFrom(order.counterparty, vault, actualTokens);
        emit OrderDelivered(orderId, actualTokens);
    }

    function cancelOrder(uint256 orderId) external onlyRole(ADMIN_ROLE) {
        _inStatus(orderId, OrderStatus.PENDING).status = OrderStatus.CANCELLED;
        emit OrderCancelled(orderId);
    }

    function setCounterpartyWhitelist(address counterparty, bool status) external onlyRole(ADMIN_ROLE) {
        if (counterparty == address(0)) revert ZeroAddress();
        isWhitelisted[counterparty] = status;
        emit CounterpartyWhitelisted(counterparty, status);
    }

    function getOrder(uint256 orderId) external view returns (Order memory order) {
        order = _orders[orderId];
        if (order.orderId == 0) revert OrderNotFound(orderId);
    }

    /// @notice A token's orders that are still open: to be paid, or paid and to be delivered.
    function getPendingOrders(address token) external view returns (uint256[] memory open) {
        uint256[] storage all = _ordersOf[token];
        open = new uint256[](all.length);
        uint256 count = 0;
        for (uint256 i = 0; i < all.length; i++) {
            OrderStatus status = _orders[all[i]].status;
            if (status == OrderStatus.PENDING || status == OrderStatus.PAID) open[count++] = all[i];
        }
        assembly ("memory-safe") {
            mstore(open, count)
        }
    }

    function _inStatus(uint256 orderId, OrderStatus status) private view returns (Order storage order) {
        order = _orders[orderId];
        if (order.orderId == 0) revert OrderNotFound(orderId);
        if (order.status != status) revert InvalidOrderStatus(orderId);
    }
}
