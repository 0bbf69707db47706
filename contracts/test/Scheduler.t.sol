// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {AssetScheduler} from "../src/AssetScheduler.sol";
import {Quarters} from "../src/libraries/Quarters.sol";
import {FundFixture} from "./support/FundFixture.sol";

contract SchedulerTest is FundFixture {
    function test_WindowsAreTheFirstOfMarchJuneSeptemberAndDecember() public pure {
        vm.assertEq(Quarters.settlementOf(202603), 1_772_323_200);
        vm.assertEq(Quarters.settlementOf(202606), 1_780_272_000);
        vm.assertEq(Quarters.settlementOf(202609), 1_788_220_800);
        vm.assertEq(Quarters.settlementOf(202612), 1_796_083_200);
        vm.assertEq(Quarters.settlementOf(202803), 1_835_481_600); // after a leap day
        vm.assertEq(Quarters.following(202612), 202703);
    }

    function test_TheWindowOfItsOwnMidnightIsThatWindow() public pure {
        vm.assertEq(Quarters.atOrAfter(1_772_323_200), 202603);
        vm.assertEq(Quarters.atOrAfter(1_772_323_201), 202606);
    }

    function test_TheCurrentWindowIsTheNextToSettle() public view {
        (uint256 windowId, uint256 settlementTime) = scheduler.getCurrentWindow();
        vm.assertEq(windowId, 202603);
        vm.assertEq(settlementTime, scheduler.getWindowSettlementTime(202603));
        vm.assertEq(settlementTime, scheduler.calculateNextWindowDate());
    }

    function test_AMovedWindowSettlesWhenItWasMovedTo() public {
        vm.prank(admin);
        vm.expectEmit(address(scheduler));
        emit AssetScheduler.WindowMoved(202603, 1_772_323_200, 1_772_323_200 + 5 days);
        scheduler.moveWindow(202603, 1_772_323_200 + 5 days);
        vm.assertEq(scheduler.getWindowSettlementTime(202603), 1_772_323_200 + 5 days);
    }

    function test_AWindowMovedIntoTheNoticeIsPassedOver() public {
        vm.prank(admin);
        scheduler.moveWindow(202603, START + 10 days);
        (uint256 windowId,) = scheduler.findWindow(15 days);
        vm.assertEq(windowId, 202606);
    }

    function test_ThereAreNoWindowsInOtherMonths() public {
        vm.expectRevert(abi.encodeWithSelector(AssetScheduler.UnknownWindow.selector, 202604));
        scheduler.getWindowSettlementTime(202604);
        vm.expectRevert(abi.encodeWithSelector(AssetScheduler.UnknownWindow.selector, 0));
        scheduler.getWindowSettlementTime(0);
    }

    function test_OnlyTheRedemptionManagerBooks() public {
        bytes memory refusal = abi.encodeWithSelector(
            IAccessControl.AccessControlUnauthorizedAccount.selector, anyone, scheduler.OPERATOR_ROLE()
        );
        vm.prank(anyone);
        vm.expectRevert(refusal);
        scheduler.scheduleRedemptionWithAdvance(alice, alice, 1, 1, 1, 15 days);
    }

    function test_ABookingIsKeptUnderItsOwnNumber() public {
        fillFund(20);
        request(alice, 500_000e18);
        (address owner,, uint256 shares, uint256 grossAmount, uint256 lockedNav, uint256 windowId) =
            scheduler.scheduledRedemptions(1);
        vm.assertEq(owner, alice);
        vm.assertEq(shares, 500_000e18);
        vm.assertEq(grossAmount, 500_000e18);
        vm.assertEq(lockedNav, 1e18);
        vm.assertEq(windowId, 202603);
    }

    function testFuzz_TheNextWindowIsAheadAndAtMostAQuarterAway(uint256 timestamp) public pure {
        timestamp = within(timestamp, 1_583_020_800, 32_000_000_000); // from March 2020, some nine hundred years
        uint256 windowId = Quarters.atOrAfter(timestamp);
        vm.assertTrue(Quarters.isWindow(windowId));
        vm.assertGe(Quarters.settlementOf(windowId), timestamp);
        vm.assertLe(Quarters.settlementOf(windowId) - timestamp, 92 days);
    }
}
