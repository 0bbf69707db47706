// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// The liquidity tiers: cash and instantly redeemable yield, money-market funds, high-yield assets.
enum Tier {
    TIER_1_CASH,
    TIER_2_MMF,
    TIER_3_HYD
}

/// How a redemption travels from request to payment.
enum Channel {
    STANDARD,
    EMERGENCY,
    SCHEDULED
}

/// On chain a rejection ends as CANCELLED; only the event tells it from a cancellation.
enum Status {
    PENDING,
    PENDING_APPROVAL,
    APPROVED,
    SETTLED,
    CANCELLED
}

/// How an asset is bought and sold: through its adapter, through the swap helper, or whichever there is.
enum PurchaseMethod {
    OTC,
    SWAP,
    AUTO
}

uint256 constant BASIS_POINTS = 10_000;
uint256 constant ONE = 1e18;
