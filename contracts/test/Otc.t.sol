// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {AssetController} from "../src/AssetController.sol";
import {OTCManager} from "../src/OTCManager.sol";
import {IOTCManager} from "../src/interfaces/IOTCManager.sol";
import {FundFixture} from "./support/FundFixture.sol";

contract OtcTest is FundFixture {
    function setUp() public override {
        super.setUp();
        fillFund(20);
    }

    function _create() private returns (uint256) {
        vm.prank(rebalancer);
        return controller.createOTCOrder(address(estate), 100_000e18, 10_000e18, address(counterparty), 7 days);
    }

    function _pay(uint256 id) private {
        vm.prank(rebalancer);
        controller.executeOTCPayment(id);
    }

    function test_AnOrderIsCreatedPaidAndDelivered() public {
        vm.expectEmit(address(otc));
        emit OTCManager.OrderCreated(1, address(estate), 100_000e18, 10_000e18, address(counterparty));
        uint256 id = _create();
        vm.expectEmit(address(otc));
        emit OTCManager.OrderPaid(id, 100_000e18);
        _pay(id);
        vm.assertEq(usdt.balanceOf(address(counterparty)), 100_000e18);
        uint256 held = estate.balanceOf(address(vault));
        counterparty.deliver(estate, address(otc), 9_900e18);
        vm.expectEmit(address(otc));
        emit OTCManager.OrderDelivered(id, 9_900e18);
        vm.prank(rebalancer);
        controller.confirmOTCDelivery(id, 9_900e18);
        vm.assertEq(estate.balanceOf(address(vault)) - held, 9_900e18);
        IOTCManager.Order memory order = otc.getOrder(id);
        vm.assertTrue(order.status == IOTCManager.OrderStatus.DELIVERED);
        vm.assertEq(order.actualTokens, 9_900e18);
    }

    function test_WhatTheCounterpartyDidNotSendCannotBeConfirmed() public {
        uint256 id = _create();
        _pay(id);
        vm.prank(rebalancer);
        vm.expectPartialRevert(bytes4(keccak256("ERC20InsufficientAllowance(address,uint256,uint256)")));
        controller.confirmOTCDelivery(id, 10_000e18);
    }

    function test_OpenOrdersAreThoseNotYetDeliveredOrCancelled() public {
        uint256 cancelled = _create();
        uint256 paid = _create();
        uint256 pending = _create();
        _pay(paid);
        vm.prank(admin);
        vm.expectEmit(address(otc));
        emit OTCManager.OrderCancelled(cancelled);
        otc.cancelOrder(cancelled);
        uint256[] memory open = otc.getPendingOrders(address(estate));
        vm.assertEq(open.length, 2);
        vm.assertEq(open[0], paid);
        vm.assertEq(open[1], pending);
    }

    function test_APaidOrderCannotBeCancelledNorPaidAgain() public {
        uint256 id = _create();
        _pay(id);
        bytes memory refusal = abi.encodeWithSelector(OTCManager.InvalidOrderStatus.selector, id);
        vm.prank(admin);
        vm.expectRevert(refusal);
        otc.cancelOrder(id);
        vm.prank(rebalancer);
        vm.expectRevert(refusal);
        controller.executeOTCPayment(id);
    }

    function test_AnExpiredOrderIsNotPaid() public {
        uint256 id = _create();
        skip(7 days + 1);
        vm.prank(rebalancer);
        vm.expectRevert(abi.encodeWithSelector(OTCManager.OrderExpired.selector, id));
        controller.executeOTCPayment(id);
    }

    function test_OnlyWhitelistedCounterparties() public {
        vm.prank(rebalancer);
        vm.expectRevert(abi.encodeWithSelector(OTCManager.CounterpartyNotWhitelisted.selector, anyone));
        controller.createOTCOrder(address(estate), 1, 1, anyone, 1);
        vm.prank(admin);
        vm.expectEmit(address(otc));
        emit OTCManager.CounterpartyWhitelisted(anyone, true);
        otc.setCounterpartyWhitelist(anyone, true);
        vm.assertTrue(otc.isWhitelisted(anyone));
    }

    function test_AnUnknownOrderIsNotFound() public {
        vm.expectRevert(abi.encodeWithSelector(OTCManager.OrderNotFound.selector, 5));
        otc.getOrder(5);
    }

    function test_WithoutAnOtcManagerThereAreNoOrders() public {
        AssetController bare = AssetController(deploy("AssetController", abi.encode(vault, admin)));
        bytes32 role = bare.REBALANCER_ROLE();
        vm.prank(admin);
        bare.grantRole(role, rebalancer);
        vm.prank(rebalancer);
        vm.expectRevert(AssetController.OTCManagerNotConfigured.selector);
        bare.confirmOTCDelivery(1, 1);
    }
}
