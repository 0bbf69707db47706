// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

interface IOTCManager {
    enum OrderStatus {
        PENDING,
        PAID,
        DELIVERED,
        CANCELLED
    }

    struct Order {
        uint256 orderId;
        address rwaToken;
        uint256 usdtAmount;
        uint256 expectedTokens;
        uint256 actualTokens;
        address counterparty;
        uint256 createdAt;
        uint256 expiresAt;
        OrderStatus status;
    }

    function createOrder(
        address token,
        uint256 usdtAmount,
        uint256 expectedTokens,
        address counterparty,
        uint256 expiresIn
    ) external returns (uint256 orderId);
    function executePayment(uint256 orderId) external;
    function confirmDelivery(uint256 orderId, uint256 actualTokens) external;
    function getOrder(uint256 orderId) external view returns (Order memory);
}
